"""Two sockets of one host want the same port."""

import socket

first = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
first.bind(("0.0.0.0", 9000))
first.listen()
print("the first one listens")
input()
second = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
try:
    second.bind(("0.0.0.0", 9000))
    print("the second one is bound")
except OSError as error:
    print("the second one:", error.strerror)
input()
