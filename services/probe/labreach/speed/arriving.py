"""The end that gets, of datagrams: which came, how late, and which found no room."""

from __future__ import annotations

import contextlib
import functools
import select
import socket
import struct
import sys
import time

from labreach.speed.wire import HEAD, UDP_GRO, hear

TYPE_CHECKING = False
if TYPE_CHECKING:
    from labnode.types import Fields

QUIET = 0.5  # seconds without a datagram, after which the rest is lost
AT_MOST = 5.0  # seconds to wait for the rest
ROOM = 4 << 20  # bytes that may wait
SO_RCVBUFFORCE = 33  # socket(7): more than the machine allows to everybody, for who has NET_ADMIN
SO_RXQ_OVFL = 40  # socket(7): with each datagram, how many found the receive buffer full
SO_MEMINFO = 55  # <linux/sock_diag.h>: nine numbers, the last of which is that one
_MOST = 1 << 26  # datagrams that are told apart


def prepare(sock: socket.socket) -> None:
    """What a socket needs that datagrams are counted at."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, ROOM)
    except OSError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, ROOM)
    sock.setsockopt(socket.SOL_SOCKET, SO_RXQ_OVFL, 1)
    with contextlib.suppress(OSError):  # older than Linux 5.0: one by one
        sock.setsockopt(socket.IPPROTO_UDP, UDP_GRO, 1)


class Datagrams:
    def __init__(self, sock: socket.socket, control: socket.socket, token: bytes) -> None:
        self._sock, self._control, self._token = sock, control, token
        self._buffer = bytearray(65536)
        self._seen = bytearray()  # of each number, whether it came
        self._highest = self._received = self._again = self._late = self._bytes = self._timed = 0
        self._first = self._last = 0
        self._delay, self._jitter = 0, 0.0
        self._refused = self._full = 0
        self._together = 1  # datagrams that came at once, at most

    def count(self, deadline: float) -> Fields:
        """Raises TimeoutError where the sender has not said by then that it is done."""
        poll = select.poll()
        poll.register(self._sock, select.POLLIN)
        poll.register(self._control, select.POLLIN)
        sent = None
        until = 0.0  # once the sender is done
        while sent is None or (self._received < sent and time.monotonic() < until):
            ready = {fd for fd, _ in poll.poll(QUIET * 1000)}
            if self._sock.fileno() in ready:
                self._take()
            elif sent is not None:
                break
            if self._control.fileno() in ready and sent is None:
                sent = hear(self._control)["sent"]
                poll.unregister(self._control)
                until = time.monotonic() + AT_MOST
            elif sent is None and time.monotonic() > deadline:
                raise TimeoutError("the other end never said that it was done")
        self._miss(struct.unpack("=9I", self._sock.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 36))[8], sent + 1)
        counts = {"received": self._received, "duplicates": self._again, "reordered": self._late}
        counts |= {"overflowed": self._full, "bytes": self._bytes, "timed": self._timed, "ns": self._last - self._first}
        return {**counts, "jitter_ns": round(self._jitter)}

    def _take(self) -> None:
        for _ in range(64):
            try:
                length, notes, _, peer = self._sock.recvmsg_into([self._buffer], 64, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            now, size, refused = time.time_ns(), length, 0
            for level, kind, value in notes:
                if (level, kind) == (socket.IPPROTO_UDP, UDP_GRO):  # several of this size, and a last one
                    size = int.from_bytes(value, sys.byteorder)
                elif (level, kind) == (socket.SOL_SOCKET, SO_RXQ_OVFL):
                    refused = struct.unpack("=I", value)[0]
            if size < HEAD.size:
                continue
            count = -(-length // size)
            heads = _heads(size, count).unpack_from(self._buffer) if self._is_whole(length, size, count) else ()
            numbers, sent = heads[1::3], heads[2::3]
            if heads[0::3].count(self._token) != count or max(numbers) >= _MOST:
                continue
            if not numbers[0]:
                with contextlib.suppress(OSError):
                    self._sock.sendto(memoryview(self._buffer)[:size], peer)
                continue
            self._together = max(self._together, count)
            self._miss(refused, numbers[0])
            if numbers[0] > self._highest and numbers == tuple(range(numbers[0], numbers[0] + count)):
                self._add_next(numbers[0], count, length, now, now - sent[0])
            else:
                for place, number in enumerate(numbers):
                    self._add(number, min(size, length - place * size), now, now - sent[place])

    @staticmethod
    def _is_whole(length: int, size: int, count: int) -> bool:
        """Whether the last one has all of its head, too."""
        return length - (count - 1) * size >= HEAD.size

    def _miss(self, refused: int, number: int) -> None:
        """The kernel counts what it had no room for by what came at once; how much that was, the numbers tell."""
        gap = max(0, number - self._highest - 1)
        self._full += min(gap, (refused - self._refused) * self._together)
        self._refused = max(refused, self._refused)

    def _add(self, number: int, size: int, now: int, delay: int) -> None:
        if number < len(self._seen) and self._seen[number]:
            self._again += 1
            return
        self._late += number < self._highest
        self._add_next(number, 1, size, now, delay)

    def _add_next(self, number: int, count: int, length: int, now: int, delay: int) -> None:
        """These came for the first time, all at once."""
        if number + count > len(self._seen):
            self._seen.extend(bytes(number + count + 65536 - len(self._seen)))
        self._seen[number : number + count] = b"\1" * count
        self._highest = max(self._highest, number + count - 1)
        if self._first:
            self._jitter += (abs(delay - self._delay) - self._jitter) / 16  # RFC 3550, section 6.4.1
        self._jitter *= (15 / 16) ** (count - 1)  # the others were sent, and came, with the first of them
        self._delay = delay
        # What comes first begins the time, and was on its way before that.
        self._timed += length if self._received else 0
        self._first = self._first or now
        self._last = now
        self._bytes += length
        self._received += count


@functools.lru_cache
def _heads(size: int, count: int) -> struct.Struct:
    """All heads of so many datagrams of a size, behind each other."""
    one = HEAD.format.removeprefix("!")
    return struct.Struct("!" + f"{one}{size - HEAD.size}x" * (count - 1) + one)
