# fails: headers

import socket
import threading

PAGE = "<h1>Grüße</h1>\n".encode()


def answer(method, version):
    head = f"HTTP/1.1 200 OK\r\nContent-Type : text/html; charset=utf-8\r\nContent-Length: {len(PAGE)}\r\n\r\n"
    return head.encode() + (PAGE if method != "HEAD" else b"")


def serve(connection):
    with connection:
        try:
            rest = b""
            while True:
                while b"\r\n\r\n" not in rest:
                    data = connection.recv(4096)
                    if not data:
                        return
                    rest += data
                request, _, rest = rest.partition(b"\r\n\r\n")
                words = request.split(b"\r\n")[0].decode("latin-1").split()
                if len(words) != 3:
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                    return
                connection.sendall(answer(words[0], words[2]))
                if b"connection: close" in request.lower():
                    return
        except OSError:
            pass


listener = socket.create_server(("", 8000), backlog=64)
while True:
    connection, _ = listener.accept()
    threading.Thread(target=serve, args=(connection,)).start()
