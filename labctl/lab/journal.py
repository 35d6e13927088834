"""The journal of a lab: the events of its nodes on one clock, from the past or as they come."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence

from labctl.engine.model import Engine, Line, Stream
from labctl.errors import LabError
from labctl.events.codec import decode, normalise, stamp_of
from labctl.events.merge import Window, merge
from labctl.events.model import Event
from labctl.lab import probes
from labctl.lab.model import Lab, Node
from labctl.phases import reached

READ_LIMIT = 60.0  # seconds for what is already written
WHOLE = 4096  # pieces of a log: who has asked for more of them is given all
PROBE = "probe"
OF_PROBES = ("fault", "rule", "error", "log")  # the events of a probe that belong to the lab's journal
LOOK_FOR_PROBES = 1.0  # seconds
_SPAN = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


def read(
    engine: Engine, lab: Lab, names: Sequence[str] = (), *, since: str | None = None, tail: int | None = None
) -> list[Event]:
    """What was written until now, in order of time. `tail` is the number of the last events of the merged journal."""
    nodes = _with_probes(engine, lab, _chosen(lab, names))
    journals = _read(engine, nodes, since=since, tail=tail)
    merged = [event for event in merge(journals.values()) if since is None or event.ts >= since]
    return merged[max(0, len(merged) - tail) :] if tail is not None else merged


def _read(engine: Engine, nodes: Sequence[Node], *, since: str | None, tail: int | None) -> dict[str, list[Event]]:
    """What each container's log holds, by its id."""
    found: dict[str, list[Event]] = {node.container.id: [] for node in nodes}
    # What a probe says to labctl alone is left out, so its last lines may be none of ours.
    streams = [engine.logs(node.container.id, since=since, tail=None if node.role == PROBE else tail) for node in nodes]
    try:
        for happening in engine.wait(streams, time.monotonic() + READ_LIMIT):
            event = _event(nodes, happening.stream, happening.line) if happening.line else None
            if event:
                found[happening.stream.container].append(event)
    finally:
        _close(streams)
    if tail:
        # The engine counts pieces of 16 KiB, not lines: a tail may begin in the middle of a long one.
        torn = [node for node in nodes if node.role not in (None, PROBE) and _begins_torn(found[node.container.id])]
        if torn:
            wider = tail * 8 if tail < WHOLE else None
            found |= _read(engine, torn, since=since, tail=wider)
    return found


def _begins_torn(events: list[Event]) -> bool:
    """A node that keeps the contract prints no line that is no event, so one at the beginning is a line's end."""
    return bool(events) and events[0].name == "log" and not events[0].get("stderr")


def follow(
    engine: Engine,
    lab: Lab,
    names: Sequence[str] = (),
    *,
    since: str | None = None,
    tail: int | None = None,
    ready: Callable[[], object] = lambda: None,
) -> Iterator[Event]:
    """What was written, then what comes, in order of time within a tenth of a second; ends with the last node. `ready`
    is called when what comes is heard."""
    nodes = _with_probes(engine, lab, _chosen(lab, names))
    # Listening begins before reading, so that nothing falls between the two; what both give is told by its time.
    live = [engine.logs(node.container.id, follow=True, tail=0) for node in nodes]
    try:
        written = read(engine, lab, names, since=since, tail=tail)
        yield from written
        reached("logs:following")
        ready()
        last: dict[tuple[str, bool], str] = {}
        for event in written:
            last[_source(event)] = event.ts
        yield from _ordered(engine, lab, nodes, live, last)
    finally:
        _close(live)


def _source(event: Event) -> tuple[str, bool]:
    """Whose journal an event is from: the node's, or its probe's."""
    return event.node, event.name in ("fault", "rule")


def _ordered(
    engine: Engine, lab: Lab, nodes: list[Node], live: list[Stream], last: dict[tuple[str, bool], str]
) -> Iterator[Event]:
    window = Window()
    look = time.monotonic() + LOOK_FOR_PROBES
    while live:
        held = window.due
        for happening in engine.wait(live, look if held is None else min(held, look)):
            if happening.line is None:
                engine.containers(running=True)  # raises where it is the engine that went away
                live.remove(happening.stream)
            else:
                event = _event(nodes, happening.stream, happening.line)
                if event and event.ts > last.get(_source(event), ""):
                    window.add(event, time.monotonic())
            if time.monotonic() > look or (held is None and window.due is not None):
                break  # something is held now: wait only as long as it may be
        yield from window.take(time.monotonic())
        if time.monotonic() > look:
            _hear_new_probes(engine, lab, nodes, live)
            look = time.monotonic() + LOOK_FOR_PROBES
    yield from window.take()


def _hear_new_probes(engine: Engine, lab: Lab, nodes: list[Node], live: list[Stream]) -> None:
    """A rule that is set while we listen brings a probe with it."""
    heard = {node.container.id for node in nodes}
    for node in _with_probes(engine, lab, [node for node in nodes if node.role != PROBE]):
        if node.role == PROBE and node.container.id not in heard:
            nodes.append(node)
            live.append(engine.logs(node.container.id, follow=True))


def parse_since(text: str, now: float | None = None) -> str:
    """A time from `10s`, `5m`, `2h`, or RFC 3339 in UTC, as events hold it. Raises LabError `bad-option`."""
    span = _SPAN.fullmatch(text)
    if span:
        moment = (time.time() if now is None else now) - float(span[1]) * _SECONDS[span[2]]
        return stamp_of(int(moment * 1e9))
    found = normalise(text)
    if found:
        return found
    why = f"{text!r} is neither a span (30s, 5m, 2h) nor a time in UTC (2026-01-31T12:00:00Z)"
    raise LabError("bad-option", option="--since", why=why)


def _chosen(lab: Lab, names: Sequence[str]) -> list[Node]:
    return [lab.node(name) for name in dict.fromkeys(names)] if names else list(lab.nodes)


def _close(streams: Sequence[Stream]) -> None:
    for stream in streams:
        stream.close()


def _event(nodes: Sequence[Node], stream: Stream, line: Line) -> Event | None:
    """None for what a probe says to labctl alone."""
    node = next(node for node in nodes if node.container.id == stream.container)
    event = decode(line.text, node=node.name, stamp=line.stamp, stderr=line.stderr)
    return event if node.role != PROBE or event.name in OF_PROBES else None


def _with_probes(engine: Engine, lab: Lab, nodes: list[Node]) -> list[Node]:
    """The nodes, and for each host that has one its probe, which speaks of it."""
    found = probes.all_of(engine, lab.name)
    hosts = {host.name: host for host in map(lab.host, nodes) if host.probed in found}
    return nodes + [Node(name, PROBE, found[host.probed]) for name, host in hosts.items()]
