"""What the page is told: numbered items in one order, of which each browser remembers the last that it has seen."""

from __future__ import annotations

import contextlib
import secrets
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

KEPT = {"event": 50_000, "packet": 20_000}  # how many of a kind are kept for who comes later
BACKLOG = 100_000  # items within which a browser that was away picks up where it stopped
OF_THE_SERVER = ("shell",)  # states that are no lab's

Item = dict[str, Any]


class Story:
    """Items with numbers from 1 on. What is no event and no packet is a state, of which the latest counts.

    `epoch` names this story: numbers of another one (of a server before, of a lab that was taken down) mean nothing
    here. Several threads may write, and read.
    """

    def __init__(self) -> None:
        self.epoch = secrets.token_hex(4)
        self._lock = threading.Lock()
        self._items: deque[Item] = deque(maxlen=BACKLOG)
        self._kept: dict[str, deque[Item]] = {kind: deque(maxlen=most) for kind, most in KEPT.items()}
        self._states: dict[str, Item] = {}
        self._notes: dict[str, None] = {}
        self._last = 0
        self._dropped = 0
        self._wakes: list[Callable[[], None]] = []

    @contextlib.contextmanager
    def heard(self, wake: Callable[[], None]) -> Iterator[None]:
        """Has `wake` called, by whichever thread, when something was told."""
        with self._lock:
            self._wakes.append(wake)
        try:
            yield
        finally:
            with self._lock:
                self._wakes.remove(wake)

    def _wake(self) -> None:
        for wake in list(self._wakes):
            wake()

    @property
    def last(self) -> int:
        """The number of the newest item."""
        return self._last

    def tell(self, kind: str, value: Any) -> None:
        """One more item."""
        with self._lock:
            self._add({"kind": kind, "value": value})
        self._wake()

    def tell_all(self, kind: str, values: list[Any]) -> None:
        """Several items at once."""
        with self._lock:
            for value in values:
                self._add({"kind": kind, "value": value})
        self._wake()

    def _add(self, item: Item) -> None:
        self._last += 1
        kind = item["kind"]
        self._items.append(item)
        if kind in self._kept:
            kept = self._kept[kind]
            self._dropped += len(kept) == kept.maxlen
            kept.append(item)
        elif kind == "note":
            self._notes[item["value"]] = None
        else:
            self._states[kind] = item

    def begin_anew(self) -> None:
        """Another lab of the same name: all that was told belongs to one that is gone."""
        with self._lock:
            self.epoch = secrets.token_hex(4)
            self._items.clear()
            for kept in self._kept.values():
                kept.clear()
            self._notes.clear()
            self._states = {kind: item for kind, item in self._states.items() if kind in OF_THE_SERVER}
            self._last = self._dropped = 0
        self._wake()

    def after(self, epoch: str, number: int) -> tuple[str, int, list[Item]] | None:
        """The epoch, the newest number and the items after `number`; None where these can't be told any more."""
        with self._lock:
            first = self._last - len(self._items)
            if epoch != self.epoch or not first <= number <= self._last:
                return None
            count = self._last - number
            items = [self._items[at] for at in range(len(self._items) - count, len(self._items))] if count else []
            return self.epoch, self._last, items

    def whole(self) -> tuple[str, int, dict[str, Any]]:
        """The epoch, the newest number, and all that is kept as a run (labctl.render.runs.document)."""
        with self._lock:
            states = {kind: item["value"] for kind, item in self._states.items()}
            return (
                self.epoch,
                self._last,
                {
                    "schema_version": 1,
                    "topology": {"title": "", "nodes": [], "networks": [], "links": [], "positions": {}},
                    "faults": [],
                    **states,
                    "events": [item["value"] for item in self._kept["event"]],
                    "packets": [dict(item["value"]) for item in self._kept["packet"]],
                    "notes": list(self._notes),
                    "dropped": self._dropped,
                },
            )
