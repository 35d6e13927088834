"""An echo server on TCP and UDP (RFC 862): whatever arrives is sent back, byte for byte.

    socket, setsockopt, bind     one of each kind for IPv4, one of each for IPv6
    listen, accept, recv, send   TCP: many callers at once, each its own stream (recv and send: labnode/stream.py)
    recvmsg, sendmsg             UDP: recvfrom(2) and sendto(2), with a note of which of our addresses was asked
    close                        when a caller has closed its direction and got all the rest

TCP: "once a connection is established any data received is sent back. This continues until the calling user terminates
the connection." A caller that closes only its own direction (a half-close) still gets all the rest.
UDP: "when a datagram is received, the data from it is sent back in an answering datagram."
"""

from __future__ import annotations

import errno
import os
import socket
import time

import reflection

from labnode import datagram, journal, life
from labnode.loop import READ
from labnode.stream import Stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from labnode.loop import Loop
    from labnode.types import Ready

PORT = int(os.environ.get("PORT", "7"))
BACKLOG = 128
# A caller that reads nothing makes us hold 128 KiB; 300 of them fit into 64 MiB. Each takes a descriptor.
MOST_CONNECTIONS = max(1, min(300, os.sysconf("SC_OPEN_MAX") - 32))
PATIENCE = 1.0  # seconds of silence after which a connection may have to make room for a new one
LARGEST_DATAGRAM = 65535
FULL = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class EchoServer:
    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._listeners: list[socket.socket] = []
        self._datagram_sockets: list[socket.socket] = []
        self._streams: dict[Stream, float] = {}  # when something moved on each; the one silent for the longest first
        self._refusals = reflection.Refusals(loop)
        self._silent_ports = reflection.PORTS | {PORT}
        for family in (socket.AF_INET, socket.AF_INET6):
            for kind, opened in ((socket.SOCK_STREAM, self._listeners), (socket.SOCK_DGRAM, self._datagram_sockets)):
                sock = self.open(family, kind)
                if sock:
                    opened.append(sock)
        for sock in self._datagram_sockets:
            loop.watch(sock, READ, self.calling(self.echo_datagram, sock))
        self.listen(True)
        # It has nothing to say by itself: what is typed here stands in the journal as `input`, and that is all.
        life.watch_keyboard(loop, lambda typed: None)
        sockets = self._listeners + self._datagram_sockets
        protos = {socket.SOCK_STREAM: "tcp", socket.SOCK_DGRAM: "udp"}
        life.ready(listening=[[protos[sock.type], *sock.getsockname()[:2]] for sock in sockets])

    @staticmethod
    def calling(act: Callable[[socket.socket], object], sock: socket.socket) -> Ready:
        return lambda _ready: act(sock)

    def open(self, family: int, kind: int) -> socket.socket | None:
        try:
            sock = socket.socket(family, kind)
            sock.setblocking(False)
            if family == socket.AF_INET6:
                # IPv4 has a socket of its own; without this, `::` would take its port too (ipv6(7)).
                sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            if kind == socket.SOCK_STREAM:
                # Restart at once, even while old connections of this port are in TIME-WAIT.
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            else:
                datagram.ask_local(sock)
            sock.bind(("::" if family == socket.AF_INET6 else "0.0.0.0", PORT))
            journal.event("bind", journal.ends(sock))
            if kind == socket.SOCK_STREAM:
                sock.listen(BACKLOG)
                journal.event("listen", journal.ends(sock), backlog=BACKLOG)
            return sock
        except OSError as problem:
            if family == socket.AF_INET6 and problem.errno in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                return None  # a kernel without IPv6
            raise

    def listen(self, wanted: bool) -> None:
        for sock in self._listeners:
            self._loop.watch(sock, READ if wanted else 0, self.calling(self.accept, sock))

    def accept(self, listener: socket.socket) -> None:
        if len(self._streams) >= MOST_CONNECTIONS and not self.make_room():
            return
        try:
            sock, peer = listener.accept()
        except BlockingIOError:
            return
        except OSError as problem:
            self.missed(listener, problem)
            return
        ends = journal.ends(sock, peer)
        journal.event("accept", ends)
        stream = Stream(
            self._loop,
            sock,
            ends=ends,
            on_data=lambda data: stream.send(data),
            on_eof=lambda: stream.finish(),
            on_sent=lambda: self.moved(stream),
            on_close=lambda _: self.closed(stream),
        )
        self._streams[stream] = time.monotonic()

    def echo_datagram(self, sock: socket.socket) -> None:
        ends = None
        try:
            # recvfrom(2) and sendto(2), with a note of which of the host's addresses was asked.
            data, notes, _, peer = sock.recvmsg(LARGEST_DATAGRAM, datagram.NOTE)
            ends = datagram.ends(sock, peer, notes)
            if peer[1] in self._silent_ports:
                self._refusals.add(ends, len(data))
                return
            shown = journal.payload(data)
            journal.event("recv", ends, **shown)
            when = journal.stamp()
            sock.sendmsg([data], datagram.answer(notes), 0, peer)
            journal.event("send", ends, when, **shown)
        except OSError as problem:
            call = "sendto" if ends else "recvfrom"
            journal.error(problem.errno, f"{call}: {problem.strerror}", ends or journal.ends(sock), call=call)

    def missed(self, listener: socket.socket, problem: OSError) -> None:
        """accept(2) also passes on what went wrong on the new connection. That one is gone; only where the host is
        short of something does it help to wait, with the rest of the callers in the backlog."""
        journal.error(problem.errno, f"accept: {problem.strerror}", journal.ends(listener), call="accept")
        if problem.errno in FULL:
            self.pause(1)

    def make_room(self) -> bool:
        """Nobody can keep others out by holding connections: the one silent for the longest is closed for a new one.

        While all of them are at work the new ones wait in the backlog, for a moment at a time.
        """
        quietest, moved = next(iter(self._streams.items()))
        silent = time.monotonic() - moved
        if silent < PATIENCE:
            self.pause(PATIENCE - silent)
            return False
        quietest.close(reason=f"{MOST_CONNECTIONS} connections are open, and this one was silent for the longest")
        return True

    def pause(self, seconds: float) -> None:
        self.listen(False)
        self._loop.later(seconds, lambda: self.listen(True))

    def moved(self, stream: Stream) -> None:
        del self._streams[stream]
        self._streams[stream] = time.monotonic()

    def closed(self, stream: Stream) -> None:
        del self._streams[stream]
        if len(self._streams) == MOST_CONNECTIONS - 1:
            self.listen(True)

    def close(self) -> None:
        self.listen(False)
        self._refusals.close()
        sockets, self._listeners = self._listeners + self._datagram_sockets, []
        for sock in sockets:
            ends = journal.ends(sock)
            sock.close()
            journal.event("close", ends)
        for stream in list(self._streams):
            stream.close()


if __name__ == "__main__":
    life.run(lambda loop: EchoServer(loop).close)
