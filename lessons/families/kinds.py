"""The same two sends over a stream, and as datagrams, to this host itself; what one recv gives, and then another."""

import socket

print("ready")
while True:
    kind = input()
    family, way = (socket.AF_INET, socket.SOCK_STREAM) if kind == "stream" else (socket.AF_INET, socket.SOCK_DGRAM)
    receiver = socket.socket(family, way)
    receiver.bind(("127.0.0.1", 0))
    sender = socket.socket(family, way)
    if kind == "stream":
        receiver.listen()
        sender.connect(receiver.getsockname())
        taker, _ = receiver.accept()
    else:
        sender.connect(receiver.getsockname())
        taker = receiver
    sender.send(b"ab")
    sender.send(b"cd")
    sender.close()
    first = taker.recv(1024).decode()
    print(kind, "gave", first, "then", taker.recv(1024).decode() or "the end")
    taker.close()
    receiver.close()
