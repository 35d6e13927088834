"""The kernel's table of sockets by NETLINK_SOCK_DIAG (sock_diag(7)), and /proc/net/raw for what has no states.

A look at TCP costs the kernel a walk through the hash table of all namespaces, up to a few hundred microseconds.
"""

from __future__ import annotations

import socket
import struct
from typing import NamedTuple

NETLINK_SOCK_DIAG = 4
SOCK_DIAG_BY_FAMILY = 20
NLM_F_REQUEST, NLM_F_DUMP = 0x1, 0x300
NLMSG_ERROR, NLMSG_DONE = 2, 3
DESTROY_GROUPS = 0b1111  # SKNLGRP_INET_TCP_DESTROY, INET_UDP, INET6_TCP, INET6_UDP
INET_DIAG_PROTOCOL = 10
NUMBERS = {"tcp": socket.IPPROTO_TCP, "udp": socket.IPPROTO_UDP}
NAMES = {number: name for name, number in NUMBERS.items()}
STATES = 0x1FFF  # 1 to 12; above stand sockets that are bound and nothing else
# include/net/tcp_states.h, in the words of ss(8)
TCP = (
    *("", "ESTAB", "SYN-SENT", "SYN-RECV", "FIN-WAIT-1", "FIN-WAIT-2", "TIME-WAIT", "CLOSED", "CLOSE-WAIT", "LAST-ACK"),
    *("LISTEN", "CLOSING", "SYN-RECV"),
)
UDP = {1: "ESTAB", 7: "UNCONN"}
# idiag_family, state, timer, retrans; ports; addresses; interface, cookie; expires, rqueue, wqueue, uid, inode
_MESSAGE = struct.Struct("=BBBB2s2s16s16sIQIIIII")
_HEADER = struct.Struct("=IHHII")


class Row(NamedTuple):
    """One socket. `receive` and `send` are its queues in bytes; of a listening one the connections that wait for
    accept(2), and how many may. `peer` is None where there is none, `inode` 0 where no program holds it."""

    proto: str
    state: str
    local: tuple[str, int]
    peer: tuple[str, int] | None
    receive: int
    send: int
    uid: int
    inode: int
    cookie: int


def _request(family: int, number: int) -> bytes:
    body = struct.pack("=BBBBI", family, number, 0, 0, STATES) + bytes(48)
    return _HEADER.pack(16 + len(body), SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, 1, 0) + body


_REQUESTS = {
    proto: [_request(family, number) for family in (socket.AF_INET, socket.AF_INET6)]
    for proto, number in NUMBERS.items()
}


def _row(proto: str, data: bytes, offset: int) -> Row:
    family, state, _, _, sport, dport, src, dst, _, cookie, _, receive, send, uid, inode = _MESSAGE.unpack_from(
        data, offset
    )
    size = 4 if family == socket.AF_INET else 16
    local = _address(family, src[:size], sport)
    peer = _address(family, dst[:size], dport) if dport != b"\0\0" else None
    name = TCP[state] if proto == "tcp" else UDP.get(state, str(state))
    return Row(proto, name, local, peer, receive, send, uid, inode, cookie)


def _address(family: int, address: bytes, port: bytes) -> tuple[str, int]:
    return socket.inet_ntop(family, address), int.from_bytes(port, "big")


class Diag:
    """Asks for the table. Raises OSError: ENOENT where this kernel has no sock_diag for a protocol."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG)
        self._socket.bind((0, 0))
        self._socket.settimeout(5)
        self._known: dict[str, dict[bytes, Row]] = {}  # by protocol: the rows of the last look

    def look(self, proto: str) -> list[Row]:
        """All sockets of `tcp` or `udp`, of both families."""
        found: list[Row] = []
        known = self._known.get(proto, {})
        fresh: dict[bytes, Row] = {}
        self._known[proto] = fresh
        for request in _REQUESTS[proto]:
            self._socket.send(request)
            while not self._take(proto, known, fresh, found):
                pass
        return found

    def _take(self, proto: str, known: dict[bytes, Row], fresh: dict[bytes, Row], found: list[Row]) -> bool:
        """Reads once; whether that was the last of it."""
        data, offset = self._socket.recv(1 << 17), 0
        while offset < len(data):
            length, kind = struct.unpack_from("=IH", data, offset)
            if kind == NLMSG_DONE:
                return True
            if kind == NLMSG_ERROR:
                number = -struct.unpack_from("=i", data, offset + 16)[0]
                raise OSError(number, f"sock_diag does not know {proto}")
            # Nearly all are as they were at the last look; then they are not taken apart again.
            same = data[offset + 16 : offset + 16 + _MESSAGE.size]
            row = known.get(same) or _row(proto, data, offset + 16)
            fresh[same] = row
            found.append(row)
            offset += (length + 3) & ~3
        return False


class Destroyed:
    """Hears of each socket that the kernel gives up, so that no end is missed between two looks; else `lost` counts."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.bind((0, DESTROY_GROUPS))
        self._socket.setblocking(False)
        self.lost = 0  # how many times the kernel had more to say than there was room

    def fileno(self) -> int:
        return self._socket.fileno()

    def read(self) -> list[Row]:
        found: list[Row] = []
        while True:
            try:
                data = self._socket.recv(1 << 16)
            except BlockingIOError:
                return found
            except OSError:  # ENOBUFS, netlink(7)
                self.lost += 1
                continue
            length, kind = struct.unpack_from("=IH", data)
            if kind == SOCK_DIAG_BY_FAMILY and (number := _protocol(data, length)) in NAMES:
                found.append(_row(NAMES[number], data, 16))


def _protocol(data: bytes, length: int) -> int | None:
    offset = 16 + _MESSAGE.size
    while offset + 4 <= length:
        size, kind = struct.unpack_from("=HH", data, offset)
        if kind == INET_DIAG_PROTOCOL:
            return data[offset + 4]
        offset += max(4, (size + 3) & ~3)
    return None


def raw() -> list[Row]:
    """Raw sockets (raw(7)), as /proc/net/raw shows them; `proto` is the protocol's number, 1 `icmp`."""
    found = []
    for family, name in ((socket.AF_INET, "raw"), (socket.AF_INET6, "raw6")):
        try:
            with open(f"/proc/self/net/{name}") as table:
                lines = table.read().splitlines()[1:]
        except FileNotFoundError:
            continue  # a kernel without IPv6
        found += [_raw_row(family, line.split()) for line in lines]
    return found


def _raw_row(family: int, words: list[str]) -> Row:
    """Where a port would stand, the kernel tells the protocol."""
    address, _, number = words[1].partition(":")
    packed = b"".join(struct.pack("=I", int(address[at : at + 8], 16)) for at in range(0, len(address), 8))
    send, receive = (int(part, 16) for part in words[4].split(":"))
    proto = "icmp" if int(number, 16) == socket.IPPROTO_ICMP else str(int(number, 16))
    return Row(
        proto, "UNCONN", (socket.inet_ntop(family, packed), 0), None, receive, send, int(words[7]), int(words[9]), 0
    )
