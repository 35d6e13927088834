"""Asks for a receive buffer of so many bytes as are typed, and says what the kernel gave."""

import socket

print("ready")
while True:
    wanted = int(input())
    one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, wanted)
    print("asked for", wanted, "got", one.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF))
