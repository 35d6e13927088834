"""Takes a call, and reads all that comes."""

import socket

server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("0.0.0.0", 9000))
server.listen()
print("SO_REUSEADDR is", server.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR))
connection, address = server.accept()
while data := connection.recv(1024):
    print("recv gave", data)
