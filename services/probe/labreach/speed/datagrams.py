"""The end that sends, of datagrams: as fast as it may, many in one system call where the kernel has that."""

from __future__ import annotations

import contextlib
import errno
import socket
import time

from labreach.output import say
from labreach.speed.wire import ECHOES, HEAD, PATIENCE, UDP_SEGMENT, WAIT, hear, limit_waits, tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from labnode.types import Fields

TURN = 0.002  # seconds from one turn of a paced sender to the next
ONE_ECHO = 0.5  # seconds
AT_ONCE = 64  # datagrams that every kernel takes in one call (UDP_MAX_SEGMENTS), as long as they are
MOST_AT_ONCE = 65_000  # bytes
_NOT_SO = (errno.EINVAL, errno.EIO, errno.EMSGSIZE, errno.EOPNOTSUPP)  # longer than the way's MTU, or no checksums


def send(order: Fields, control: socket.socket) -> None:
    token, size = bytes.fromhex(order["token"]), max(order["size"], HEAD.size)
    family, _, _, _, where = socket.getaddrinfo(order["address"], order["datagrams"], type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, socket.SOCK_DGRAM) as sock:
        sock.connect(where)
        say("echoes", rtts_ns=[rtt for _ in range(ECHOES) if (rtt := _echo(sock, token, bytes(size - HEAD.size)))])
        begun = time.monotonic()
        sent = _send_all(_Burst(sock, token, size), order)
        seconds = time.monotonic() - begun
        control.settimeout(order["seconds"] * 2 + PATIENCE * 4)
        tell(control, sent=sent)
        say("measured", sent=sent, size=size, seconds=round(seconds, 6), **hear(control))


def _echo(sock: socket.socket, token: bytes, filler: bytes) -> int:
    begun = time.time_ns()
    with contextlib.suppress(OSError):
        sock.settimeout(ONE_ECHO)
        sock.send(HEAD.pack(token, 0, begun) + filler)
        while True:
            data = sock.recv(65536)
            if len(data) >= HEAD.size and HEAD.unpack_from(data) == (token, 0, begun):
                return time.time_ns() - begun
    return 0


class _Burst:
    """Sends datagrams of one size: the kernel cuts what it is handed at once into them (udp(7), UDP_SEGMENT)."""

    def __init__(self, sock: socket.socket, token: bytes, size: int) -> None:
        self._sock, self._token, self.size = sock, token, size
        self.at_once = max(1, min(AT_ONCE, MOST_AT_ONCE // size))
        self._cut_at(size if self.at_once > 1 else 0)
        self._data = memoryview(bytearray(size * self.at_once))
        sock.settimeout(None)  # a limit of Python's own asks the kernel twice each time
        limit_waits(sock, socket.SO_SNDTIMEO, WAIT)

    def _cut_at(self, size: int) -> None:
        try:
            self._sock.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, size)
        except OSError:  # older than Linux 4.18
            self.at_once = 1

    def send(self, number: int, count: int) -> int:
        """The next ones, from this number on; how many that were, `at_once` at most. What finds a queue full, or an
        ICMP error of an earlier one, counts as lost."""
        count = min(count, self.at_once)
        now, token, size, data = time.time_ns(), self._token, self.size, self._data
        for place in range(count):
            HEAD.pack_into(data, place * size, token, number + place, now)
        try:
            self._sock.send(data[: count * size])
        except OSError as problem:
            if count > 1 and problem.errno in _NOT_SO:
                self._cut_at(0)
                self.at_once = 1
                return 0
        return count


def _send_all(burst: _Burst, order: Fields) -> int:
    """How many were sent. Each is due at its time after the first, so that a late one makes no other late."""
    begun, sent = time.monotonic(), 0
    a_second = order["rate"] / 8 / burst.size
    most = max(1, order["most"] // burst.size) if order["most"] else None
    while (passed := time.monotonic() - begun) < order["seconds"] and sent != most:
        due = int(passed * a_second) + 1 if a_second else sent + burst.at_once
        if most:
            due = min(due, most)
        while sent < due:
            sent += burst.send(sent + 1, due - sent)
        if a_second:
            time.sleep(max(0.0, min(TURN, (sent / a_second) - (time.monotonic() - begun))))
    return sent
