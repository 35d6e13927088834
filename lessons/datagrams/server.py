"""Takes datagrams at port 9000, each by recvfrom(2000), but only when a line is typed: the size that it asks for."""

import socket

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("0.0.0.0", 9000))
print("bound")
while True:
    size = int(input())
    data, address = server.recvfrom(size)
    print("recvfrom gave", len(data), "bytes from", address[0])
