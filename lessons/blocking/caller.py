"""Calls srv, and sends what is typed."""

import socket

client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
client.connect(("srv", 9000))
print("connected")
while True:
    client.sendall(input().encode())
