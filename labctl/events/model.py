"""One event of a lab's journal."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from labctl.named import NamedTuple

Address = tuple[str, int]


class Event(NamedTuple):
    """What happened, when, where and between which addresses.

    `ts` is UTC as RFC 3339 with nine digits of fraction and a Z, so that its order as text is its order in time.
    `fields` holds all else that the event's line held.
    """

    ts: str
    node: str
    name: str
    local: Address | None = None
    peer: Address | None = None
    fields: Mapping[str, Any] = {}

    def get(self, key: str) -> Any:
        """One of its further fields, by name; None where it has none of that name."""
        return self.fields.get(key)

    @property
    def id(self) -> str | None:
        """The id of the typed line that this follows from."""
        found = self.fields.get("id")
        return found if isinstance(found, str) else None

    @property
    def nanoseconds(self) -> int:
        """Since the epoch."""
        return nanoseconds_of(self.ts)

    def crosses_to(self, other: Event) -> bool:
        """The two are the two ends of one connection or datagram: this one's local is the other's peer, and back."""
        return self.local is not None and self.peer is not None and (self.local, self.peer) == (other.peer, other.local)


def nanoseconds_of(stamp: str) -> int:
    """Since the epoch, of a time as events hold it."""
    return _seconds_of(stamp[:19]) * 1_000_000_000 + int(stamp[20:29])


@lru_cache(maxsize=1024)
def _seconds_of(second: str) -> int:
    import datetime

    return int(datetime.datetime.fromisoformat(f"{second}+00:00").timestamp())
