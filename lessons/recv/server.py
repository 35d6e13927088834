"""Reads from its one caller by recv(1024), when it is told to, and shows what each call gave."""

import socket

server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.bind(("0.0.0.0", 9000))
server.listen()
connection, address = server.accept()
print("called by", address[0])
while True:
    input()  # any line: read once
    data = connection.recv(1024)
    print("recv gave", len(data), "bytes")
    try:
        print("text ends with", repr(data.decode()[-3:]))
    except UnicodeDecodeError as error:
        print("no text:", error.reason)
