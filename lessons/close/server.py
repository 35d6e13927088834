"""Takes one call after the other, and does with each what is typed: read, close, or rudely (close without reading)."""

import socket

server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("0.0.0.0", 9000))
server.listen()
while True:
    connection, address = server.accept()
    print("called")
    while (word := input()) == "read":
        print("recv gave", connection.recv(1024))
    connection.close()
    print("closed")
