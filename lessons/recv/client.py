"""Calls the server, and sends what is typed: `text*number` is the text so many times; several parts, several sends."""

import socket

client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
client.connect(("srv", 9000))
print("connected")
while True:
    count = 0
    for part in input().split():
        text, _, times = part.partition("*")
        data = text.encode() * int(times or 1)
        client.sendall(data)
        count += len(data)
    print("sent", count, "bytes")
