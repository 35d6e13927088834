"""What the two ends of a measurement have in common."""

from __future__ import annotations

import json
import socket
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from labnode.types import Fields

HEAD = struct.Struct("!8sQQ")  # of a datagram: the token, its number, when it was sent (ns); number 0 is sent back
BUFFER = 128 * 1024  # bytes handed to, or taken from, a connection at once; more leaves the processor's cache
ECHOES = 10
PATIENCE = 5.0  # seconds for an answer of the other end
WAIT = 0.1  # seconds until something else is looked at than a connection's bytes, or the room for them
UDP_SEGMENT, UDP_GRO = 103, 104  # <linux/udp.h>: datagrams of one size that are handed over, or taken, at once
_LINE = 4096


def tell(sock: socket.socket, **fields: object) -> None:
    sock.sendall(json.dumps(fields).encode() + b"\n")


def hear(sock: socket.socket) -> Fields:
    """One line. Raises OSError."""
    line = b""
    while not line.endswith(b"\n"):
        data = sock.recv(1)
        if not data or len(line) > _LINE:
            raise ConnectionError("the other end hung up")
        line += data
    said: Fields = json.loads(line)
    return said


def limit_waits(sock: socket.socket, option: int, seconds: float) -> None:
    """Makes `sock` block, and the kernel end each wait (`option`: SO_RCVTIMEO or SO_SNDTIMEO, socket(7)): Python's own
    timeout would cost a poll before each call. What takes longer raises BlockingIOError."""
    sock.settimeout(None)
    sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("@ll", int(seconds), int(seconds % 1 * 1e6)))
