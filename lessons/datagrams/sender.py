"""Sends a datagram of SIZE bytes to srv's PORT, as typed; `ask PORT` sends one and waits for an answer."""

import socket

SERVER = socket.gethostbyname("srv")  # once: a name is asked for by datagrams, too
print("ready")
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    size, port = input().split()
    try:
        if size == "ask":
            asker = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            asker.settimeout(2)
            asker.connect((SERVER, int(port)))
            asker.send(b"anybody there?")
            print("recv gave", asker.recv(1024))
        else:
            print("sendto took", sender.sendto(b"d" * int(size), (SERVER, int(port))))
    except OSError as error:
        print(size, "raised", type(error).__name__, error.strerror)
