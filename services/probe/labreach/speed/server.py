"""The end that gets: counts what arrives, and when."""

from __future__ import annotations

import contextlib
import select
import socket
import struct
import time

from labreach.output import say
from labreach.speed.wire import BUFFER, ECHOES, HEAD, PATIENCE, WAIT, hear, limit_waits, tell

TYPE_CHECKING = False
if TYPE_CHECKING:
    from labnode.types import Fields

QUIET = 0.5  # seconds without a datagram, after which the rest is lost
AT_MOST = 5.0  # seconds to wait for the rest
SO_RXQ_OVFL = 40  # socket(7): with each datagram, how many found the receive buffer full
_MOST = 1 << 26  # datagrams that are told apart


def serve(order: Fields) -> None:
    """`address` to listen at, `token` (hex), `limit`: seconds until it gives up."""
    deadline = time.monotonic() + order["limit"]
    family = socket.AF_INET6 if ":" in order["address"] else socket.AF_INET
    where = socket.getaddrinfo(order["address"], 0, family, flags=socket.AI_NUMERICHOST)[0][4]
    with socket.socket(family, socket.SOCK_STREAM) as listener, socket.socket(family, socket.SOCK_DGRAM) as datagrams:
        listener.bind(where)
        listener.listen(8)
        datagrams.bind(where)
        datagrams.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 << 20)
        datagrams.setsockopt(socket.SOL_SOCKET, SO_RXQ_OVFL, 1)
        say("listening", port=listener.getsockname()[1], datagrams=datagrams.getsockname()[1])
        control, wanted = _accepted(listener, order["token"], deadline)
        with control:
            control.settimeout(max(1.0, deadline - time.monotonic()))
            if wanted["protocol"] == "udp":
                tell(control, **_Datagrams(datagrams, control, bytes.fromhex(order["token"])).count(deadline))
            else:
                for _ in range(ECHOES):
                    control.sendall(control.recv(1))
                tell(control, **_stream(_accepted(listener, order["token"], deadline)[0], control))


def _accepted(listener: socket.socket, token: str, deadline: float) -> tuple[socket.socket, Fields]:
    """The next connection of who knows the token. Raises TimeoutError."""
    while True:
        listener.settimeout(max(0.01, deadline - time.monotonic()))
        sock, _ = listener.accept()
        sock.settimeout(PATIENCE)
        with contextlib.suppress(OSError, ValueError):
            said = hear(sock)
            if said.get("token") == token:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return sock, said
        sock.close()


def _stream(data: socket.socket, control: socket.socket) -> Fields:
    """Until its end, or until the other end says over `control` that this is it.

    While bytes come, nothing else is looked at: each system call more is throughput less. Their content is nobody's
    interest, so the kernel drops it instead of copying it to here (MSG_TRUNC, tcp(7)): what is measured is the way.
    """
    buffer, count, begun, first, last, told = bytearray(BUFFER), 0, 0, 0, 0, False
    quiet = 0.0
    limit_waits(data, socket.SO_RCVTIMEO, WAIT)
    with data:
        while quiet < PATIENCE:
            try:
                got = data.recv_into(buffer, 0, socket.MSG_TRUNC)
            except BlockingIOError:
                quiet += WAIT
                if not told and select.select([control], [], [], 0)[0]:
                    told = True
                    if hear(control)["stop"]:
                        break
                continue
            except OSError:  # cut off, as agreed
                break
            if not got:
                break
            quiet, last = 0.0, time.monotonic_ns()
            # What comes first begins the time, and was on its way before that.
            first, begun = (first, begun) if first else (last, got)
            count += got
    if not told:
        hear(control)
    return {"bytes": count, "timed": count - begun, "ns": last - first}


class _Datagrams:
    def __init__(self, sock: socket.socket, control: socket.socket, token: bytes) -> None:
        self._sock, self._control, self._token = sock, control, token
        self._buffer = bytearray(65536)
        self._seen = bytearray()
        self._highest = self._received = self._again = self._late = self._bytes = self._timed = self._full = 0
        self._first = self._last = 0
        self._delay, self._jitter = 0, 0.0

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
        counts = {"received": self._received, "duplicates": self._again, "reordered": self._late}
        counts |= {"overflowed": self._full, "bytes": self._bytes, "timed": self._timed, "ns": self._last - self._first}
        return {**counts, "jitter_ns": round(self._jitter)}

    def _take(self) -> None:
        for _ in range(64):
            try:
                size, notes, _, peer = self._sock.recvmsg_into([self._buffer], 64, socket.MSG_DONTWAIT)
            except BlockingIOError:
                return
            now = time.time_ns()
            if size < HEAD.size:
                continue
            token, number, sent = HEAD.unpack_from(self._buffer)
            if token != self._token or number >= _MOST:
                continue
            for level, kind, value in notes:
                if (level, kind) == (socket.SOL_SOCKET, SO_RXQ_OVFL):
                    self._full = struct.unpack("=I", value)[0]
            if not number:
                with contextlib.suppress(OSError):
                    self._sock.sendto(memoryview(self._buffer)[:size], peer)
                continue
            self._add(number, size, now, now - sent)

    def _add(self, number: int, size: int, now: int, delay: int) -> None:
        place, bit = number >> 3, 1 << (number & 7)
        if place >= len(self._seen):
            self._seen.extend(bytes(place + 4096 - len(self._seen)))
        if self._seen[place] & bit:
            self._again += 1
            return
        self._seen[place] |= bit
        self._late += number < self._highest
        self._highest = max(self._highest, number)
        if self._first:
            self._jitter += (abs(delay - self._delay) - self._jitter) / 16  # RFC 3550, section 6.4.1
        self._delay = delay
        self._first = self._first or now
        self._last = now
        self._timed += size if self._received else 0
        self._bytes += size
        self._received += 1
