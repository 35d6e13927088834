"""Names to addresses, without holding the loop up."""

from __future__ import annotations

import _thread
import errno
import os
import socket

from labnode import journal
from labnode.loop import READ, Loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from labnode.types import Resolved


def split(text: str) -> tuple[str, int]:
    """The parts of `host:port` (IPv6: `[address]:port`, RFC 3986, section 3.2.2); ValueError where it is neither."""
    host, _, port = text.rpartition(":")
    bracketed = host[:1] == "[" and host[-1:] == "]"
    if bracketed:
        host = host[1:-1]
    digits = port.isascii() and port.isdigit() and len(port) <= 5
    if not host or (":" in host) != bracketed or not digits or not 1 <= int(port) <= 65535 or not host.isprintable():
        raise ValueError(f"{text[:80]!r} is not host:port (for IPv6: [address]:port)")
    return host, int(port)


def resolve(
    loop: Loop,
    host: str,
    port: int,
    on_found: Callable[[list[Resolved], OSError | None], object],
    kind: int = socket.SOCK_STREAM,
) -> None:
    """Calls `on_found(addresses, problem)`: addresses as getaddrinfo(3) gives them, or its error and none.

    getaddrinfo(3) blocks for as long as a name server keeps silent, which may be many seconds. It waits in a thread of
    its own, so that the node can still be typed at, and be stopped.
    """
    result: list[tuple[list[Resolved], OSError | None]] = []
    try:
        reader, writer = os.pipe()
    except OSError as problem:
        full = problem
        loop.later(0, lambda: on_found([], full))
        return

    def look_up() -> None:
        try:
            # As bytes: for a str, Python would load its tables of international names first.
            result.append(([*socket.getaddrinfo(host.encode(), port, type=kind)], None))
        except OSError as problem:
            result.append(([], problem))
        except ValueError:  # a NUL or a lone surrogate, which no name holds
            result.append(([], socket.gaierror(socket.EAI_NONAME, "Name or service not known")))
        finally:
            os.close(writer)

    def found(_ready: int) -> None:
        loop.watch(reader, 0)
        os.close(reader)
        on_found(*result[0])

    loop.watch(reader, READ, found)
    try:
        _thread.start_new_thread(look_up, ())
    except RuntimeError:  # no thread more is allowed
        result.append(([], OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))))
        os.close(writer)


def error_name(problem: OSError) -> str:
    """The name of an errno (`ECONNREFUSED`), or of an error of getaddrinfo(3) (`EAI_NONAME`)."""
    if isinstance(problem, socket.gaierror):
        names = (name for name in dir(socket) if name.startswith("EAI_") and getattr(socket, name) == problem.errno)
        return next(names, "EAI_FAIL")
    return journal.errno_name(problem.errno)
