"""The other end of the chat: calls, and speaks first. `byebye` ends it.

socket, connect, send, recv, close
"""

import socket
import sys

from words import say

client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
client.connect((sys.argv[1], 12345))
print(say("已连接", "connected"))
while True:
    said = input(say("我说：", "say: "))
    client.send(said.encode())
    if said == "byebye":
        break
    heard = client.recv(1024).decode()
    print(say("对方说：", "heard: ") + heard)
    if heard in ("byebye", ""):
        break
client.close()
