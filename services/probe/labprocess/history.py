"""What was recorded, up to a limit: the oldest goes first, and is counted."""

from collections import deque

COUNT = 20_000  # events
SIZE = 8 << 20  # bytes


class History:
    """Lines with their times, in the order in which they came."""

    def __init__(self, count: int = COUNT, size: int = SIZE) -> None:
        self._count, self._limit = count, size
        self._lines: deque[tuple[int, bytes]] = deque()
        self._size = 0
        self.cut = 0  # how many are gone
        self.cut_until = 0  # the time of the last of them

    def add(self, moment: int, line: bytes) -> None:
        """`moment` in nanoseconds since the epoch."""
        self._lines.append((moment, line))
        self._size += len(line)
        while len(self._lines) > self._count or self._size > self._limit:
            gone, lost = self._lines.popleft()
            self._size -= len(lost)
            self.cut += 1
            self.cut_until = max(self.cut_until, gone)

    def since(self, moment: int) -> list[tuple[int, bytes]]:
        """With their times."""
        return [kept for kept in self._lines if kept[0] >= moment]
