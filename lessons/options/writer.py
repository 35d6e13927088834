"""Calls srv, and writes two small pieces right after each other when a line is typed: `nodelay` sets TCP_NODELAY."""

import socket

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
    print("TCP_NODELAY is", client.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
