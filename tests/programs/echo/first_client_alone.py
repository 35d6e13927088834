# fails: next

import socket

listener = socket.create_server(("", 9000), backlog=64)
connection, _ = listener.accept()
while data := connection.recv(4096):
    connection.sendall(data)
