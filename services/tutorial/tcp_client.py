"""A TCP client: sends what is typed, prints what comes back, until `exit`.

socket, connect, send, recv, close
"""

import socket
import sys

from words import say

host, port = sys.argv[1], int(sys.argv[2])
client = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
client.connect((host, port))
print(say("已连接，输入 exit 退出", "connected; exit ends it"))
while True:
    text = input(say("请输入：", "send: "))
    if text == "exit":
        break
    client.send((text + "\n").encode())
    answer = client.recv(1024)
    print(say("收到：", "received: ") + answer.decode())
client.close()
