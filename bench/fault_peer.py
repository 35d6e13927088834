"""Answers each datagram on port 7 with itself; on port 9 says after every 100 how many it has had."""

import selectors
import socket

COUNT = 100
echo, sink = (socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2))
echo.bind(("0.0.0.0", 7))
sink.bind(("0.0.0.0", 9))
sink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
selector = selectors.DefaultSelector()
for sock in (echo, sink):
    sock.setblocking(False)
    selector.register(sock, selectors.EVENT_READ)
had = 0
while True:
    for key, _ in selector.select():
        sock = echo if key.fileobj is echo else sink
        try:
            while True:
                data, peer = sock.recvfrom(65536)
                if sock is echo:
                    echo.sendto(data, peer)
                    continue
                had = 1 if data == b"first" else had + 1
                if had % COUNT == 0:
                    sink.sendto(str(had).encode(), peer)
        except BlockingIOError:
            continue
