"""One timeline of many journals."""

from __future__ import annotations

from collections.abc import Iterable

from labctl.events.model import Event


def merge(journals: Iterable[Iterable[Event]]) -> list[Event]:
    """All events in order of time. Each journal keeps its own order among events of the same instant."""
    return sorted((event for journal in journals for event in journal), key=lambda event: event.ts)


class Window:
    """Puts events that arrive live, a little out of order, into order: holds each back for `span` seconds.

    Streams of several nodes reach us some milliseconds apart; within the span the order is that of `ts`.
    """

    def __init__(self, span: float = 0.1) -> None:
        self.span = span
        self._held: list[tuple[float, Event]] = []

    def add(self, event: Event, now: float) -> None:
        self._held.append((now + self.span, event))

    @property
    def due(self) -> float | None:
        """When the next event may go, on the clock that `now` comes from."""
        return self._held[0][0] if self._held else None

    def take(self, now: float | None = None) -> list[Event]:
        """What may go by now, in order of time; everything where `now` is None."""
        count = sum(1 for due, _ in self._held if now is None or due <= now)
        if not count:
            return []
        # Whatever is older than the newest that may go, goes with it.
        newest = max(event.ts for _, event in self._held[:count])
        going = [item for item in self._held if item[1].ts <= newest]
        self._held = [item for item in self._held if item[1].ts > newest]
        return sorted((event for _, event in going), key=lambda event: event.ts)
