"""Times, shares and rates as programs give them: numbers, Python's own times, or texts as the command line takes."""

from __future__ import annotations

import datetime as dt
import time

from labctl.errors import LabError
from labctl.events import moments
from labctl.events.codec import stamp_of

Since = str | dt.datetime | dt.timedelta
LAST = 30.0  # seconds that are looked back, unless others are given
LIMIT = 500  # arrows of a ladder, unless another number is given


def stamp(since: Since | None) -> str | None:
    """A time as events hold it: of a span so long ago, of a datetime (with a zone; one without is UTC), or of a text,
    which may be an event's `ts` or what `labctl logs --since` takes. Raises LabError `bad-option`."""
    if since is None:
        return None
    if isinstance(since, dt.timedelta):
        return stamp_of(time.time_ns() - int(since.total_seconds() * 1e9))
    if isinstance(since, dt.datetime):
        at = since if since.tzinfo else since.replace(tzinfo=dt.UTC)
        whole = int(at.timestamp())
        return stamp_of(whole * 1_000_000_000 + at.microsecond * 1000)
    found = moments.moment(since, time.time_ns())
    if found is None:
        why = f"{since!r} is neither a span nor a time; give one such as {moments.EXAMPLES}"
        raise LabError("bad-option", option="since", why=why)
    return stamp_of(found)


def moment_ns(since: Since | None) -> int | None:
    """The same in nanoseconds since the epoch."""
    text = stamp(since)
    return None if text is None else moments.moment(text, time.time_ns())


def seconds_of(name: str, value: float | str) -> float:
    """A number of seconds, or a text such as `30s`, `1h30m`. Raises InvalidArgument (`bad-option`)."""
    found = moments.span(value) if isinstance(value, str) else float(value)
    if found is None or not 0 <= found < float("inf"):
        why = f"{value!r} is no time; give seconds, or a text such as 30s, 5m, 1h30m"
        raise LabError("bad-option", option=name, why=why)
    return found


def condition(name: str, value: float | str) -> str:
    """One condition of a link as it is typed: of a number, seconds of delay and jitter, bits a second of a rate, and of
    the others a share from 0 to 1."""
    from labctl.faults.kinds import TYPED
    from labctl.faults.measures import RATE, TIME

    if isinstance(value, str):
        return value
    measure = TYPED[name].measure
    if measure is TIME:
        return f"{value:.9f}s"
    return f"{value:.0f}bit" if measure is RATE else f"{value * 100:.6f}%"


def rate_of(value: float | str | None) -> float | None:
    """Bits a second, of a number or a text such as `5mbit`. Raises InvalidArgument (`bad-condition`)."""
    if not isinstance(value, str):
        return value
    from labctl.faults import measures

    try:
        return measures.rate(value)
    except measures.Malformed as problem:
        raise LabError("bad-condition", why=problem, mend=problem.hint) from None


def span(value: float | str | None) -> str | None:
    """A span as it is typed."""
    return value if value is None or isinstance(value, str) else f"{value:.9f}s"
