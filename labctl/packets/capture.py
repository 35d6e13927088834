"""Captures as bytes come in: pcap and pcapng, from a file or from a live pipe.

The parser is fed and yields what is whole; it never reads by itself. dpkt's readers aren't used: they give times as
floats, which can't hold nanoseconds, know one interface only, and take a short read of a pipe for the end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import BinaryIO, Protocol

from labctl.packets.model import CaptureError, Record
from labctl.packets.pcap import MAGICS, Pcap
from labctl.packets.pcapng import MAGIC, Pcapng

_CHUNK = 65536


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
        self.records = 0

    @property
    def drops(self) -> dict[str, int]:
        return self._format.drops if self._format else {}

    def feed(self, data: bytes) -> Iterator[Record]:
        """Yield each record that is whole now. Raises CaptureError where the bytes can't be a capture."""
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
        if self._format is None:
            if not self._buffer:
                raise CaptureError("the capture is empty: not one byte is in it")
            raise CaptureError(f"the capture ends after {_count(len(self._buffer))}, before its first header does")
        if message := self._format.rest(len(self._buffer)):
            raise CaptureError(message)


def read(source: BinaryIO | Iterable[bytes]) -> Iterator[Record]:
    """The records of a binary stream, or of pieces of bytes, each as soon as its bytes are there.

    Raises CaptureError, after all that was whole, for what is broken, truncated, empty or no capture.
    """
    parser = Parser()
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
    if head[:2] == b"\x1f\x8b":
        raise CaptureError("this is no capture but a gzip file: unpack it first (gunzip)")
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
