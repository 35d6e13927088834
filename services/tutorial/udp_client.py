"""Sends what is typed as a datagram, and prints the answer, until `exit`. An address and a port are all it needs.

socket, sendto, recvfrom, close
"""

import socket
import sys

from words import say

client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    text = input(say("请输入：", "send: "))
    if text == "exit":
        break
    client.sendto(text.encode(), (sys.argv[1], 5005))
    answer, address = client.recvfrom(1024)
    print(address, answer.decode())
client.close()
