"""Times as people type them: spans such as `30s` or `1h30m`, times of day as they are printed, RFC 3339. No I/O."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # most commands read spans alone
    import datetime as dt

SPANS = {"us": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
_UNIT = r"(?:\d+(?:\.\d+)?(?:us|ms|[smhdw]))"
_SPAN = f"{_UNIT}+"
_PART = r"(\d+(?:\.\d+)?)(us|ms|[smhdw])"
_MOMENT = (
    r"(?:(?P<date>\d{4}-\d\d-\d\d)(?:[Tt ](?=\d)|$))?"
    r"(?:(?P<time>\d\d:\d\d(?::\d\d)?)(?:[.,](?P<fraction>\d{1,9})\d*)?)?"
    r"(?P<zone>[Zz]|[+-]\d\d:?\d\d)?"
)
EXAMPLES = "30s, 5m, 1h30m, 1d; 21:18:00; 2026-01-31T12:00:00Z"


def span(text: str) -> float | None:
    """The seconds of `90s`, `1.5h`, `1h30m`, `500us`; None where it is no span. Every option that takes a time reads it
    by this; how long it may be is each one's own matter."""
    if not re.fullmatch(_SPAN, text):
        return None
    return sum(float(number) * SPANS[unit] for number, unit in re.findall(_PART, text))


def moment(text: str, now_ns: int, *, local: bool = False) -> int | None:
    """The time that a text means, in nanoseconds since the epoch; None where it is none.

    A span is so long ago. A time of day is the last one of that kind: today's, or yesterday's where today's is yet to
    come. Without a zone (`Z`, `+02:00`) it is UTC, with `local` the machine's own time.
    """
    import datetime as dt

    seconds = span(text)
    if seconds is not None:
        return max(0, now_ns - int(min(seconds * 1e9, now_ns)))
    found = re.fullmatch(_MOMENT, text)
    if not found or not (found["date"] or found["time"]):
        return None
    zone = found["zone"]
    try:
        tz = dt.UTC if zone in ("Z", "z") or (zone is None and not local) else _offset(zone)
        clock = dt.time.fromisoformat(found["time"] or "00:00")
        day = dt.date.fromisoformat(found["date"]) if found["date"] else _day(now_ns, tz)
        at = _ns(dt.datetime.combine(day, clock), tz, found["fraction"])
        if not found["date"] and at > now_ns:
            at = _ns(dt.datetime.combine(day - dt.timedelta(days=1), clock), tz, found["fraction"])
    except (ValueError, OverflowError, OSError):
        return None
    return max(0, at)


def _offset(zone: str | None) -> dt.tzinfo | None:
    """None: the machine's own, which depends on the day."""
    if zone is None:
        return None
    import datetime as dt

    hours, minutes = int(zone[1:3]), int(zone[-2:])
    away = dt.timedelta(hours=hours, minutes=minutes)
    return dt.timezone(-away if zone[0] == "-" else away)


def _day(now_ns: int, tz: dt.tzinfo | None) -> dt.date:
    import datetime as dt

    return dt.datetime.fromtimestamp(now_ns // 1_000_000_000, tz).date()


def _ns(at: dt.datetime, tz: dt.tzinfo | None, fraction: str | None) -> int:
    whole = at.replace(tzinfo=tz) if tz else at.astimezone()
    return int(whole.timestamp()) * 1_000_000_000 + int((fraction or "").ljust(9, "0"))
