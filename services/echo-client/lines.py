"""Which answer belongs to which line.

TCP has no messages: what an echo server sends back is one stream, in which every line that was sent comes back whole
and in order (RFC 862). So the oldest line without an answer is the one that the next line of the stream answers.
"""

from __future__ import annotations

import time
from collections import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from labnode.types import Fields

MOST_BYTES, MOST_LINES = 8 << 20, 20_000  # that may wait; a single line may always


class Lines:
    """The lines of one connection, each as the event fields that it is known by (its id)."""

    def __init__(self) -> None:
        # (line, data): there is no connection to send them over yet
        self._waiting: deque[tuple[Fields, bytes]] = deque()
        self._size = 0  # bytes of those
        self._asked: deque[tuple[Fields, float]] = deque()  # (line, time): sent, and not answered
        self._begun = bytearray()  # an answer, as far as it has come

    def full(self, size: int, unsent: int) -> str | None:
        """Why `size` bytes more can't wait, where `unsent` do in the connection itself; else None."""
        count, unsent = len(self._waiting) + len(self._asked), unsent + self._size
        if count < MOST_LINES and (not unsent or unsent + size <= MOST_BYTES):
            return None
        return f"{count} lines wait already, with {unsent} bytes to be sent"

    def wait(self, line: Fields, data: bytes) -> None:
        self._waiting.append((line, data))
        self._size += len(data)

    def waiting(self) -> Iterator[tuple[Fields, bytes]]:
        """Takes out, one by one, what waited for the connection."""
        self._size = 0
        while self._waiting:
            yield self._waiting.popleft()

    def ask(self, line: Fields) -> None:
        """This line is sent now."""
        self._asked.append((line, time.monotonic()))

    def take(self, data: bytes) -> Iterator[tuple[Fields, bytes, float]]:
        """Bytes that arrived: yields (line, answer, milliseconds) for each answer that they complete."""
        start = 0
        while (end := data.find(b"\n", start)) >= 0:
            answer = bytes(self._begun) + data[start:end]
            self._begun.clear()
            start = end + 1
            if self._asked:  # else nobody asked for this one
                line, asked = self._asked.popleft()
                yield line, answer, round((time.monotonic() - asked) * 1000, 3)
        self._begun += data[start:]

    @property
    def begun(self) -> int:
        """Bytes of an answer whose end has not come."""
        return len(self._begun)

    def give_up(self) -> list[Fields]:
        """The lines that no answer will come for."""
        lines = [line for line, _ in (*self._asked, *self._waiting)]
        self._asked.clear()
        self._waiting.clear()
        return lines
