"""What is still to be written to one who may read more slowly than things happen."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable

from labnode import journal

LIMIT = 16 << 20  # bytes
PIECE = 1 << 16  # bytes that are written at once


def event_line(event: str, **fields: object) -> bytes:
    """An event of now."""
    head = {"ts": journal.stamp(), "node": journal.NODE, "event": event}
    return json.dumps({**head, **fields}, separators=(",", ":")).encode()


class Backlog:
    """Lines for one reader: an answer, which is as long as it is, and then what happens, up to a limit.

    Where more than that waits, what follows is left out and counted. The last line says what it came to: `complete`, or
    `behind` with how many are missing.
    """

    def __init__(self, limit: int = LIMIT) -> None:
        self._limit = limit
        self._answer: deque[bytes] = deque()
        self._happened: deque[bytes] = deque()
        self._size = 0  # of what happened
        self._piece = b""
        self._left_out = 0
        self._ends = self._ended = False

    def answer(self, lines: Iterable[bytes]) -> None:
        self._answer.extend(lines)

    def add(self, line: bytes) -> None:
        if self._left_out or self._size + len(line) > self._limit:
            self._left_out += 1
        else:
            self._happened.append(line)
            self._size += len(line)

    def end(self) -> None:
        """That was all."""
        self._ends = True

    def piece(self) -> bytes:
        """What is to be written next; nothing where all is."""
        if not self._piece:
            self._piece = b"".join(self._next())
        return self._piece

    def wrote(self, count: int) -> None:
        """So many bytes of the piece are written."""
        self._piece = self._piece[count:]

    @property
    def is_over(self) -> bool:
        """The last line is written."""
        return self._ended and not self._piece

    def _next(self) -> list[bytes]:
        lines: list[bytes] = []
        size = 0
        while size < PIECE and (self._answer or self._happened):
            if self._answer:
                line = self._answer.popleft()
            else:
                line = self._happened.popleft()
                self._size -= len(line)
            lines += (line, b"\n")
            size += len(line)
        if not lines and (self._ends or self._left_out) and not self._ended:
            self._ended = True
            last = event_line("behind", count=self._left_out) if self._left_out else event_line("complete")
            lines += (last, b"\n")
        return lines
