"""Writes pcapng: an interface for each tap, times in nanoseconds."""

from __future__ import annotations

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import BinaryIO

ETHERNET, RAW, USER = 1, 101, 147
_SECTION = struct.pack("<IIIHHqI", 0x0A0D0D0A, 28, 0x1A2B3C4D, 1, 0, -1, 28)
_NAME, _RESOLUTION = 2, 9


class Writer:
    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._numbers: dict[str, int] = {}
        out.write(_SECTION)

    def packet(self, tap: str, link_type: int, ts_ns: int, data: bytes, length: int) -> None:
        number = self._numbers.get(tap)
        if number is None:
            number = self._describe(tap, link_type)
        size = 32 + len(data) + -len(data) % 4
        head = struct.pack("<IIIIIII", 6, size, number, ts_ns >> 32, ts_ns & 0xFFFFFFFF, len(data), length)
        self._out.write(b"".join((head, data, bytes(-len(data) % 4), struct.pack("<I", size))))

    def _describe(self, tap: str, link_type: int) -> int:
        number = self._numbers[tap] = len(self._numbers)
        name = tap.encode()
        options = struct.pack("<HH", _NAME, len(name)) + name + bytes(-len(name) % 4)
        options += struct.pack("<HHB3xI", _RESOLUTION, 1, 9, 0)
        size = 20 + len(options)
        self._out.write(struct.pack("<IIHHI", 1, size, link_type, 0, 0) + options + struct.pack("<I", size))
        return number
