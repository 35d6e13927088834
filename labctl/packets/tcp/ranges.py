"""Ranges of sequence numbers, each with a time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right


class Ranges:
    """Ranges in order that don't overlap: from, up to and without, and a time. All takes the logarithm of their number,
    but for the moving of what stands behind."""

    def __init__(self) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._times: list[int] = []

    def put(self, start: int, end: int, at: int) -> None:
        """In the place of what was there."""
        self.remove(start, end)
        place = bisect_left(self._starts, start)
        self._starts.insert(place, start)
        self._ends.insert(place, end)
        self._times.insert(place, at)

    def remove(self, start: int, end: int) -> None:
        """What is left of a range on either side stays."""
        first, last = self._span(start, end)
        if first >= last:
            return
        kept = []
        if self._starts[first] < start:
            kept.append((self._starts[first], start, self._times[first]))
        if self._ends[last - 1] > end:
            kept.append((end, self._ends[last - 1], self._times[last - 1]))
        self._starts[first:last] = [one[0] for one in kept]
        self._ends[first:last] = [one[1] for one in kept]
        self._times[first:last] = [one[2] for one in kept]

    def remove_below(self, end: int) -> None:
        if self._starts and self._starts[0] < end:
            self.remove(self._starts[0], end)

    def time(self, start: int, end: int) -> int | None:
        """The time of the first range that has any of it."""
        first, last = self._span(start, end)
        return self._times[first] if first < last else None

    def _span(self, start: int, end: int) -> tuple[int, int]:
        return bisect_right(self._ends, start), bisect_left(self._starts, end)
