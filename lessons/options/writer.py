"""Calls srv, and writes three small pieces when a line is typed: `nodelay` sets TCP_NODELAY."""

import socket
import time

client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
client.connect(("srv", 9000))
print("connected")
while True:
    if input() == "nodelay":
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    else:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 0)
    for piece in (b"one ", b"two ", b"three\n"):
        client.send(piece)
        time.sleep(0.03)  # with none, a busy kernel may still hold the last piece, and adds the next (tcp_autocorking)
    print("TCP_NODELAY is", client.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
