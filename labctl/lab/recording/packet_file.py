"""The packets of a capture file, or of standard input.

What gives them (`records_from`) knows nothing of what is done with them, so that other sources can stand beside it.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, BinaryIO

from labctl.errors import LabError
from labctl.packets.model import CaptureError, Packet, Record

if TYPE_CHECKING:
    from labctl.packets.files.capture import Parser

STDIN = "-"


def records_from(source: str, parser: Parser | None = None) -> Iterator[Record]:
    """The packets of a file, `-` standard input, as bytes, each as soon as it is whole; `parser` as for `read`.

    Raises LabError: `capture-unreadable`; and `capture-broken` after all that was whole.
    """
    from labctl.packets.files.capture import read

    try:
        with _opened(source) as stream:
            yield from read(stream, parser)
    except CaptureError as problem:
        raise LabError("capture-broken", file=_name(source), why=problem) from None
    except (OSError, ValueError) as problem:  # a ValueError: a name with a NUL in it
        why = getattr(problem, "strerror", None) or str(problem)
        raise LabError("capture-unreadable", file=_name(source), why=why) from None


def one(source: str, records: Iterable[Record], number: int) -> tuple[Packet, LabError | None]:
    """The packet of that number: from 1 on, or from the end with a negative one.

    With it comes what is wrong with the capture, if reading got so far. Raises LabError `no-such-packet`; what
    `records` raises where not one packet is whole.
    """
    from labctl.packets.protocols.ip import decode

    last: deque[Record] = deque(maxlen=min(max(1, -number), sys.maxsize))
    count, problem = 0, None
    try:
        for record in records:
            count += 1
            last.append(record)
            if count == number:
                return decode(record, count - 1), None
    except LabError as raised:
        if not count:
            raise
        problem = raised
    if number < 0 and count >= -number:
        return decode(last[0], count + number), problem
    raise LabError("no-such-packet", file=_name(source), number=number, has=_has(count, problem))


def first(records: Iterable[Record], limit: int) -> tuple[list[Packet], int, LabError | None]:
    """So many packets from the beginning, how many there are in all, and what is wrong with the capture.

    Raises what `records` raises where not one packet is whole.
    """
    from labctl.packets.protocols.ip import decode

    kept: list[Packet] = []
    count, problem = 0, None
    try:
        for record in records:
            count += 1
            if count <= limit:
                kept.append(decode(record, count - 1))
    except LabError as raised:
        if not count:
            raise
        problem = raised
    return kept, count, problem


def _opened(source: str) -> AbstractContextManager[BinaryIO]:
    return nullcontext(sys.stdin.buffer) if source == STDIN else open(source, "rb")


def _name(source: str) -> str:
    return "standard input" if source == STDIN else source


def _has(count: int, problem: LabError | None) -> str:
    end = " whole, and is broken after that" if problem else ""
    return f"it has {count or 'none'}{end}"
