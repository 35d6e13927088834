"""The time of day as a timeline shows it: with its zone, so that it can be told and typed again (`--since`)."""

from __future__ import annotations

from contextlib import suppress
from functools import lru_cache


def clock(ts: str, *, local: bool = False) -> str:
    """`21:18:00.123456Z` of an event's time; with `local` in the machine's own zone, `23:18:00.123456+02:00`."""
    if not local:
        return ts[11:26] + "Z"
    of_day, zone = _local(ts[:19])
    return f"{of_day}{ts[19:26]}{zone}"


@lru_cache(maxsize=256)
def _local(second: str) -> tuple[str, str]:
    from datetime import UTC, datetime  # most commands show no time of their own

    at = datetime.fromisoformat(second).replace(tzinfo=UTC)
    with suppress(OverflowError):  # in the first or the last year that there is
        at = at.astimezone()
    shown = at.isoformat()
    return shown[11:19], shown[19:]
