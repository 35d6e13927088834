"""Calls a server that says who called: both ends' names for the same connection. Typed: HOST PORT."""

import socket

addresses = {"srv": socket.gethostbyname("srv")}  # asked for once: later calls are those of one connection alone
print("ready")
while True:
    host, port = input().split()
    caller = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    caller.connect((addresses[host], int(port)))
    print("getsockname", *caller.getsockname(), "getpeername", *caller.getpeername())
    print("the server calls me", caller.recv(1024).decode())
    caller.close()
