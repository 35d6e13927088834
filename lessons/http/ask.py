"""Asks web for its page by `GET / HTTP/1.1` and one line more, which is typed. Prints the first line of the answer."""

import socket

print("ready")
while True:
    line = input()
    web = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    web.connect(("web", 8080))
    web.sendall(f"GET / HTTP/1.1\r\n{line}\r\n\r\n".encode())
    answer = web.recv(1024).decode()
    print(line, "->", answer.split("\r\n")[0])
    web.close()
