"""An HTTP server that says hello to every browser, one after the other.

socket, bind, listen, accept, recv, sendall, close
"""

import socket

from words import say

PAGE = "HTTP/1.1 200 OK\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<h1>Hello World, Michael!</h1>\n"

server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.bind(("0.0.0.0", 8080))
server.listen(1)
print(say("等待浏览器来访……", "waiting for a browser"))
while True:
    connection, address = server.accept()
    request = connection.recv(1024)
    print(address, request.decode().split("\r\n")[0])
    connection.sendall(PAGE.encode())
    connection.close()
