"""Sends the parts that are typed one by one, each as a send of its own; \\n in them is a newline. `close` closes."""

import socket
import time

client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
client.connect(("srv", 9000))
print("connected")
while (typed := input()) != "close":
    for part in typed.split():
        text, _, times = part.partition("*")
        client.sendall(text.replace("\\n", "\n").encode() * int(times or 1))
        time.sleep(0.05)  # so that each is a segment of its own, for all to see
client.close()
print("closed")
input()
