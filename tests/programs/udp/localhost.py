# fails: listens

import socket

sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("127.0.0.1", 9001))
while True:
    data, source = sock.recvfrom(65535)
    sock.sendto(data, source)
