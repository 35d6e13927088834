# fails: binary

import socket
import threading


def serve(connection):
    with connection:
        try:
            file = connection.makefile("rb")
            for line in file:
                connection.sendall(line.decode(errors="replace").encode())
        except OSError:
            pass


listener = socket.create_server(("", 9000), backlog=64)
while True:
    connection, _ = listener.accept()
    threading.Thread(target=serve, args=(connection,)).start()
