"""An HTTP/1.1 server on raw sockets: it greets whoever asks.

    socket, setsockopt, bind, listen     once, for IPv4 and for IPv6
    accept                               whenever somebody calls
    recv, send, shutdown, close          on each connection: labnode/stream.py, which connection.py tells what to say

What a browser gets to see is in page.py. Environment: PORT (8080), GREETING.
"""

from __future__ import annotations

import errno
import os
import socket

from labnode import journal, life
from labnode.loop import READ, Loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from connection import Connection

    from labnode.keyboard import Input

PORT = int(os.environ.get("PORT", 8080))
TURN = 64  # connections accepted before those that are there have their turn
BACKLOG = 1024  # connections that the kernel completes before they are accepted; net.core.somaxconn limits it further
CONNECTIONS = max(1, min(4000, os.sysconf("SC_OPEN_MAX") - 32))  # a descriptor for each, and a few for the rest
HELD = 48 * 1024 * 1024  # bytes that may wait in all connections; with 4000 of them it makes 75 MiB of memory
GREETING = os.environ.get("GREETING") or "Hello World, Michael!"
GREETING_LIMIT = 4096  # bytes
# accept(2) hands on errors of a connection that was lost while it waited; the next one may well be there.
LOST = {errno.EAGAIN, errno.ECONNABORTED, errno.EPROTO, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN}


class Server:
    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self.greeting = GREETING
        # And the bytes that each holds; the one heard of longest ago comes first.
        self.connections: dict[Connection, int] = {}
        self.held = 0  # bytes, by all of them
        self.listeners = [sock for family in (socket.AF_INET, socket.AF_INET6) if (sock := self.listen(family))]
        life.watch_keyboard(loop, self.on_input)
        life.ready(listening=[["tcp", *sock.getsockname()[:2]] for sock in self.listeners])
        loop.later(0, self.prepare)

    def listen(self, family: int) -> socket.socket | None:
        """A listening socket on PORT at all addresses of the family; None where the kernel doesn't have that family."""
        try:
            sock = socket.socket(family, socket.SOCK_STREAM)
            # Else the port stays taken for a minute after a restart, by the old connections' TIME_WAIT (socket(7)).
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                # Else it would take the IPv4 callers as well, and show them as ::ffff:10.77.0.9 (ipv6(7)).
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            sock.bind(("", PORT))
        except OSError as problem:
            if family == socket.AF_INET6 and problem.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                return None
            raise
        ends = journal.ends(sock)
        journal.event("bind", ends)
        sock.listen(BACKLOG)
        journal.event("listen", ends, backlog=BACKLOG)
        sock.setblocking(False)
        self.loop.watch(sock, READ, lambda _ready: self.accept(sock))
        return sock

    def prepare(self) -> None:
        """Imports what reads HTTP, which is more than half of this program's start: who waits for the port has it
        before, and a connection that comes meanwhile is the kernel's to complete (listen(2))."""
        import connection  # noqa: F401

    def accept(self, listener: socket.socket) -> None:
        from connection import Connection

        for _ in range(TURN):
            try:
                sock, peer = listener.accept()
            except OSError as problem:
                if problem.errno not in LOST:
                    journal.error(problem.errno, f"accept: {problem.strerror}", journal.ends(listener), call="accept")
                    self.pause(listener)
                return
            ends = journal.ends(sock, peer)
            journal.event("accept", ends)
            self.connections[Connection(self, sock, ends)] = 0
            if len(self.connections) > CONNECTIONS:
                # Nobody can keep others out by holding many connections: the one silent for the longest makes room.
                next(iter(self.connections)).close(reason=f"over {CONNECTIONS} connections")

    def heard_of(self, connection: Connection) -> None:
        self.connections[connection] = self.connections.pop(connection)

    def holds(self, connection: Connection, count: int) -> None:
        """So many bytes wait in the connection now, unread or unsent."""
        self.held += count - self.connections[connection]
        self.connections[connection] = count
        while self.held > HELD:
            largest = max(self.connections, key=self.connections.__getitem__)
            largest.close(reason=f"over {HELD} bytes wait in all connections")

    def forget(self, connection: Connection) -> None:
        self.held -= self.connections.pop(connection, 0)

    def pause(self, listener: socket.socket) -> None:
        """The kernel is out of memory or of files: asking again at once would fail again, as fast as it goes."""
        self.loop.watch(listener, 0)
        self.loop.later(0.1, lambda: self.loop.watch(listener, READ, lambda _ready: self.accept(listener)))

    def on_input(self, typed: Input) -> None:
        """A typed line is the greeting from now on; an empty one brings back the first."""
        if len(typed.text.encode()) > GREETING_LIMIT:
            known = {"id": typed.id} if typed.id else {}
            journal.error("EMSGSIZE", f"a greeting has {GREETING_LIMIT} bytes at most", call="input", **known)
        else:
            self.greeting = typed.text or GREETING

    def close(self) -> None:
        for sock in self.listeners:
            ends = journal.ends(sock)
            self.loop.watch(sock, 0)
            sock.close()
            journal.event("close", ends)
        for connection in list(self.connections):
            connection.close(reason="the server leaves")


if __name__ == "__main__":
    life.run(lambda loop: Server(loop).close)
