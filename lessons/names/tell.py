"""Tells each caller how it is called here: getpeername."""

import socket

server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.bind(("0.0.0.0", 9000))
server.listen()
print("listening at", *server.getsockname())
while True:
    connection, _ = server.accept()
    print("getsockname", *connection.getsockname(), "getpeername", *connection.getpeername())
    connection.sendall(" ".join(map(str, connection.getpeername())).encode())
    connection.close()
