"""Messages to the kernel's netfilter: linux/netfilter/nfnetlink.h, over netlink(7)."""

from __future__ import annotations

import os
import socket
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

NETFILTER = 12  # NETLINK_NETFILTER
REQUEST, ACK, ERROR, DONE = 0x1, 0x4, 2, 3
DUMP = 0x300
_FORCE_RECEIVE_BUFFER = 33  # SO_RCVBUFFORCE: whoever has NET_ADMIN may go over the limit
_NESTED = 0x8000
_HEAD = struct.Struct("=IHHII")
_GENERAL = struct.Struct("!BBH")
ATTRIBUTE = struct.Struct("=HH")


def connect(buffer: int = 0) -> socket.socket:
    """A socket to the netfilter of this network namespace; `buffer` in bytes, for what waits to be read."""
    sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETFILTER)
    sock.bind((0, 0))
    if buffer:
        sock.setsockopt(socket.SOL_SOCKET, _FORCE_RECEIVE_BUFFER, buffer)
    return sock


def attribute(kind: int, value: bytes) -> bytes:
    return ATTRIBUTE.pack(4 + len(value), kind) + value + b"\0" * (-len(value) % 4)


def nest(kind: int, value: bytes) -> bytes:
    return attribute(kind | _NESTED, value)


def message(kind: int, flags: int, resource: int, body: bytes = b"", family: int = 0) -> bytes:
    return _HEAD.pack(20 + len(body), kind, REQUEST | flags, 0, 0) + _GENERAL.pack(family, 0, resource) + body


def ask(sock: socket.socket, kind: int, resource: int, body: bytes, family: int = 0) -> None:
    """Sends one message and waits for its acknowledgement. Raises OSError as the kernel says."""
    send(sock, message(kind, ACK, resource, body, family))


def send(sock: socket.socket, data: bytes) -> None:
    """Sends messages of which one asks for an acknowledgement, and waits for it. Raises OSError as the kernel says."""
    sock.send(data)
    answer = sock.recv(4096)
    code = -struct.unpack_from("=i", answer, 16)[0] if struct.unpack_from("=IH", answer)[1] == ERROR else 0
    if code:
        raise OSError(code, os.strerror(code))


def dump(sock: socket.socket, kind: int, body: bytes, family: int) -> list[bytes]:
    """Everything of a kind: the messages' bodies, behind their general headers. Raises OSError as the kernel says."""
    sock.send(message(kind, DUMP, 0, body, family))
    found: list[bytes] = []
    while True:
        data, at = sock.recv(1 << 17), 0
        while at + 16 <= len(data):
            size, answer = struct.unpack_from("=IH", data, at)
            if answer == DONE:
                return found
            if answer == ERROR:
                code = -struct.unpack_from("=i", data, at + 16)[0]
                raise OSError(code, os.strerror(code))
            found.append(data[at + 20 : at + size])
            at += max(16, (size + 3) & ~3)


def attributes(data: bytes | bytearray, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Yields `(kind, begin, end)` of each attribute between two offsets."""
    while at + 4 <= end:
        size, kind = ATTRIBUTE.unpack_from(data, at)
        if size < 4:
            return
        yield kind & 0x3FFF, at + 4, min(at + size, end)
        at += (size + 3) & ~3
