# passes

import socket
import threading


def serve(connection):
    with connection:
        try:
            while data := connection.recv(4096):
                connection.sendall(data)
        except OSError:
            pass


listener = socket.create_server(("", 0), backlog=64)  # where the kernel has room
print("listening on", listener.getsockname()[1])
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],)).start()
