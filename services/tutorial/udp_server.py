"""Answers each datagram with its text in capitals, whoever sent it.

socket, bind, recvfrom, sendto
"""

import socket

from words import say

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("0.0.0.0", 5005))
print(say("等待数据报……", "waiting for datagrams"))
while True:
    data, address = server.recvfrom(1024)
    print(address, data.decode())
    server.sendto(data.upper(), address)
