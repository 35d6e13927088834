"""Writing pcapng: one interface for each node, times in nanoseconds, a comment where there is something to say."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from typing import IO

from labctl.packets.files.pcapng import (
    BYTE_ORDER,
    COMMENT,
    IF_NAME,
    IF_TSRESOL,
    INTERFACE,
    ISB_OSDROP,
    PACKET,
    SECTION,
    STATISTICS,
)

_IF_DESCRIPTION, _SHB_APPLICATION = 3, 4
_NANOSECONDS = b"\x09"  # 10 ** -9
_MOST = 65_535  # bytes of one option


class Writer:
    """Writes a capture block by block, each whole at once, so that a reader on a pipe keeps up.

    Interfaces may be added at any time. Nothing is flushed: that is for the owner of the file to do.
    """

    def __init__(self, out: IO[bytes], *, application: str = "labctl") -> None:
        self._out = out
        self._interfaces: dict[tuple[str, int], int] = {}
        head = struct.pack("<IHHq", BYTE_ORDER, 1, 0, -1)
        self._block(SECTION, head + _options([(_SHB_APPLICATION, application.encode())]))

    def interface(self, name: str, link_type: int, *, description: str = "") -> int:
        """The number of the interface of that name and link type, which is described first if it is new."""
        key = (name, link_type)
        if key not in self._interfaces:
            self._interfaces[key] = len(self._interfaces)
            options = [(IF_NAME, _utf8(name)), (IF_TSRESOL, _NANOSECONDS)]
            if description:
                options.insert(1, (_IF_DESCRIPTION, _utf8(description)))
            self._block(INTERFACE, struct.pack("<HHI", link_type, 0, 0) + _options(options))
        return self._interfaces[key]

    def packet(
        self, interface: int, ts_ns: int, data: bytes, *, original_length: int = 0, comments: Sequence[str] = ()
    ) -> None:
        """One packet: `ts_ns` since the epoch, `original_length` 0 for all of `data`."""
        head = struct.pack(
            "<IIIII", interface, ts_ns >> 32, ts_ns & 0xFFFFFFFF, len(data), max(original_length, len(data))
        )
        options = _options([(COMMENT, _utf8(comment)) for comment in comments])
        self._block(PACKET, head + data + bytes(-len(data) % 4) + options)

    def drops(self, interface: int, ts_ns: int, count: int) -> None:
        """Say at the end how many packets the kernel could not hand over on an interface."""
        head = struct.pack("<III", interface, ts_ns >> 32, ts_ns & 0xFFFFFFFF)
        self._block(STATISTICS, head + _options([(ISB_OSDROP, struct.pack("<Q", count))]))

    def _block(self, kind: int, body: bytes) -> None:
        length = struct.pack("<I", len(body) + 12)
        self._out.write(struct.pack("<I", kind) + length + body + length)


def _utf8(text: str) -> bytes:
    """Half a pair of UTF-16, which JSON can bring in and UTF-8 has no bytes for, is written as JSON writes it."""
    return text.encode(errors="backslashreplace")


def _options(options: Iterable[tuple[int, bytes]]) -> bytes:
    out = []
    for code, value in options:
        cut = value[:_MOST].decode("utf-8", "ignore").encode() if len(value) > _MOST else value
        out.append(struct.pack("<HH", code, len(cut)) + cut + bytes(-len(cut) % 4))
    return b"".join(out) + bytes(4) if out else b""
