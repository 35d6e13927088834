"""Lines that nodes and probes wrote by a clock that is off, with the times of the others' clock."""

from __future__ import annotations

import re

from labctl.engine.model import Line
from labctl.events.codec import normalise, stamp_of
from labctl.events.model import Event

_TS = re.compile(rb'("ts":\s*")([^"]{20,30})(")')


def corrected(line: Line, correction: int) -> Line:
    """`correction` in nanoseconds is taken from the engine's time of a line and, where it is an event, from its own."""
    stamp = _shifted(line.stamp, correction) if line.stamp else None
    text = line.text
    if text[:1] == b"{" and (found := _TS.search(text)):
        moved = _shifted(found[2].decode("ascii", "replace"), correction)
        if moved:
            text = text[: found.start(2)] + moved.encode() + text[found.end(2) :]
    return line._replace(text=text, stamp=stamp or line.stamp)


def shifted(stamp: str, correction: int) -> str:
    """A time of the others' clock, as the machine's own says it."""
    return _shifted(stamp, -correction) or stamp


def _shifted(stamp: str, correction: int) -> str | None:
    found = normalise(stamp)
    return stamp_of(Event(found, "", "").nanoseconds - correction) if found else None
