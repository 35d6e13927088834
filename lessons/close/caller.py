"""Calls both servers of the host `old` when a line is typed, and reads to the end."""

import socket

print("ready")
while True:
    input()
    for port in (9000, 9001):
        client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        client.connect(("old", port))
        print("recv gave", client.recv(1024))
        client.close()
