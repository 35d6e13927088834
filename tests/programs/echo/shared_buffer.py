# fails: apart

import socket
import threading

everybody = []


def serve(connection):
    with connection:
        try:
            while data := connection.recv(4096):
                for one in list(everybody):
                    one.sendall(data)
        except OSError:
            pass
        finally:
            everybody.remove(connection)


listener = socket.create_server(("", 9000), backlog=64)
while True:
    connection, _ = listener.accept()
    everybody.append(connection)
    threading.Thread(target=serve, args=(connection,)).start()
