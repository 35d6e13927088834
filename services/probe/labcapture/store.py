"""What was recorded and is not forgotten yet: pieces in order of time, within a limit of bytes."""

from collections import deque
from typing import NamedTuple

LIMIT = 96 << 20  # bytes


class Piece(NamedTuple):
    """Some packets of one source, as that gave them; times in nanoseconds since the epoch."""

    source: str  # R: block of what came and left, M: block of what left with a mark, N: packets of the log
    first_ns: int
    last_ns: int
    data: bytes


class Store:
    """`since_ns` is from when on everything is here."""

    def __init__(self, since_ns: int, limit: int = LIMIT) -> None:
        self.since_ns = since_ns
        self._limit = limit
        self._size = 0
        self._pieces: deque[Piece] = deque()

    def add(self, piece: Piece) -> None:
        self._pieces.append(piece)
        self._size += len(piece.data)
        while self._size > self._limit and len(self._pieces) > 1:
            gone = self._pieces.popleft()
            self._size -= len(gone.data)
            self.since_ns = max(self.since_ns, gone.last_ns + 1)

    def since(self, moment: int) -> list[Piece]:
        """The pieces that hold something of that moment or later."""
        return [piece for piece in self._pieces if piece.last_ns >= moment]
