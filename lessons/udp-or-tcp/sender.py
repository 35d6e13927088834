"""Sends 200 messages of 100 bytes each, over what is typed (tcp or udp, and a word to know it by), and asks how many
arrived; says how long all of it took, from before the connection to the answer."""

import socket
import time

SERVER = socket.gethostbyname("srv")
MESSAGE = b"m" * 99
print("ready")
while True:
    way, label = input().split()
    begun = time.perf_counter()
    if way == "tcp":
        one = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        one.connect((SERVER, 9000))
        for _ in range(200):
            one.sendall(MESSAGE + b"\n")
        one.sendall(b"how many?\n")
        answer = one.recv(100)
    else:
        one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        one.settimeout(0.3)
        for _ in range(200):
            one.sendto(MESSAGE, (SERVER, 9001))
        while True:
            one.sendto(b"how many?", (SERVER, 9001))
            try:
                answer = one.recv(100)
                break
            except TimeoutError:  # the question was lost, or the answer
                continue
    took = time.perf_counter() - begun
    one.close()
    print(way, label, "took", round(took * 1000), "ms for", int(answer), "of 200")
