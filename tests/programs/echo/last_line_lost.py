# fails: half-close

import socket
import threading


def serve(connection):
    with connection:
        try:
            rest = b""
            while data := connection.recv(4096):
                rest += data
                while b"\n" in rest:
                    line, _, rest = rest.partition(b"\n")
                    connection.sendall(line + b"\n")
        except OSError:
            pass


listener = socket.create_server(("", 9000), backlog=64)
while True:
    connection, _ = listener.accept()
    threading.Thread(target=serve, args=(connection,)).start()
