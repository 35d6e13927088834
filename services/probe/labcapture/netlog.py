"""Packets that a rule of nftables gives out by `log group`: linux/netfilter/nfnetlink_log.h.

They come before any fault has seen them. The kernel puts no time on packets that leave: it is taken when they are
read, some microseconds later.
"""

from __future__ import annotations

import struct
import time

import nfnetlink
from nfnetlink import attribute

BUFFER = 32 << 20  # bytes of packets that wait to be read
BATCH = 256
_PACKET, _CONFIG = 4 << 8, 4 << 8 | 1
_CFG_CMD, _CFG_MODE, _CFG_BUFFER, _CFG_FLAGS = 1, 2, 3, 6
_BIND, _COPY_PACKET, _NUMBERED = 1, 2, 1
_OUTDEV, _PAYLOAD, _NUMBER = 5, 9, 12

Logged = tuple[int, int, bytes]  # when (ns since the epoch), the interface, the packet


class NetLog:
    """A group of this network namespace. Raises OSError where the kernel has none, or it is taken."""

    def __init__(self, group: int) -> None:
        self._sock = nfnetlink.connect(BUFFER)
        nfnetlink.ask(self._sock, _CONFIG, group, attribute(_CFG_CMD, bytes([_BIND])))
        nfnetlink.ask(self._sock, _CONFIG, group, attribute(_CFG_MODE, struct.pack("!IBx", 0xFFFF, _COPY_PACKET)))
        nfnetlink.ask(self._sock, _CONFIG, group, attribute(_CFG_BUFFER, struct.pack("!I", 1 << 17)))
        # With numbers it can be told how many were lost on the way here.
        nfnetlink.ask(self._sock, _CONFIG, group, attribute(_CFG_FLAGS, struct.pack("!H", _NUMBERED)))
        self._sock.setblocking(False)
        self._buffer = bytearray(1 << 18)
        self._expected: int | None = None
        self.dropped = 0

    def fileno(self) -> int:
        return self._sock.fileno()

    def read(self) -> list[Logged]:
        """`(ts_ns, interface, bytes)` of what waits, some BATCH at most."""
        found: list[Logged] = []
        for _ in range(BATCH):
            try:
                length = self._sock.recv_into(self._buffer)
            except BlockingIOError:
                break
            except OSError as problem:
                if problem.errno != 105:  # ENOBUFS: some were lost, and the numbers tell how many
                    raise
                continue
            self._take(length, found)
        return found

    def _take(self, length: int, found: list[Logged]) -> None:
        at = 0
        while at + 16 <= length:
            size, kind = struct.unpack_from("=IH", self._buffer, at)
            if size < 16 or at + size > length:
                return
            if kind == _PACKET:
                self._packet(at, at + size, found)
            at += (size + 3) & ~3

    def _packet(self, at: int, end: int, found: list[Logged]) -> None:
        interface, data = 0, None
        for kind, begin, after in nfnetlink.attributes(self._buffer, at + 20, end):
            if kind == _PAYLOAD:
                data = bytes(self._buffer[begin:after])
            elif kind == _OUTDEV:
                interface = int.from_bytes(self._buffer[begin:after], "big")
            elif kind == _NUMBER:
                number = int.from_bytes(self._buffer[begin:after], "big")
                if self._expected is not None:
                    self.dropped += (number - self._expected) & 0xFFFFFFFF
                self._expected = (number + 1) & 0xFFFFFFFF
        if data is not None:
            found.append((time.time_ns(), interface, data))

    def close(self) -> None:
        self._sock.close()
