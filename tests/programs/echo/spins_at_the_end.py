# fails: empty

import socket
import threading


def serve(connection):
    with connection:
        try:
            while True:
                connection.sendall(connection.recv(4096))
        except OSError:
            pass


listener = socket.create_server(("", 9000), backlog=64)
while True:
    connection, _ = listener.accept()
    threading.Thread(target=serve, args=(connection,)).start()
