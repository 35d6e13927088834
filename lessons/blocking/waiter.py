"""Takes calls, and reads from the newest in the way that is typed: wait (block), limit (half a second), at-once, or
select: waits for all calls together, and reads from those that have something."""

import select
import socket

server = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
server.bind(("0.0.0.0", 9000))
server.listen()
calls = [server.accept()[0], server.accept()[0]]
print("two have called, by descriptors", calls[0].fileno(), calls[1].fileno())
while True:
    way = input()
    one = calls[0]
    try:
        if way == "select":
            ready, _, _ = select.select(calls, [], [], 5)
            for connection in ready:
                print("descriptor", connection.fileno(), "gave", connection.recv(1024).decode())
            continue
        if way == "at-once":
            one.setblocking(False)
        else:
            one.settimeout(0.5 if way == "limit" else None)
        print(way, "timeout is", one.gettimeout())
        print(way, "gave", one.recv(1024).decode())
    except (TimeoutError, BlockingIOError) as error:
        print(way, "raised", type(error).__name__)
    one.setblocking(True)
