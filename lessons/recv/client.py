"""Calls the server, and sends what is typed: `text*number` is the text so many times; several parts, several sends."""

import socket

client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
client.connect(("srv", 9000))
print("connected")
while True:
    for part in input().split():
        text, _, times = part.partition("*")
        client.sendall(text.encode() * int(times or 1))
    print("sent")
