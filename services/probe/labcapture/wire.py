"""Between the recorder and the program that tells of it: pieces and states over a unix(7) socket.

Each is a byte for its kind, four for its length, two times of eight, and the data. A state is JSON.
"""

from __future__ import annotations

import struct

from labcapture.store import Piece

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from labcapture.netlog import Logged

ADDRESS = "/dev/shm/capture"
STATE = "S"
_HEAD = struct.Struct("=cIqq")


def packed(piece: Piece) -> bytes:
    return _HEAD.pack(piece.source.encode(), len(piece.data), piece.first_ns, piece.last_ns) + piece.data


class Reader:
    """Bytes in, whole pieces out."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[Piece]:
        self._buffer += data
        at = 0
        while len(self._buffer) - at >= _HEAD.size:
            source, length, first, last = _HEAD.unpack_from(self._buffer, at)
            end = at + _HEAD.size + length
            if len(self._buffer) < end:
                break
            yield Piece(source.decode(), first, last, bytes(self._buffer[at + _HEAD.size : end]))
            at = end
        del self._buffer[:at]


_LOGGED = struct.Struct("=qII")


def logged(packets: list[Logged]) -> Piece:
    """A piece of what a NetLog gave."""
    data = b"".join(_LOGGED.pack(at, interface, len(packet)) + packet for at, interface, packet in packets)
    return Piece("N", packets[0][0], packets[-1][0], data)


def of_log(data: bytes) -> Iterator[Logged]:
    """Yields `(ts_ns, interface, bytes)` of such a piece."""
    at = 0
    while at < len(data):
        moment, interface, length = _LOGGED.unpack_from(data, at)
        at += _LOGGED.size
        yield moment, interface, data[at : at + length]
        at += length
