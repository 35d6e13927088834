"""A UDP peer: every typed line is one datagram, and every datagram that arrives is shown (RFC 768).

    socket, setsockopt, bind     one socket for IPv4, one for IPv6; nobody connects, and nobody accepts
    sendto                       to the address that each datagram names anew
    recvmsg                      recvfrom(2), with a note of which of our addresses the datagram was sent to

Type a line for PEER, or `@HOST:PORT text` for somebody else. With `count` in labctl's envelope the line becomes a
numbered train: train.py says what that is, station.py sends and counts it. Environment: PORT (5005), PEER
(`udp2:5005`), GROUP (a multicast group to join).
"""

from __future__ import annotations

import errno
import os
import socket
from collections import deque

import station
import train

from labnode import datagram, journal, life, names
from labnode.loop import READ, Loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from labnode.keyboard import Input
    from labnode.types import Fields, Resolved

    Line = tuple[Fields, str, bytes | train.Departing]  # what it is known by, to whom, and what

PORT = int(os.environ.get("PORT") or 5005)
PEER = os.environ.get("PEER")
GROUP = os.environ.get("GROUP")  # a multicast group's address
LARGEST = 65535  # bytes asked of recvmsg(2): more than any datagram holds, so that none is cut
BUFFERED = 512  # datagrams taken in one turn: more than fit into a socket's receive buffer (socket(7), rmem_default)


class UdpPeer:
    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._sockets: dict[int, socket.socket] = {}  # by address family
        self._lines: deque[Line] = deque()  # typed, and not sent yet: finding a name's address takes a moment
        self._arrivals = station.Arrivals(loop, self.receive_all)
        self.open(socket.AF_INET, "0.0.0.0")
        try:
            self.open(socket.AF_INET6, "::")
        except OSError as problem:
            if problem.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                raise  # else it is a kernel without IPv6
        self._pause_keyboard = life.watch_keyboard(loop, self.typed)
        life.ready(listening=[["udp", *sock.getsockname()[:2]] for sock in self._sockets.values()])

    def open(self, family: int, address: str) -> None:
        sock = socket.socket(family, socket.SOCK_DGRAM)
        sock.setblocking(False)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)  # the port is IPv4's too otherwise (ipv6(7))
        datagram.ask_local(sock)
        datagram.ask_hops(sock)
        datagram.ask_drops(sock)
        sock.bind((address, PORT))
        journal.event("bind", journal.ends(sock))
        if GROUP and (":" in GROUP) == (family == socket.AF_INET6):
            datagram.join(sock, GROUP)
            journal.event("join", journal.ends(sock), group=GROUP)
        self._sockets[family] = sock
        self._loop.watch(sock, READ, lambda _: self.receive(sock))

    def typed(self, typed: Input) -> None:
        known: Fields = {"id": typed.id} if typed.id else {}
        to, text = typed.to or PEER, typed.text
        try:
            if text[:1] == "@" and not typed.id and not typed.to:  # a person; labctl's text is sent as it is
                to, _, text = text[1:].partition(" ")
            if not to:
                raise ValueError("nobody to send it to: set PEER, or type @HOST:PORT text")
            names.split(to)
            departing = train.Departing(os.urandom(4).hex(), text, typed.options) if typed.options else None
        except ValueError as problem:
            journal.error("EINVAL", str(problem), call="input", **known)
            return
        self._lines.append((known, to, departing or text.encode()))
        if len(self._lines) == 1:
            self.find()

    def find(self) -> None:
        """Finds the address for the oldest line. The others wait behind it, in the keyboard when they are many."""
        self._pause_keyboard(bool(self._lines))
        if self._lines:
            _, to, _ = self._lines[0]
            names.resolve(self._loop, *names.split(to), self.found, socket.SOCK_DGRAM)

    def found(self, addresses: list[Resolved], problem: OSError | None) -> None:
        known, to, content = self._lines.popleft()
        if problem:
            journal.error(names.error_name(problem), f"{to}: {problem.strerror}", call="getaddrinfo", **known)
        else:
            self.send(known, to, content, addresses)
        self.find()

    def send(self, known: Fields, to: str, content: bytes | train.Departing, addresses: list[Resolved]) -> None:
        ends, problem = None, OSError(errno.EAFNOSUPPORT, os.strerror(errno.EAFNOSUPPORT))
        for family, _, _, _, address in addresses:
            if family not in self._sockets:
                continue
            sock = self._sockets[family]
            try:
                ends = datagram.source(sock, address)
                if isinstance(content, bytes):
                    when = journal.stamp()
                    sock.sendto(content, address)
                    journal.event("send", ends, when, **known, **journal.payload(content))
                else:
                    station.depart(self._loop, content, sock, address, ends, known)
                return
            except OSError as failed:
                problem = failed
        journal.error(problem.errno, f"sendto {to}: {problem.strerror}", ends, call="sendto", **known)

    def receive(self, sock: socket.socket) -> None:
        for _ in range(BUFFERED):
            try:
                data, notes, _, peer = sock.recvmsg(LARGEST, datagram.NOTE)
            except BlockingIOError:
                return
            except OSError as problem:
                journal.error(problem.errno, f"recvfrom: {problem.strerror}", journal.ends(sock), call="recvfrom")
                return
            ends = datagram.ends(sock, peer, notes)
            numbered = train.parse(data)
            if numbered:
                self._arrivals.add(ends, len(data), *numbered, sock=sock, drops=datagram.drops_before(notes))
            else:
                journal.event("recv", ends, **journal.payload(data), **datagram.hops(notes))

    def receive_all(self) -> None:
        for sock in self._sockets.values():
            self.receive(sock)

    def close(self) -> None:
        for sock in self._sockets.values():
            ends = journal.ends(sock)
            sock.close()
            journal.event("close", ends)


if __name__ == "__main__":
    life.run(lambda loop: UdpPeer(loop).close)
