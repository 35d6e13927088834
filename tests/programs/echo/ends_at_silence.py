# fails: empty

import socket
import threading
import os


def serve(connection):
    with connection:
        data = connection.recv(4096)
        if not data:
            os._exit(1)  # "that can't happen"
        try:
            while data:
                connection.sendall(data)
                data = connection.recv(4096)
        except OSError:
            pass


listener = socket.create_server(("", 9000), backlog=64)
while True:
    connection, _ = listener.accept()
    threading.Thread(target=serve, args=(connection,)).start()
