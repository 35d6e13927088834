"""Captures as bytes come in: pcap and pcapng, also packed by gzip, from a file or from a live pipe.

The parser is fed and yields what is whole; it never reads by itself. dpkt's readers aren't used: they give times as
floats, which can't hold nanoseconds, know one interface only, and take a short read of a pipe for the end.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO, Protocol

from labctl.packets.files.pcap import MAGICS, Pcap
from labctl.packets.files.pcapng import MAGIC, Pcapng
from labctl.packets.model import CaptureError, Record

_CHUNK = 65536
_GZIP = b"\x1f\x8b"
# Other things that packets come in, by their first bytes; their names are what people know them by.
_OTHERS = {
    b"snoop\0\0\0": "a snoop file (RFC 1761)",
    b"\x28\xb5\x2f\xfd": "packed by zstd: unpack it first (unzstd)",
    b"\xfd7zXZ\0": "packed by xz: unpack it first (unxz)",
    b"BZh": "packed by bzip2: unpack it first (bunzip2)",
    b"\x04\x22\x4d\x18": "packed by lz4: unpack it first (unlz4)",
    b"PK\x03\x04": "a zip file: unpack it first (unzip)",
    b"GMBU\0\2": "a file of Microsoft Network Monitor",
    b"RTSS": "a file of Microsoft Network Monitor 1",
    b"TRSNIFF": "a file of Network General's Sniffer",
    b"XCP\0": "a file of NetXRay",
    b"\x7fver": "a file of EtherPeek",
}


class _Format(Protocol):
    drops: dict[str, int]

    def take(self, buffer: bytearray, start: int) -> tuple[int, Record | None]: ...

    def rest(self, left: int) -> str: ...


class Parser:
    """Takes a capture in pieces of any size.

        for record in parser.feed(data): ...     # as often as there is data
        parser.close()                           # at its end: raises where that is in the middle of something

    `drops` holds, for each interface whose capture says so, how many packets the kernel could not hand over (pcapng
    interface statistics, options isb_ifdrop and isb_osdrop).
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._format: _Format | None = None
        self._unpacker: zlib._Decompress | None = None
        self.records = 0

    @property
    def drops(self) -> dict[str, int]:
        return self._format.drops if self._format else {}

    def feed(self, data: bytes) -> Iterator[Record]:
        """Yield each record that is whole now. Raises CaptureError where the bytes can't be a capture."""
        for piece in self._plain(data):
            yield from self._parsed(piece)

    def _plain(self, data: bytes) -> Iterator[bytes]:
        """The bytes unpacked, where the first ones say that they are packed by gzip (RFC 1952), in pieces."""
        if self._unpacker is None:
            if self._format is not None or not _GZIP.startswith(head := bytes(self._buffer[:2] + data[:2])[:2]):
                yield data
                return
            if len(head) < 2:
                self._buffer += data
                return
            data = bytes(self._buffer) + data
            self._buffer.clear()
            self._unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
        try:
            while data:
                if self._unpacker.eof:  # one member after the other is as good as one
                    if not data.strip(b"\0"):
                        return
                    self._unpacker = zlib.decompressobj(16 + zlib.MAX_WBITS)
                yield self._unpacker.decompress(data, _CHUNK)
                data = self._unpacker.unconsumed_tail or self._unpacker.unused_data
        except zlib.error as problem:
            raise CaptureError(f"the capture is packed by gzip, and that is broken: {problem}") from None

    def _parsed(self, data: bytes) -> Iterator[Record]:
        self._buffer += data
        if self._format is None:
            self._format = _recognised(self._buffer)
            if self._format is None:
                return
        start = 0
        try:
            while True:
                end, record = self._format.take(self._buffer, start)
                if end == start:
                    return
                start = end
                if record is not None:
                    self.records += 1
                    yield record
        finally:
            del self._buffer[:start]

    def close(self) -> None:
        """Raises CaptureError where the capture ends early."""
        if self._unpacker is not None and not self._unpacker.eof:
            raise CaptureError("the capture is packed by gzip, and ends before that does")
        if self._format is None:
            if not self._buffer:
                raise CaptureError("the capture is empty: not one byte is in it")
            raise CaptureError(f"the capture ends after {_count(len(self._buffer))}, before its first header does")
        if message := self._format.rest(len(self._buffer)):
            raise CaptureError(message)


def read(source: BinaryIO | Iterable[bytes], parser: Parser | None = None) -> Iterator[Record]:
    """The records of a binary stream, or of pieces of bytes, each as soon as its bytes are there. `parser` takes them
    apart, for who wants to ask it afterwards.

    Raises CaptureError, after all that was whole, for what is broken, truncated, empty or no capture.
    """
    parser = parser or Parser()
    for chunk in _chunks(source):
        yield from parser.feed(chunk)
    parser.close()


def _chunks(source: BinaryIO | Iterable[bytes]) -> Iterator[bytes]:
    if not hasattr(source, "read"):
        yield from source
        return
    # read1 gives what is there; read(n) of a buffered pipe would wait for all n bytes.
    take = getattr(source, "read1", source.read)
    while chunk := take(_CHUNK):
        yield chunk


def _recognised(buffer: bytearray) -> _Format | None:
    """The format that the first bytes announce; None: too few as yet."""
    head = bytes(buffer[:4])
    if not head:
        return None
    for magic, name in _OTHERS.items():
        if buffer.startswith(magic):
            raise CaptureError(f"this is no pcap or pcapng, but {name}")
    # Of another kind the first bytes are few, and more may still tell which.
    if any(magic.startswith(bytes(buffer)) for magic in _OTHERS):
        return None
    if not any(magic.startswith(head) for magic in (*MAGICS, MAGIC)):
        raise CaptureError(
            f"this is no capture: it begins with {head.hex(' ')}, where a pcap has d4 c3 b2 a1 or 4d 3c b2 a1 (or that "
            "backwards) and a pcapng 0a 0d 0d 0a"
        )
    if head == MAGIC:
        return Pcapng()
    return Pcap() if len(head) == 4 else None


def _count(number: int) -> str:
    return f"{number} byte{'' if number == 1 else 's'}"
