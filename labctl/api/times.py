"""Times as a program gives them."""

from __future__ import annotations

import datetime as dt
import time

from labctl.errors import LabError
from labctl.events import moments
from labctl.events.codec import stamp_of

Since = str | dt.datetime | dt.timedelta


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
