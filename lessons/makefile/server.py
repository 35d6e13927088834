"""Reads lines from its caller, through a file: makefile collects the bytes, cuts at newlines and decodes."""

import socket

server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.bind(("0.0.0.0", 9000))
server.listen()
connection, address = server.accept()
with connection.makefile("r", encoding="utf-8", newline="\n") as lines:
    print("called")
    for line in lines:
        print("a line:", line.rstrip("\n")[:40], "of", len(line), "characters")
connection.close()
print("the end")
input()
