"""Echo requests to one address, and all that comes back for them (RFC 792, RFC 4443; icmp(7), ip(7), ipv6(7))."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import struct
import time
from typing import NamedTuple

from labreach.output import Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from labnode.types import Address, Note

# What Python's socket module has no name for: <linux/in.h>, <linux/in6.h>, <linux/errqueue.h>, socket(7).
IP_RECVERR, IP_RECVTTL = 11, 12
IPV6_RECVERR, IPV6_RECVHOPLIMIT = 25, 51
SO_TIMESTAMPNS = 35
_ERROR = struct.Struct("=IBBBBII")  # sock_extended_err: errno, origin, type, code, padding, info, data
_ICMP = (2, 3)  # origins: the error came as an ICMP, or ICMPv6, message
_HEAD = struct.Struct("!BBHHH")  # type, code, checksum, identifier, sequence number


class Heard(NamedTuple):
    """An echo reply (`kind` is None), or an ICMP error of a type and code; `kind` is -1 where the node's own kernel
    has something against it, and `code` is then an errno. Times in nanoseconds since the epoch."""

    seq: int
    source: str
    received: int
    kind: int | None = None
    code: int = 0
    ttl: int | None = None
    data: bytes = b""


class Echo:
    """A ping socket, whose identifier the kernel chooses and whose answers it sorts out."""

    def __init__(self, address: str, size: int) -> None:
        self.six = ":" in address
        family = socket.AF_INET6 if self.six else socket.AF_INET
        self.payload = bytes(index & 0xFF for index in range(size))
        try:
            self._target = socket.getaddrinfo(address, 0, family, socket.SOCK_DGRAM)[0][4]
            self._socket = socket.socket(family, socket.SOCK_DGRAM, 58 if self.six else socket.IPPROTO_ICMP)
        except PermissionError:
            why = "this engine gives a node's network no ping sockets (sysctl net.ipv4.ping_group_range)"
            raise Refused("ENOTSUP", why) from None
        except socket.gaierror:  # `fe80::1%eth7`: it has no such interface, or the address is none of a link alone
            raise Refused("EAI_NONAME", "that is no address on a network of its own") from None
        level, wanted = self._level((IP_RECVERR, IP_RECVTTL), (IPV6_RECVERR, IPV6_RECVHOPLIMIT))
        for option in wanted:
            self._socket.setsockopt(level, option, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        # A large message is one datagram in the buffers, fragments or not.
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.setblocking(False)
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)

    def __enter__(self) -> Echo:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def _level(self, four: tuple[int, ...], six: tuple[int, ...]) -> tuple[int, tuple[int, ...]]:
        """The level of the options of its family, and which they are."""
        return (socket.IPPROTO_IPV6, six) if self.six else (socket.IPPROTO_IP, four)

    def set_ttl(self, ttl: int) -> None:
        level, (option,) = self._level((socket.IP_TTL,), (socket.IPV6_UNICAST_HOPS,))
        self._socket.setsockopt(level, option, ttl)

    def send(self, seq: int) -> int:
        """Sends one request; the time just before. Raises OSError for what the node's own kernel says of this one."""
        message = _HEAD.pack(128 if self.six else 8, 0, 0, 0, seq) + self.payload
        with contextlib.suppress(OSError):
            now = time.time_ns()
            self._socket.sendto(message, self._target)
            return now
        # An error that waits, of an earlier request, is told of by the next call, and only once (ip(7), IP_RECVERR).
        now = time.time_ns()
        self._socket.sendto(message, self._target)
        return now

    def hear(self, seconds: float) -> list[Heard]:
        """What has come, after at most some seconds."""
        if not self._poll.poll(max(0.0, seconds) * 1000):
            return []
        return [*self._queue(socket.MSG_ERRQUEUE), *self._queue(0)]

    def _queue(self, flags: int) -> Iterator[Heard]:
        while True:
            try:
                data, extra, _, source = self._socket.recvmsg(1 << 16, 1024, flags)
            except BlockingIOError:
                return
            except OSError:
                continue  # an error that stands in the queue of errors as well
            found = self._error(data, extra) if flags else self._reply(data, extra, source)
            if found:
                yield found

    def _reply(self, data: bytes, extra: list[Note], source: Address) -> Heard | None:
        if len(data) < _HEAD.size or data[0] != (129 if self.six else 0):
            return None
        ttl = None
        for level, kind, value in extra:
            if (level, kind) in ((socket.IPPROTO_IP, socket.IP_TTL), (socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT)):
                (ttl,) = struct.unpack_from("=i", value)
        seq = _HEAD.unpack_from(data)[4]
        return Heard(seq, source[0], _stamp(extra), None, 0, ttl, data[_HEAD.size :])

    def _error(self, quoted: bytes, extra: list[Note]) -> Heard | None:
        """An error's data is the request that it is about, from its ICMP header on."""
        level, kinds = self._level((IP_RECVERR,), (IPV6_RECVERR,))
        for at, kind, value in extra:
            if at != level or kind not in kinds or len(quoted) < _HEAD.size or len(value) < _ERROR.size:
                continue
            number, origin, said, code, _, _, _ = _ERROR.unpack_from(value)
            source = _offender(value[_ERROR.size :])
            seq = _HEAD.unpack_from(quoted)[4]
            if origin in _ICMP:
                return Heard(seq, source, _stamp(extra), said, code)
            return Heard(seq, source, _stamp(extra), -1, number)
        return None


def _offender(raw: bytes) -> str:
    """The address in the sockaddr that follows an error: who says it."""
    family = struct.unpack_from("=H", raw)[0] if len(raw) >= 16 else 0
    if family == socket.AF_INET:
        return socket.inet_ntop(family, raw[4:8])
    if family == socket.AF_INET6 and len(raw) >= 24:
        return socket.inet_ntop(family, raw[8:24])
    return ""


def _stamp(extra: list[Note]) -> int:
    """When the kernel took the packet in."""
    for level, kind, value in extra:
        if (level, kind) == (socket.SOL_SOCKET, SO_TIMESTAMPNS):
            seconds, nanoseconds = struct.unpack_from("=qq", value)
            return int(seconds * 1_000_000_000 + nanoseconds)
    return time.time_ns()


def words(number: int | None) -> tuple[str, str]:
    """The name of an errno, and what it means."""
    return errno.errorcode.get(number or 0, str(number)), os.strerror(number or 0)
