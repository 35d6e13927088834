"""The pcapng format (draft-ietf-opsawg-pcapng): sections of blocks, several interfaces, comments."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from labctl.packets.model import CaptureError, Interface, Record

MAGIC = b"\x0a\x0d\x0d\x0a"
BYTE_ORDER = 0x1A2B3C4D
SECTION, INTERFACE, OLD_PACKET, SIMPLE_PACKET, STATISTICS, PACKET = 0x0A0D0D0A, 1, 2, 3, 5, 6
COMMENT, IF_NAME, IF_TSRESOL, IF_TSOFFSET, ISB_IFDROP, ISB_OSDROP = 1, 2, 9, 14, 5, 7
LONGEST = 16 * 1024 * 1024  # bytes of one block; Wireshark's own limit


class Pcapng:
    """Takes a pcapng apart, one block at a time."""

    def __init__(self) -> None:
        self.drops: dict[str, int] = {}
        self._order = "<"
        self._interfaces: list[Interface] = []
        self._clocks: list[tuple[int, int, int]] = []  # of each interface: numerator, denominator, offset in ns
        self._limits: list[int] = []
        self._missed: dict[int, int] = {}  # by interface, as its last statistics have it
        self._records = 0
        self._wanted = 12

    def take(self, buffer: bytearray, start: int) -> tuple[int, Record | None]:
        """The next block's end, and its record if it is a packet's; the same `start` where bytes are wanting."""
        left = len(buffer) - start
        self._wanted = 12
        if left < 12:
            return start, None
        if buffer[start : start + 4] == MAGIC:
            self._begin(buffer, start)
        kind, length = struct.unpack_from(self._order + "II", buffer, start)
        if length < 12 or length % 4 or length > LONGEST:
            raise CaptureError(f"the capture is broken {self._where()}: a block of {length} bytes can't be")
        self._wanted = length
        if left < length:
            return start, None
        end = start + length
        (again,) = struct.unpack_from(self._order + "I", buffer, end - 4)
        if again != length:
            raise CaptureError(
                f"the capture is broken {self._where()}: a block says {length} bytes where it begins and {again} where "
                "it ends"
            )
        try:
            return end, self._block(kind, bytes(buffer[start + 8 : end - 4]))
        except struct.error:
            raise CaptureError(f"the capture is broken {self._where()}: a block is too short for its kind") from None

    def rest(self, left: int) -> str:
        if left:
            return f"the capture ends inside a block {self._where()}: {left} of {self._wanted} bytes are there"
        return ""

    def _where(self) -> str:
        return f"after packet {self._records}" if self._records else "before its first packet"

    def _begin(self, buffer: bytearray, start: int) -> None:
        (mark,) = struct.unpack_from("<I", buffer, start + 8)
        if mark != BYTE_ORDER and mark != int.from_bytes(BYTE_ORDER.to_bytes(4, "big"), "little"):
            raise CaptureError(f"the capture is broken {self._where()}: a section has no byte order")
        self._order = "<" if mark == BYTE_ORDER else ">"

    def _block(self, kind: int, body: bytes) -> Record | None:
        if kind == SECTION:
            major, minor = struct.unpack_from(self._order + "HH", body, 4)
            if major != 1:
                raise CaptureError(f"the capture is a pcapng of version {major}.{minor}, and only 1 can be read")
            self._interfaces, self._clocks, self._limits, self._missed = [], [], [], {}
        elif kind == INTERFACE:
            self._interface(body)
        elif kind == STATISTICS:
            self._statistics(body)
        elif kind == PACKET:
            return self._packet(body, *struct.unpack_from(self._order + "IIIII", body, 0))
        elif kind == OLD_PACKET:
            interface, _, high, low, captured, original = struct.unpack_from(self._order + "HHIIII", body, 0)
            return self._packet(body, interface, high, low, captured, original)
        elif kind == SIMPLE_PACKET:
            (original,) = struct.unpack_from(self._order + "I", body, 0)
            first = self._of(0)
            self._records += 1
            # This kind has no time, and its length is the interface's limit where the packet was longer.
            captured = min(original, self._limits[first] or original)
            return Record(0, body[4 : 4 + captured], original, self._interfaces[first], timed=False)
        return None

    def _interface(self, body: bytes) -> None:
        link_type, _, limit = struct.unpack_from(self._order + "HHI", body, 0)
        name, clock, offset = "", (1000, 1), 0
        for code, value in self._options(body, 8):
            if code == IF_NAME:
                name = _text(value)
            elif code == IF_TSRESOL and value:
                base, power = (2, value[0] & 0x7F) if value[0] & 0x80 else (10, value[0])
                clock = (1_000_000_000, base**power)
            elif code == IF_TSOFFSET and len(value) == 8:
                offset = int(struct.unpack(self._order + "q", value)[0]) * 1_000_000_000
        self._interfaces.append(Interface(len(self._interfaces), name, link_type, self._order))
        self._clocks.append((*clock, offset))
        self._limits.append(limit)

    def _statistics(self, body: bytes) -> None:
        index = self._of(struct.unpack_from(self._order + "I", body, 0)[0])
        # The two count one after the other what went missing: on the interface, and on the way up from it.
        missed = [
            int(struct.unpack(self._order + "Q", value)[0])
            for code, value in self._options(body, 12)
            if code in (ISB_IFDROP, ISB_OSDROP) and len(value) == 8
        ]
        if missed:
            name = self._interfaces[index].name
            # Each counts from the capture's beginning on.
            self.drops[name] = self.drops.get(name, 0) + sum(missed) - self._missed.get(index, 0)
            self._missed[index] = sum(missed)

    def _packet(self, body: bytes, number: int, high: int, low: int, captured: int, original: int) -> Record:
        index = self._of(number)
        if captured > len(body) - 20:
            raise CaptureError(
                f"the capture is broken {self._where()}: a packet of {captured} bytes in a block that holds "
                f"{len(body) - 20}"
            )
        numerator, denominator, offset = self._clocks[index]
        moment = ((high << 32) | low) * numerator // denominator + offset
        comments: tuple[str, ...] = ()
        if (options := 20 + captured + -captured % 4) < len(body):
            comments = tuple(_text(value) for code, value in self._options(body, options) if code == COMMENT)
        self._records += 1
        return Record(moment, body[20 : 20 + captured], original, self._interfaces[index], comments)

    def _of(self, index: int) -> int:
        if index >= len(self._interfaces):
            raise CaptureError(
                f"the capture is broken {self._where()}: it names interface {index}, and describes "
                f"{len(self._interfaces)} of them"
            )
        return index

    def _options(self, body: bytes, at: int) -> Iterator[tuple[int, bytes]]:
        while at + 4 <= len(body):
            code, length = struct.unpack_from(self._order + "HH", body, at)
            if code == 0:
                return
            yield code, body[at + 4 : at + 4 + length]
            at += 4 + length + -length % 4


def _text(value: bytes) -> str:
    """A string of an option: it need not end in a NUL, but some writers end it so."""
    return value.partition(b"\0")[0].decode("utf-8", "replace")
