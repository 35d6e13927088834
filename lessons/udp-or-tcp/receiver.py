"""Takes messages over TCP (port 9000) and UDP (port 9001), and answers `how many?` with their number."""

import selectors
import socket

tcp = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
tcp.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
tcp.bind(("0.0.0.0", 9000))
tcp.listen()
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("0.0.0.0", 9001))
print("listening")
waiting = selectors.DefaultSelector()
waiting.register(tcp, selectors.EVENT_READ)
waiting.register(udp, selectors.EVENT_READ)
datagrams = 0
while True:
    for key, _ in waiting.select():
        if key.fileobj is udp:
            data, address = udp.recvfrom(2000)
            if data == b"how many?":
                udp.sendto(str(datagrams).encode(), address)
                datagrams = 0
            else:
                datagrams += 1
        else:
            connection, _ = tcp.accept()
            with connection, connection.makefile("rb") as lines:
                count = 0
                for line in lines:
                    if line == b"how many?\n":
                        connection.sendall(str(count).encode())
                        break
                    count += 1
