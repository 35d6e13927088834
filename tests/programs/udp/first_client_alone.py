# fails: sources

import socket

sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("", 9001))
data, source = sock.recvfrom(65535)
sock.sendto(data, source)
while True:
    data, other = sock.recvfrom(65535)
    sock.sendto(data, source)
