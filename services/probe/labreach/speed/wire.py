"""What the two ends of a measurement have in common."""

import json
import socket
import struct

HEAD = struct.Struct("!8sQQ")  # of a datagram: the token, its number, when it was sent (ns); number 0 is sent back
BUFFER = 128 * 1024  # bytes handed to, or taken from, a connection at once; more leaves the processor's cache
ECHOES = 10
PATIENCE = 5.0  # seconds for an answer of the other end
_LINE = 4096


def tell(sock: socket.socket, **fields) -> None:
    sock.sendall(json.dumps(fields).encode() + b"\n")


def hear(sock: socket.socket) -> dict:
    """One line. Raises OSError."""
    line = b""
    while not line.endswith(b"\n"):
        data = sock.recv(1)
        if not data or len(line) > _LINE:
            raise ConnectionError("the other end hung up")
        line += data
    return json.loads(line)
