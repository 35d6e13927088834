"""Listens with a backlog of one, and accepts only when a line is typed."""

import socket

server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.bind(("0.0.0.0", 9000))
server.listen(1)
print("listening")
while True:
    input()
    connection, address = server.accept()
    print("accept gave", connection.recv(1024).decode())
    connection.close()
