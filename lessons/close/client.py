"""Calls, says, half (no more from here: shutdown), read, close: as typed."""

import socket

print("ready")
while True:
    word = input()
    try:
        if word == "call":
            client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            client.connect(("srv", 9000))
            print("connected")
        elif word == "half":
            client.shutdown(socket.SHUT_WR)
            print("no more from here")
        elif word == "read":
            print("recv gave", client.recv(1024))
        elif word == "close":
            client.close()
            print("closed")
        else:
            client.sendall(word.encode())
            print("said", word)
    except OSError as error:
        print(word, "raised", type(error).__name__)
