# passes

import socket

sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("", 9001))
while True:
    data, source = sock.recvfrom(65535)
    sock.sendto(data, source)
