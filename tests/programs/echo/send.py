# fails: big

import socket
import threading


def serve(connection):
    with connection:
        try:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
            connection.setblocking(False)
            import select

            while True:
                select.select([connection], [], [])
                data = connection.recv(65536)
                if not data:
                    break
                try:
                    connection.send(data)  # what it returns is not looked at
                except BlockingIOError:
                    pass
        except OSError:
            pass


listener = socket.create_server(("", 9000), backlog=64)
while True:
    connection, _ = listener.accept()
    threading.Thread(target=serve, args=(connection,)).start()
