"""Runs inside a node: the median round trip in ms (`ping`), or datagrams a second that arrive (`flood`)."""

import json
import socket
import statistics
import sys
import time

WINDOW = 1000  # datagrams under way: as many as are sent before the first answer must be there
kind, host, pings, seconds = sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.settimeout(5)
if kind == "ping":
    sock.connect((host, 7))
    took = []
    for number in range(pings):
        begun = time.perf_counter()
        sock.send(b"%d" % number)
        assert sock.recv(100) == b"%d" % number
        took.append(time.perf_counter() - begun)
    value = statistics.median(took) * 1000
else:
    sock.connect((host, 9))
    sent, had, begun = 1, 0, time.perf_counter()
    sock.send(b"first")
    while time.perf_counter() - begun < seconds:
        while sent - had < WINDOW:
            sock.send(b"x" * 100)
            sent += 1
        had = int(sock.recv(100))
    value = had / (time.perf_counter() - begun)
print(json.dumps({"value": value}))
