"""A chat for two who take turns: this end waits for the other's call, and hears first. `byebye` ends it.

socket, bind, listen, accept, recv, send, close
"""

import socket

from words import say

server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.bind(("0.0.0.0", 12345))
server.listen(5)
print(say("等待对方连接……", "waiting for a call"))
connection, address = server.accept()
print(say("已连接：", "connected: "), address)
while True:
    heard = connection.recv(1024).decode()
    print(say("对方说：", "heard: ") + heard)
    if heard in ("byebye", ""):
        break
    said = input(say("我说：", "say: "))
    connection.send(said.encode())
    if said == "byebye":
        break
connection.close()
server.close()
