"""The journal of a lab: the events of its nodes on one clock, from the past or as they come."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence

from labctl.engine.model import Engine, Line, Stream
from labctl.errors import LabError
from labctl.events.codec import decode, normalise
from labctl.events.merge import Window, merge
from labctl.events.model import Event
from labctl.lab.model import Lab, Node
from labctl.phases import reached

READ_LIMIT = 60.0  # seconds for what is already written
WHOLE = 4096  # pieces of a log: who has asked for more of them is given all
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


def read(
    engine: Engine, lab: Lab, names: Sequence[str] = (), *, since: str | None = None, tail: int | None = None
) -> list[Event]:
    """What was written until now, in order of time. `tail` is the number of the last events of the merged journal."""
    nodes = _chosen(lab, names)
    journals = _read(engine, nodes, since=since, tail=tail)
    merged = [event for event in merge(journals.values()) if since is None or event.ts >= since]
    return merged[max(0, len(merged) - tail) :] if tail is not None else merged


def _read(engine: Engine, nodes: Sequence[Node], *, since: str | None, tail: int | None) -> dict[str, list[Event]]:
    """What each container's log holds, by its id."""
    found: dict[str, list[Event]] = {node.container.id: [] for node in nodes}
    streams = [engine.logs(node.container.id, since=since, tail=tail) for node in nodes]
    try:
        for happening in engine.wait(streams, time.monotonic() + READ_LIMIT):
            if happening.line:
                found[happening.stream.container].append(_event(nodes, happening.stream, happening.line))
    finally:
        _close(streams)
    if tail:
        # The engine counts pieces of 16 KiB, not lines: a tail may begin in the middle of a long one.
        torn = [node for node in nodes if node.role and _begins_torn(found[node.container.id])]
        if torn:
            wider = tail * 8 if tail < WHOLE else None
            found |= _read(engine, torn, since=since, tail=wider)
    return found


def _begins_torn(events: list[Event]) -> bool:
    """A node that keeps the contract prints no line that is no event, so one at the beginning is a line's end."""
    return bool(events) and events[0].name == "log" and not events[0].get("stderr")


def follow(
    engine: Engine, lab: Lab, names: Sequence[str] = (), *, since: str | None = None, tail: int | None = None
) -> Iterator[Event]:
    """What was written, then what comes, in order of time within a tenth of a second; ends with the last node."""
    nodes = _chosen(lab, names)
    # Listening begins before reading, so that nothing falls between the two; what both give is told by its time.
    live = [engine.logs(node.container.id, follow=True, tail=0) for node in nodes]
    try:
        written = read(engine, lab, names, since=since, tail=tail)
        yield from written
        reached("logs:following")
        last: dict[str, str] = {}
        for event in written:
            last[event.node] = event.ts
        yield from _ordered(engine, nodes, live, last)
    finally:
        _close(live)


def _ordered(engine: Engine, nodes: Sequence[Node], live: list[Stream], last: dict[str, str]) -> Iterator[Event]:
    window = Window()
    while live:
        due = window.due
        for happening in engine.wait(live, due):
            if happening.line is None:
                engine.containers(running=True)  # raises where it is the engine that went away
                live = [stream for stream in live if stream is not happening.stream]
            else:
                event = _event(nodes, happening.stream, happening.line)
                if event.ts > last.get(event.node, ""):
                    window.add(event, time.monotonic())
            if due is None and window.due is not None:
                break  # something is held now: wait only as long as it may be
        yield from window.take(time.monotonic())
    yield from window.take()


def parse_since(text: str, now: float | None = None) -> str:
    """A time from `10s`, `5m`, `2h`, or RFC 3339 in UTC, as events hold it. Raises LabError `bad-option`."""
    span = _SPAN.fullmatch(text)
    if span:
        moment = (time.time() if now is None else now) - float(span[1]) * _SECONDS[span[2]]
        return _stamp(max(0.0, moment))
    found = normalise(text)
    if found:
        return found
    why = f"{text!r} is neither a span (30s, 5m, 2h) nor a time in UTC (2026-01-31T12:00:00Z)"
    raise LabError("bad-option", option="--since", why=why)


def _stamp(moment: float) -> str:
    fraction = int((moment % 1) * 1e9)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(moment))}.{fraction:09d}Z"


def _chosen(lab: Lab, names: Sequence[str]) -> list[Node]:
    return [lab.node(name) for name in dict.fromkeys(names)] if names else list(lab.nodes)


def _close(streams: Sequence[Stream]) -> None:
    for stream in streams:
        stream.close()


def _event(nodes: Sequence[Node], stream: Stream, line: Line) -> Event:
    name = next(node.name for node in nodes if node.container.id == stream.container)
    return decode(line.text, node=name, stamp=line.stamp, stderr=line.stderr)
