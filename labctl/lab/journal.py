"""The journal of a lab: the events of its nodes on one clock, from the past or as they come."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence

from labctl.engine.model import Engine, Line, Stream
from labctl.errors import Cancelled
from labctl.events.codec import EPOCH, decode, normalise, stamp_of
from labctl.events.merge import Window, merge
from labctl.events.model import Event
from labctl.lab import probes, written
from labctl.lab.gaps import Gaps
from labctl.lab.model import Lab, Node
from labctl.lab.written import BEGINNINGS, NEARLY, Written, key
from labctl.phases import reached

PROBE = "probe"
OF_PROBES = ("fault", "rule", "error", "log")  # the events of a probe that belong to the lab's journal
LOOK_FOR_MORE = 1.0  # seconds: probes that are new, nodes that run again
LOOK_BACK = 2000  # entries of a log: more than are written while it is read, so that what comes twice is known


def read(
    engine: Engine, lab: Lab, names: Sequence[str] = (), *, since: str | None = None, tail: int | None = None
) -> list[Event]:
    """What was written until now, in order of time. `tail` is the number of the last events of the merged journal.

    Where the engine has let go of the oldest part of what was asked for, an event `missing` says so.
    """
    nodes = _with_probes(engine, lab, _chosen(lab, names))
    found = written.read(engine, nodes, _decode, since=since, tail=tail) if tail != 0 else {}
    if tail is None:
        _add_missing(engine, nodes, found, since)
    return _merged(found, since, tail)


def _merged(found: Mapping[str, Written], since: str | None, tail: int | None) -> list[Event]:
    merged = [event for event in merge(one.events for one in found.values()) if since is None or event.ts >= since]
    return merged[max(0, len(merged) - tail) :] if tail is not None else merged


def _add_missing(engine: Engine, nodes: Sequence[Node], found: Mapping[str, Written], since: str | None) -> None:
    """Adds an event `missing` before the first one of each node whose log has lost its beginning.

    The engine doesn't tell. The first words of our own programs are known; of somebody else's only how much there is.
    """
    for node in nodes:
        one = found[node.container.id]
        if not one.events or node.role == PROBE or (node.role and one.events[0].name in BEGINNINGS):
            continue
        size, files = engine.details(node.container.id).log or (0, 0)
        is_full = one.weight >= NEARLY * size * (files - 1)
        if not size or not is_full or (files == 1 and not node.role):
            continue
        if since and _oldest(engine, node) < since:
            continue
        why = f"the oldest part of this journal {'is' if node.role else 'may be'} gone"
        one.events.insert(0, _missing(node, one.events[0].ts, why, (size, files)))


def _missing(node: Node, ts: str, why: str, log: tuple[int, int]) -> Event:
    size, files = log
    return Event(ts, node.name, "missing", fields={"reason": f"{why}, and the log keeps {size * files / 1e6:.3g} MB"})


def _oldest(engine: Engine, node: Node) -> str:
    """The engine's time of the oldest line that it has of a node."""
    stream = engine.logs(node.container.id)
    try:
        for happening in engine.wait([stream], time.monotonic() + written.READ_LIMIT):
            if happening.line:
                return normalise(happening.line.stamp) or EPOCH
    finally:
        stream.close()
    return EPOCH


def follow(
    engine: Engine,
    lab: Lab,
    names: Sequence[str] = (),
    *,
    since: str | None = None,
    tail: int | None = None,
    ready: Callable[[], object] = lambda: None,
    deadline: float | None = None,
) -> Iterator[Event]:
    """What was written, then what comes, in order of time within a tenth of a second; ends with the last node, or at
    the deadline (of time.monotonic()). `ready` is called when what comes is heard.

    Raises LabError; `cancelled` once all that has come was given.
    """
    nodes = _with_probes(engine, lab, _chosen(lab, names))
    # Listening begins before reading, so that nothing falls between the two. What both give is told by what it is, and
    # not by the time that an event says: that is the word of whoever wrote it, and clocks are set back.
    live = [engine.logs(node.container.id, follow=True, tail=0) for node in nodes]
    try:
        back = None if tail is None else max(tail, LOOK_BACK)
        found = written.read(engine, nodes, _decode, since=since, tail=back, keys=True)
        both = {ident: one.keys for ident, one in found.items()}
        if tail is None:
            _add_missing(engine, nodes, found, since)
        yield from _merged(found, since, tail)
        found.clear()
        reached("logs:following")
        ready()
        yield from _ordered(engine, lab, nodes, live, both, deadline)
    finally:
        _close(live)


def _ordered(
    engine: Engine,
    lab: Lab,
    nodes: list[Node],
    live: list[Stream],
    both: dict[str, set[int]],
    deadline: float | None,
) -> Iterator[Event]:
    """`both`: of each container, the lines that were read already and may come again."""
    window = Window()
    try:
        yield from _coming(engine, lab, nodes, live, both, window, math.inf if deadline is None else deadline)
    except Cancelled:
        yield from window.take()
        raise
    yield from window.take()


def _coming(
    engine: Engine,
    lab: Lab,
    nodes: list[Node],
    live: list[Stream],
    both: dict[str, set[int]],
    window: Window,
    deadline: float,
) -> Iterator[Event]:
    gaps: dict[str, Gaps] = {}
    look = time.monotonic() + LOOK_FOR_MORE
    while live and time.monotonic() < deadline:
        held = window.due
        for happening in engine.wait(live, min(deadline, look if held is None else min(held, look))):
            ident = happening.stream.container
            if happening.line is None:
                engine.containers(running=True)  # raises where it is the engine that went away
                live.remove(happening.stream)
            elif ident in both and key(happening.line) in both[ident]:
                continue
            else:
                both.pop(ident, None)  # a log has one order: from here on all of it is new
                node = next(node for node in nodes if node.container.id == ident)
                event = _decode(node, happening.line)
                if gaps.setdefault(ident, Gaps()).before(happening.line) and (limit := engine.details(ident).log):
                    why = "lines may be missing here: they were written faster than read"
                    window.add(_missing(node, normalise(happening.line.stamp) or EPOCH, why, limit), time.monotonic())
                if event:
                    window.add(event, time.monotonic())
            if time.monotonic() > look or (held is None and window.due is not None):
                break  # something is held now: wait only as long as it may be
        yield from window.take(time.monotonic())
        if live and time.monotonic() > look:
            _hear_more(engine, lab, nodes, live)
            look = time.monotonic() + LOOK_FOR_MORE


def _hear_more(engine: Engine, lab: Lab, nodes: list[Node], live: list[Stream]) -> None:
    """A rule that is set while we listen brings a probe with it, and a node that was stopped may start again."""
    heard = {node.container.id for node in nodes}
    for node in _with_probes(engine, lab, [node for node in nodes if node.role != PROBE]):
        if node.role == PROBE and node.container.id not in heard:
            nodes.append(node)
            live.append(engine.logs(node.container.id, follow=True))
    silent = heard - {stream.container for stream in live}
    if silent:
        for container in engine.containers(running=True):
            if container.id in silent:
                # What it has written since its last run ended is of this one; asked for is a second less than we say.
                ended = Event(normalise(engine.details(container.id).finished) or EPOCH, "", "").nanoseconds
                live.append(engine.logs(container.id, follow=True, since=stamp_of(ended + 1_000_000_000)))


def _chosen(lab: Lab, names: Sequence[str]) -> list[Node]:
    return [lab.node(name) for name in dict.fromkeys(names)] if names else list(lab.nodes)


def _close(streams: Sequence[Stream]) -> None:
    for stream in streams:
        stream.close()


def _decode(node: Node, line: Line) -> Event | None:
    """None for what a probe says to labctl alone."""
    event = decode(line.text, node=node.name, stamp=line.stamp, stderr=line.stderr)
    return event if node.role != PROBE or event.name in OF_PROBES else None


def _with_probes(engine: Engine, lab: Lab, nodes: list[Node]) -> list[Node]:
    """The nodes, and for each host that has one its probe, which speaks of it."""
    found = probes.all_of(engine, lab.name)
    hosts = {host.name: host for host in map(lab.host, nodes) if host.probed in found}
    return nodes + [Node(name, PROBE, found[host.probed]) for name, host in hosts.items()]
