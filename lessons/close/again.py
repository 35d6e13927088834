"""Two servers: port 9000 without SO_REUSEADDR, port 9001 with it. Each serves one caller, hangs up first, and ends;
when a line is typed, each is started again."""

import socket


def listening(port, reuse):
    server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if reuse:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(("0.0.0.0", port))
    server.listen()
    return server


servers = [listening(9000, reuse=False), listening(9001, reuse=True)]
print("listening")
for server in servers:
    connection, address = server.accept()
    connection.close()
    server.close()
print("served both")
input()
for port, reuse in ((9000, False), (9001, True)):
    try:
        listening(port, reuse)
        print("port", port, "listens again")
    except OSError as error:
        print("port", port, error.strerror)
input()
