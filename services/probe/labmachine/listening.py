"""Listens where a port is free: takes TCP connections, and sends datagrams back to where they came from."""

from __future__ import annotations

import contextlib
import errno
import selectors
import socket

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

WORD = b"labctl "  # what datagrams begin with that are answered


class Listeners:
    """`held` are the ports that somebody else has: the swarm, where the machine is in one."""

    def __init__(self, selector: selectors.BaseSelector, ports: Sequence[tuple[str, int]]) -> None:
        self.held = []
        for proto, port in ports:
            try:
                sock = listen(proto, port)
            except OSError as problem:
                if problem.errno != errno.EADDRINUSE:
                    raise
                self.held.append((proto, port))
                continue
            serve = taker(sock) if proto == "tcp" else echo(sock)
            selector.register(sock, selectors.EVENT_READ, serve)


def listen(proto: str, port: int) -> socket.socket:
    """For IPv6 as well, where the machine has it. Raises OSError."""
    kind = socket.SOCK_STREAM if proto == "tcp" else socket.SOCK_DGRAM
    family = socket.AF_INET6 if socket.has_dualstack_ipv6() else socket.AF_INET
    sock = socket.socket(family, kind)
    try:
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        if proto == "tcp":  # not for datagrams: two sockets could have one port then
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("", port))
        if proto == "tcp":
            sock.listen(64)
    except OSError:
        sock.close()
        raise
    sock.setblocking(False)
    return sock


def taker(sock: socket.socket) -> Callable[[], None]:
    def take() -> None:
        with contextlib.suppress(OSError):
            sock.accept()[0].close()

    return take


def echo(sock: socket.socket) -> Callable[[], None]:
    def answer() -> None:
        with contextlib.suppress(OSError):
            data, sender = sock.recvfrom(1 << 16)
            if data.startswith(WORD):
                sock.sendto(data, sender)

    return answer
