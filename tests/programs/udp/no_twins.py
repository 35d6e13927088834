# fails: twice

import socket

sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(("", 9001))
last = None
while True:
    data, source = sock.recvfrom(65535)
    if (data, source) != last:
        sock.sendto(data, source)
    last = data, source
