"""Listens on port 9000, and lets the kernel take the calls."""

import socket

server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.bind(("0.0.0.0", 9000))
server.listen()
print("listening")
while True:
    connection, address = server.accept()
    connection.close()
