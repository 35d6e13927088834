"""One datagram to anywhere, and what comes back for it (RFC 768)."""

from __future__ import annotations

import base64
import os
import socket
import time

from labreach.output import Refused, say
from labreach.targets import resolve

TYPE_CHECKING = False
if TYPE_CHECKING:
    from labnode.types import Fields

_LARGEST = 65535


def run(order: Fields) -> None:
    """`address`, or `name` with `family`; `port`, `data` (base64), `timeout` (seconds) for an answer."""
    address = order["address"] or resolve(order["name"], order["family"])
    data = base64.b64decode(order["data"])
    where = socket.getaddrinfo(address, order["port"], type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST)[0]
    with socket.socket(where[0], socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
        try:
            sock.connect(where[4])
            begun = time.monotonic_ns()
            sock.send(data)
        except OSError as problem:
            raise Refused(_name(problem), os.strerror(problem.errno or 0)) from None
        say("sent", local=sock.getsockname()[:2], peer=sock.getpeername()[:2], bytes=len(data))
        sock.settimeout(order["timeout"])
        try:
            came = sock.recv(_LARGEST)
        except TimeoutError:
            return
        except OSError as problem:  # an ICMP error, which the kernel tells a connected socket of
            say("error", error=_name(problem), reason=os.strerror(problem.errno or 0))
            return
        rtt = time.monotonic_ns() - begun
        say("answer", rtt_ns=rtt, data=base64.b64encode(came).decode(), bytes=len(came))


def _name(problem: OSError) -> str:
    import errno

    return errno.errorcode.get(problem.errno or 0, "EIO")
