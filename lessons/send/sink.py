"""Takes one call. Reads nothing until a line is typed; from then on, all that comes."""

import socket

server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.bind(("0.0.0.0", 9000))
server.listen()
connection, address = server.accept()
print("called")
input()
print("reading")
while connection.recv(65536):
    pass
