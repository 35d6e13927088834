"""What annotations name. Only a type checker imports this: `typing` would cost the start of a node 10 ms."""

import socket
from collections.abc import Callable
from typing import Any, Protocol

from labnode.keyboard import Input

Fields = dict[str, Any]  # of an event, or of what is asked of a program: what JSON holds
Address = tuple[Any, ...]  # as the socket module gives them: (host, port), and two numbers more for IPv6
Resolved = tuple[socket.AddressFamily, socket.SocketKind, int, str, Address]  # as getaddrinfo(3) gives them
Note = tuple[int, int, bytes]  # beside the data of recvmsg(2): level, kind, data
Timer = list[Any]  # when, its place among those of the same moment, the callback or None
Done = Callable[[], object]
Ready = Callable[[int], object]  # is called with what a source is ready for: READ, WRITE or both
Typed = Callable[[Input], object]


class Source(Protocol):
    """What a loop can watch."""

    def fileno(self) -> int: ...
