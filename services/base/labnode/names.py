"""Names to addresses, without holding the loop up."""

import _thread
import errno
import os
import socket

from labnode.loop import READ, Loop


def resolve(loop: Loop, host: str, port: int, on_found) -> None:
    """Calls `on_found(addresses, problem)`: TCP addresses as getaddrinfo(3) gives them, or its error and none.

    getaddrinfo(3) blocks for as long as a name server keeps silent, which may be many seconds. It waits in a thread of
    its own, so that the node can still be typed at, and be stopped.
    """
    reader, writer = os.pipe()
    result: list = []

    def look_up():
        try:
            # As bytes: for a str, Python would load its tables of international names first.
            result.append((socket.getaddrinfo(host.encode(), port, type=socket.SOCK_STREAM), None))
        except OSError as problem:
            result.append(([], problem))
        finally:
            os.close(writer)

    def found(_ready):
        loop.watch(reader, 0)
        os.close(reader)
        on_found(*result[0])

    loop.watch(reader, READ, found)
    _thread.start_new_thread(look_up, ())


def error_name(problem: OSError) -> str:
    """The name of an errno (`ECONNREFUSED`), or of an error of getaddrinfo(3) (`EAI_NONAME`)."""
    if isinstance(problem, socket.gaierror):
        names = (name for name in dir(socket) if name.startswith("EAI_") and getattr(socket, name) == problem.errno)
        return next(names, "EAI_FAIL")
    return errno.errorcode.get(problem.errno, str(problem.errno))
