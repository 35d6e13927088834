"""Calls HOST PORT as typed, by the way that is typed first: connect, connect_ex, limited (to 0.7 s), at-once."""

import errno
import socket

addresses = {"srv": socket.gethostbyname("srv")}  # asked for once: later calls are those of one connection alone
print("ready")
while True:
    way, host, port = input().split()
    caller = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    if way == "limited":
        caller.settimeout(0.7)
    if way == "at-once":
        caller.setblocking(False)
    try:
        if way in ("connect_ex", "at-once"):
            number = caller.connect_ex((addresses[host], int(port)))
            print(way, "gave", number, errno.errorcode.get(number, "connected"))
        else:
            caller.connect((addresses[host], int(port)))
            print(way, "gave nothing: connected")
    except OSError as error:
        print(way, "raised", type(error).__name__)
    caller.close()
