"""Tries each port of each peer until it answers, or the time is over."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import time

from labmachine.listening import WORD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from labmachine.watching import Watch

    Key = tuple[str, str]  # a peer, and a port of its


AGAIN = 0.2  # seconds from one datagram to the next
OPEN, REFUSED, SILENT = "open", "refused", "silent"


class Trial:
    """`peers` are addresses by name; `silent` are ports of theirs, by name, that take datagrams and answer none of
    ours. What is found, by name and port: open, refused, silent."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        peers: Mapping[str, str],
        ports: Sequence[tuple[str, int]],
        silent: Mapping[str, Sequence[str]],
        watch: Watch,
    ) -> None:
        self._selector, self._watch, self._quiet = selector, watch, silent
        self._found = {name: {f"{proto}/{port}": SILENT for proto, port in ports} for name in peers}
        self._next = 0.0
        self._word = os.urandom(6).hex()
        self._connecting: dict[socket.socket, Key] = {}  # sockets, with whose port they are for
        self._datagrams: dict[socket.socket, tuple[Key, tuple[str, int]]] = {}
        for name, address in peers.items():
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            for proto, port in ports:
                if proto == "tcp":
                    self._connect(family, (address, port), (name, f"tcp/{port}"))
                else:
                    self._open(family, (address, port), (name, f"udp/{port}"))

    def run(self, seconds: float) -> dict[str, dict[str, str]]:
        deadline = time.monotonic() + seconds
        try:
            while (left := deadline - time.monotonic()) > 0 and not self._is_done():
                if time.monotonic() >= self._next:
                    self._next = time.monotonic() + AGAIN
                    self._send()
                for key, _ in self._selector.select(min(left, AGAIN)):
                    if key.data:
                        key.data()
        finally:
            for sock in [*self._connecting, *self._datagrams]:
                self._end(sock)
        return self._found

    def _is_done(self) -> bool:
        return self._watch.is_done and all(
            state != SILENT or port in self._quiet.get(name, ())
            for name, ports in self._found.items()
            for port, state in ports.items()
        )

    def _connect(self, family: int, address: tuple[str, int], key: Key) -> None:
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setblocking(False)
        with contextlib.suppress(OSError):
            sock.connect_ex(address)
        self._connecting[sock] = key
        self._selector.register(sock, selectors.EVENT_WRITE, lambda: self._connected(sock))

    def _connected(self, sock: socket.socket) -> None:
        name, port = self._connecting.pop(sock)
        error = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        self._found[name][port] = REFUSED if error else OPEN
        self._end(sock)

    def _open(self, family: int, address: tuple[str, int], key: Key) -> None:
        sock = socket.socket(family, socket.SOCK_DGRAM)
        sock.setblocking(False)
        self._datagrams[sock] = (key, address)
        self._selector.register(sock, selectors.EVENT_READ, lambda: self._answered(sock))

    def _send(self) -> None:
        for sock, ((name, port), address) in self._datagrams.items():
            if self._found[name][port] != OPEN and port not in self._quiet.get(name, ()):
                with contextlib.suppress(OSError):
                    sock.sendto(WORD + self._word.encode(), address)

    def _answered(self, sock: socket.socket) -> None:
        (name, port), _ = self._datagrams[sock]
        try:
            said = sock.recv(1 << 16)
        except OSError:
            return
        if said == WORD + self._word.encode():
            self._found[name][port] = OPEN

    def _end(self, sock: socket.socket) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(sock)
        sock.close()
