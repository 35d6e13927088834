"""Packets of all interfaces from the kernel: packet(7) with a ring that both sides map (TPACKET_V3).

The kernel fills blocks of memory, each with the times and the interface of its packets, and hands a block over when it
is full or RETIRE has passed: a busy node is woken some hundred times a second, and not for each packet.
"""

from __future__ import annotations

import ctypes
import mmap
import socket
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK = 1 << 18  # bytes
RETIRE = 10  # milliseconds
_ALL = 0x0003  # ETH_P_ALL
_PACKET = 263  # SOL_PACKET
_RX_RING, _STATISTICS, _VERSION = 5, 6, 10
_V3 = 2
_ATTACH_FILTER = 26
_USER = 1  # TP_STATUS_USER: the block is ours
_STATUS, _COUNT, _FIRST, _LENGTH, _BEGAN, _ENDED = 8, 12, 16, 20, 32, 40  # offsets in a block's head
# tpacket3_hdr as far as it is needed: next, seconds, nanoseconds, captured length, length, status, link layer's offset.
_PACKET_HEAD = struct.Struct("=IIIIIIH")
_LINK = struct.Struct("=2xHiHB")  # sockaddr_ll without its first field: protocol, interface, hardware, direction
_LINK_AT = 48  # where it stands behind a packet's head
OUTGOING, ELSEWHERE = 4, 3  # PACKET_OUTGOING, PACKET_OTHERHOST

# Classic BPF (linux/filter.h): offsets of what isn't in the packet itself.
_EXTRA = 0xFFFFF000
_DIRECTION, _INTERFACE, _MARK = _EXTRA + 4, _EXTRA + 8, _EXTRA + 20
_LOAD, _AND, _IS, _RETURN = 0x20, 0x54, 0x15, 0x06
_ALL_BYTES = 0x40000

Step = tuple[int, int, int, int]  # of a filter: what to do, whither if so and if not, with which number


class Ring:
    """A ring of this network namespace. Without `marked`: what comes in, and what leaves with none of the bits of
    `marks`. With it: what leaves with one of them. Raises OSError."""

    def __init__(self, marks: int, *, marked: bool, blocks: int) -> None:
        self._sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL))
        self._sock.setblocking(False)
        self._filter(_marked(marks) if marked else _unmarked(marks))
        self._sock.setsockopt(_PACKET, _VERSION, _V3)
        # What came before the filter was there is in no block: with the ring the kernel begins anew.
        request = struct.pack("=7I", BLOCK, blocks, 2048, BLOCK // 2048 * blocks, RETIRE, 0, 0)
        self._sock.setsockopt(_PACKET, _RX_RING, request)
        self._memory = mmap.mmap(self._sock.fileno(), BLOCK * blocks, mmap.MAP_SHARED)
        self._blocks, self._next = blocks, 0
        self.dropped = 0

    def fileno(self) -> int:
        return self._sock.fileno()

    def _filter(self, program: list[Step]) -> None:
        code = b"".join(struct.pack("=HBBI", *step) for step in program)
        held = ctypes.create_string_buffer(code)
        fields = struct.pack("@HP", len(program), ctypes.addressof(held))
        self._sock.setsockopt(socket.SOL_SOCKET, _ATTACH_FILTER, fields)

    def read(self) -> Iterator[tuple[int, int, int, bytes]]:
        """Yields `(first_ns, last_ns, count, bytes)` of each block that the kernel has handed over."""
        for _ in range(self._blocks):
            at = self._next * BLOCK
            if not struct.unpack_from("=I", self._memory, at + _STATUS)[0] & _USER:
                return
            count, _, length = struct.unpack_from("=III", self._memory, at + _COUNT)
            first, last = (_nanoseconds(self._memory, at + place) for place in (_BEGAN, _ENDED))
            data = self._memory[at : at + length]
            struct.pack_into("=I", self._memory, at + _STATUS, 0)
            self._next = (self._next + 1) % self._blocks
            if count:
                yield first, last, count, data

    def drops(self) -> int:
        """How many packets found the ring full since it was made."""
        _, dropped, _ = struct.unpack("=III", self._sock.getsockopt(_PACKET, _STATISTICS, 12))
        self.dropped += dropped  # the kernel forgets what it has told
        return self.dropped

    def close(self) -> None:
        self._memory.close()
        self._sock.close()


def _nanoseconds(memory: mmap.mmap, at: int) -> int:
    seconds, rest = struct.unpack_from("=II", memory, at)
    return int(seconds * 1_000_000_000 + rest)


def packets(block: bytes) -> Iterator[tuple[int, int, bool, int, bytes]]:
    """Yields `(ts_ns, interface, is_outgoing, length, bytes)` of each packet of a block; length is the whole one's."""
    count, at = struct.unpack_from("=II", block, _COUNT)
    for _ in range(count):
        after, seconds, rest, captured, length, _, link = _PACKET_HEAD.unpack_from(block, at)
        _, interface, _, direction = _LINK.unpack_from(block, at + _LINK_AT)
        begin = at + link
        yield seconds * 1_000_000_000 + rest, interface, direction == OUTGOING, length, block[begin : begin + captured]
        at += after


def _unmarked(marks: int) -> list[Step]:
    return [
        (_LOAD, 0, 0, _INTERFACE),
        (_IS, 7, 0, 1),  # loopback, which is the first interface of every namespace
        (_LOAD, 0, 0, _DIRECTION),
        (_IS, 5, 0, ELSEWHERE),  # a bridge that has not learned an address yet shows its packets to everybody
        (_IS, 0, 3, OUTGOING),
        (_LOAD, 0, 0, _MARK),
        (_AND, 0, 0, marks),
        (_IS, 0, 1, 0),
        (_RETURN, 0, 0, _ALL_BYTES),
        (_RETURN, 0, 0, 0),
    ]


def _marked(marks: int) -> list[Step]:
    return [
        (_LOAD, 0, 0, _INTERFACE),
        (_IS, 6, 0, 1),
        (_LOAD, 0, 0, _DIRECTION),
        (_IS, 0, 4, OUTGOING),
        (_LOAD, 0, 0, _MARK),
        (_AND, 0, 0, marks),
        (_IS, 1, 0, 0),
        (_RETURN, 0, 0, _ALL_BYTES),
        (_RETURN, 0, 0, 0),
    ]
