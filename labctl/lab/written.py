"""What the logs of containers hold already: all of it, or the last lines, read from the end.

The engine counts a log by its entries: a line of up to 16 KiB is one, a longer one several, and the last N entries may
begin in the middle of a line. Whoever wants N lines asks for one entry more and lets the first line go; where that is
not enough, because lines are long or not ours to show, it asks for more, never for all at once.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from labctl.engine.model import Engine, Line
from labctl.errors import LabError
from labctl.events.model import Event
from labctl.lab.model import Node

READ_LIMIT = 60.0  # seconds for what is already written
BEGINNINGS = ("bind", "ready", "error")  # what our own programs say first
NEARLY = 0.95  # of the files that are full: what an entry takes in them is only known about
WIDER = 8  # times as many entries are asked for, where the last ones were too few

Decode = Callable[[Node, Line], Event | None]


class Written:
    """The events of one container, in the order in which they were written, and the keys of all lines read.

    `weight` is what its log takes on the engine's disk, in bytes, as far as it was read; `whole` where that is to its
    beginning.
    """

    def __init__(self, *, whole: bool) -> None:
        self.events: list[Event] = []
        self.keys: set[int] = set()
        self.weight = 0
        self.whole = whole


def key(line: Line) -> int:
    """What tells a line from every other of its container: the engine's time of it, and what it says."""
    return hash((line.stamp, line.stderr, line.text))


def read(
    engine: Engine,
    nodes: Sequence[Node],
    decode: Decode,
    *,
    since: str | None = None,
    tail: int | None = None,
    keys: bool = False,
) -> dict[str, Written]:
    """What each container's log holds, by its id; with `tail`, at least its last events, that many where they are.

    An event is what `decode` makes of a line, if anything. Raises LabError.
    """
    found: dict[str, Written] = {}
    entries = None if tail is None else tail + 1
    left = list(nodes)
    deadline = time.monotonic() + READ_LIMIT
    while left:
        lines = _lines(engine, left, since, entries, deadline)
        again = []
        for node in left:
            got = lines[node.container.id]
            whole = entries is None or sum(line.entries for line in got) < entries
            one = _written(node, got if whole else got[1:], decode, whole=whole, keys=keys)
            found[node.container.id] = one
            if not whole and len(one.events) < (tail or 0):
                again.append(node)
        left, entries = again, entries and entries * WIDER
    return found


def _lines(
    engine: Engine, nodes: Sequence[Node], since: str | None, entries: int | None, deadline: float
) -> dict[str, list[Line]]:
    found: dict[str, list[Line]] = {node.container.id: [] for node in nodes}
    streams = [engine.logs(node.container.id, since=since, tail=entries) for node in nodes]
    try:
        for happening in engine.wait(streams, deadline):
            if happening.line:
                found[happening.stream.container].append(happening.line)
    finally:
        for stream in streams:
            stream.close()
    if time.monotonic() > deadline:
        raise LabError("engine-timeout", seconds=READ_LIMIT, action="read what nodes have written")
    return found


def _written(node: Node, lines: list[Line], decode: Decode, *, whole: bool, keys: bool) -> Written:
    one = Written(whole=whole)
    lines.reverse()
    while lines:  # each is let go of when it is decoded: a log may be large
        line = lines.pop()
        one.weight += weight(line)
        if keys:
            one.keys.add(key(line))
        event = decode(node, line)
        if event:
            one.events.append(event)
    return one


def weight(line: Line) -> int:
    """Bytes of a line in Docker's json-file, about: `{"log":"...","stream":"stdout","time":"..."}` with its escapes."""
    return len(line.text) + 75 * line.entries + line.text.count(b'"') + line.text.count(b"\\")
