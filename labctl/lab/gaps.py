"""Whether a log that is followed has lost lines before they were read: its oldest file goes when the newest is full.

The engine goes on with the next file and says nothing. What shows is a jump in its own times, while we were behind.
"""

from __future__ import annotations

import time
from functools import lru_cache

from labctl.engine.model import Line
from labctl.events.codec import normalise
from labctl.events.model import nanoseconds_of
from labctl.lab.written import weight

LATE = 500_000_000  # nanoseconds from a line's writing to its reading, for which we are behind
MUCH = 1_000_000  # bytes read while behind; whoever is so for less has caught up soon
JUMP = 150_000_000  # nanoseconds between two lines of what waits; a file of 20 MB takes as long to be written

_second = lru_cache(maxsize=64)(nanoseconds_of)


class Gaps:
    """Takes the lines of one log as they come."""

    def __init__(self) -> None:
        self._last = self._behind = 0
        self._least: int | None = None  # nanoseconds that a line has taken to us; clocks of two machines differ

    def before(self, line: Line) -> bool:
        """Whether lines may be missing before this one."""
        stamp = normalise(line.stamp)
        if stamp is None:
            return False
        at = _second(stamp[:19] + ".000000000Z") + int(stamp[20:29])
        took = time.time_ns() - at
        self._least = took if self._least is None else min(took, self._least)
        missing = bool(self._last) and at - self._last > JUMP and self._behind > MUCH
        self._behind = self._behind + weight(line) if took - self._least > LATE else 0
        self._last = at
        return missing
