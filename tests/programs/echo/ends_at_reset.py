# fails: reset

import selectors
import socket

selector = selectors.DefaultSelector()
listener = socket.create_server(("", 9000), backlog=64)
selector.register(listener, selectors.EVENT_READ)
while True:
    for key, _ in selector.select():
        if key.fileobj is listener:
            selector.register(listener.accept()[0], selectors.EVENT_READ)
            continue
        data = key.fileobj.recv(4096)  # ECONNRESET ends all of it
        if data:
            key.fileobj.sendall(data)
        else:
            selector.unregister(key.fileobj)
            key.fileobj.close()
