"""Calls the server once for each name that is typed, and says the name to it. Nobody waits for an answer; who hears
nothing gives up."""

import socket

print("ready")
calls = []
while True:
    for name in input().split():
        caller = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        caller.settimeout(1.5)
        calls.append(caller)
        try:
            caller.connect(("srv", 9000))
            caller.sendall(name.encode())
            print(name, "is connected")
        except TimeoutError:
            print(name, "hears nothing")
            caller.close()
