"""Two programs of one host that talk through a file of the host: AF_UNIX. A line typed is sent by one to the other."""

import os
import socket

server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
server.bind("/tmp/talk")
server.listen()
if os.fork() == 0:
    connection, _ = server.accept()
    while data := connection.recv(1024):
        print("the other program read", data.decode())
    os._exit(0)
client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
client.connect("/tmp/talk")
print("connected by", client.getpeername())
while True:
    client.sendall(input().encode())
