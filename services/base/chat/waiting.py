"""The lines that wait for a partner, or for their turn. No socket here either."""

from __future__ import annotations

from collections import deque, namedtuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    pass

LINES = 100
BYTES = 1024 * 1024  # of all that wait, newlines included

Line = namedtuple("Line", "text size id")
Line.__doc__ = "One line that was typed: its text, its bytes on the wire, and the id of the input (None: a person's)."


class Waiting:
    """First in, first out, with a limit."""

    def __init__(self) -> None:
        self._lines: deque[Line] = deque()
        self._bytes = 0

    def __len__(self) -> int:
        return len(self._lines)

    def add(self, line: Line) -> bool:
        """Whether there was room for it."""
        if len(self._lines) >= LINES or self._bytes + line.size > BYTES:
            return False
        self._lines.append(line)
        self._bytes += line.size
        return True

    def take(self) -> Line:
        line = self._lines.popleft()
        self._bytes -= line.size
        return line

    def put_back(self, lines: list[Line]) -> list[Line]:
        """Lines that were taken and not sent stand first again. Gives back the last ones: those with no room left."""
        everything = [*lines, *self._lines]
        self._lines.clear()
        self._bytes = 0
        for at, line in enumerate(everything):
            if not self.add(line):
                return everything[at:]
        return []
