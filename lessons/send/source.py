"""Sends as many bytes as are typed, by the way that is typed first: send, fill (send without waiting, until nothing
fits any more) or sendall."""

import socket

client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
client.connect(("srv", 9000))
print("connected")
while True:
    way, count = input().split()
    data = b"x" * int(count)
    client.setblocking(way != "fill")
    if way == "sendall":
        client.settimeout(60)  # each send of it takes what fits; without a limit, Linux waits in the first one
        client.sendall(data)
        print("sendall took all of", count)
        continue
    try:
        while True:
            print("send took", client.send(data), "of", count)
            if way == "send":
                break
    except BlockingIOError:
        print("send raised BlockingIOError: nothing fits any more")
