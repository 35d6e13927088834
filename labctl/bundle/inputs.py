"""What was typed at nodes, and what each line followed: so that it can be typed again in the same order of causes."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterable, Iterator

from labctl.bundle.model import Input, Mark
from labctl.events.model import Event
from labctl.lab.model import Lab, plain

INPUT = "input"
# What helpers write of themselves, and what says nothing of how far a conversation has come.
_NO_CAUSES = ("fault", "rule", "missing", "error")


class Marks:
    """Counts what each node has shown, so that an event can be told by what it says."""

    def __init__(self) -> None:
        self._count: Counter[tuple[str, str, str]] = Counter()

    def of(self, event: Event) -> Mark | None:
        """The mark of the next event of a journal; None for one that nothing follows from."""
        if event.name in _NO_CAUSES:
            return None
        key = event.node, event.name, text_of(event) or ""
        self._count[key] += 1
        return Mark(*key, self._count[key])


def text_of(event: Event) -> str | None:
    """The text of an event, whatever it is called; None: there is none, or it is no text."""
    if isinstance(text := event.get("text"), str):
        return text
    data = event.get("data")
    if not isinstance(data, str):
        return None
    try:
        return base64.b64decode(data, validate=True).decode()
    except ValueError:
        return None


def inputs_of(lab: Lab, events: Iterable[Event], *, payload: bool = True) -> Iterator[Input]:
    """The lines that were typed, of a journal in order of time.

    Each follows what the nodes had shown last by then: whoever typed it may have seen all of that.
    """
    marks, last = Marks(), dict[str, Mark]()
    for event in events:
        if event.name == INPUT:
            to = str(event.get("to") or "")
            owner = lab.owner(plain(to.rpartition(":")[0].strip("[]"))) if to else None
            text = text_of(event) if payload else None
            yield Input(event.ts, event.node, text, to, owner.name if owner else "", tuple(last.values()))
        found = marks.of(event)
        if found:
            last[found.node] = found
