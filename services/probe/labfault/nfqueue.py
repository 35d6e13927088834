"""Packets from the kernel, and verdicts back: linux/netfilter/nfnetlink_queue.h, over netlink(7).

Written here, and not taken from a binding, for what the bindings leave out: many verdicts in one system call, and the
length of the queue.
"""

from __future__ import annotations

import errno
import socket
import struct
from collections.abc import Iterator, Sequence

import nfnetlink
from nfnetlink import ATTRIBUTE, attribute

_PACKET, _VERDICT, _CONFIG = 3 << 8, 3 << 8 | 1, 3 << 8 | 2
_BIND = 1
_CFG_CMD, _CFG_PARAMS, _CFG_MAXLEN = 1, 2, 3
_COPY_PACKET = 2
_PACKET_HDR, _PAYLOAD, _VERDICT_HDR = 1, 10, 2
DROP, ACCEPT = 0, 1
MAXLEN = 16384  # packets that wait for a verdict; those that are held back among them
BUFFER = 64 << 20  # bytes of packets that wait to be read
BATCH = 64  # packets that are read before anything else is done
_VERDICT_BODY = struct.Struct("=IHHIIBBHHH")


class Queue:
    """A queue of this network namespace: the first of some numbers that nobody else has. Raises OSError where the
    kernel has none, or all are taken."""

    def __init__(self, numbers: Sequence[int]) -> None:
        self._sock = nfnetlink.connect(BUFFER)
        self.number = self._bind(numbers)
        # Whole packets. Without the flag for it the kernel hands over no merged segments, and completes checksums.
        self._configure(_CFG_PARAMS, struct.pack("!IB", 0xFFFF, _COPY_PACKET))
        self._configure(_CFG_MAXLEN, struct.pack("!I", MAXLEN))
        self._sock.setblocking(False)
        self._buffer = bytearray(1 << 17)
        self._view = memoryview(self._buffer)
        self._verdicts = bytearray()

    def _bind(self, numbers: Sequence[int]) -> int:
        for number in numbers:
            self.number = number
            try:
                self._configure(_CFG_CMD, struct.pack("!BBH", _BIND, 0, socket.AF_INET))
            except OSError as problem:
                if problem.errno not in (errno.EPERM, errno.EBUSY):
                    raise
            else:
                return number
        self._sock.close()
        last = f"{numbers[0]} to {numbers[-1]}"
        raise OSError(errno.EBUSY, f"the queues {last} of NFQUEUE are all taken by other programs in this network")

    def fileno(self) -> int:
        return self._sock.fileno()

    def close(self) -> None:
        """From here on the packets pass: the table's rule says so (--queue-bypass)."""
        self._sock.close()

    def _configure(self, kind: int, value: bytes) -> None:
        nfnetlink.ask(self._sock, _CONFIG, self.number, attribute(kind, value))

    def read(self) -> Iterator[tuple[int, bytes]]:
        """Yields `(id, bytes)` of what waits, some BATCH of them at most."""
        for _ in range(BATCH):
            try:
                length = self._sock.recv_into(self._buffer)
            except BlockingIOError:
                return
            except OSError as problem:
                if problem.errno != 105:  # ENOBUFS: some were lost on the way here; the kernel counts them
                    raise
                continue
            found = self._parse(length)
            if found:
                yield found

    def _parse(self, length: int) -> tuple[int, bytes] | None:
        if struct.unpack_from("=H", self._buffer, 4)[0] != _PACKET:
            return None
        ident, data = None, b""
        for kind, begin, end in nfnetlink.attributes(self._buffer, 20, length):
            if kind == _PAYLOAD:
                data = bytes(self._view[begin:end])
            elif kind == _PACKET_HDR:
                ident = int.from_bytes(self._view[begin : begin + 4], "big")
        return None if ident is None else (ident, data)

    def decide(self, ident: int, verdict: int, data: bytes | None = None) -> None:
        """Sets a packet's verdict down; `flush` sends it. `data` replaces the packet."""
        size = 32 + (4 + len(data) if data is not None else 0)
        self._verdicts += _VERDICT_BODY.pack(size, _VERDICT, nfnetlink.REQUEST, 0, 0, 0, 0, 0, 12, _VERDICT_HDR)
        # The queue's number stands in the general header, the verdict and the id after it, all in network order.
        struct.pack_into("!H", self._verdicts, len(self._verdicts) - 6, self.number)
        self._verdicts += struct.pack("!II", verdict, ident)
        if data is not None:
            self._verdicts += ATTRIBUTE.pack(4 + len(data), _PAYLOAD) + data + b"\0" * (-len(data) % 4)
        if len(self._verdicts) > 1 << 15:
            self.flush()

    def flush(self) -> None:
        """Sends the verdicts: many in one message, since each takes a system call otherwise."""
        if self._verdicts:
            # A buffer of its own: the kernel takes all of it or, where a packet has gone meanwhile, goes on behind it.
            data, self._verdicts = self._verdicts, bytearray()
            self._sock.send(data)

    def lost(self) -> int:
        """How many packets found the queue full since it was bound (proc(5): /proc/net/netfilter/nfnetlink_queue)."""
        fields = self._fields()
        return fields[5] + fields[6] if fields else 0

    @property
    def is_ours(self) -> bool:
        """Whether the kernel still gives the queue's packets to this program."""
        fields = self._fields()
        return bool(fields) and fields[1] == self._sock.getsockname()[0]

    def _fields(self) -> list[int]:
        with open("/proc/self/net/netfilter/nfnetlink_queue") as file:
            for line in file:
                fields = line.split()
                if fields and int(fields[0]) == self.number:
                    return [int(field) for field in fields]
        return []
