"""Where two runs part first. What can't be the same in two runs of one thing is left out of both, by name."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from labctl.bundle import looks
from labctl.bundle.inputs import INPUT, text_of
from labctl.bundle.model import Run
from labctl.events.model import Event, nanoseconds_of
from labctl.lab.model import Lab, plain
from labctl.packets.ladder.ladder import Options, of_pairs
from labctl.packets.pattern.seen import Seen, seen_of
from labctl.packets.pattern.write import line_of
from labctl.packets.protocols import table

LEFT_OUT = (
    "times",
    "addresses (nodes stand for them) and the ports of clients",
    "ids",
    "absolute sequence numbers, windows and options of TCP",
    "pure acknowledgements and keep-alives",
    "ARP, neighbour discovery and groups",
    "dates in what HTTP says",
    "the order of what happened at different nodes or in different conversations",
)
# IMF-fixdate (RFC 9110, section 5.6.7), as servers send it.
_DATE = re.compile(rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT")
# What helpers say stands with the packets that it is about.
_OF_HELPERS = ("fault", "rule", "missing")


@dataclass(frozen=True)
class Line:
    """Something that happened, in words, and when (ns since the epoch)."""

    text: str
    at_ns: int


@dataclass(frozen=True)
class Strand:
    """Things of one kind that have an order of their own: what a node showed, one conversation on the wire."""

    what: str
    lines: tuple[Line, ...]


@dataclass(frozen=True)
class Parting:
    """Where a strand of two runs parts: `a` and `b` are its lines, `place` is the first at which they differ."""

    what: str
    a: tuple[Line, ...]
    b: tuple[Line, ...]
    place: int

    @property
    def words(self) -> str:
        """A sentence."""
        had = [lines[self.place].text if self.place < len(lines) else None for lines in (self.a, self.b)]
        after = f", after {self.a[self.place - 1].text}" if self.place else ""
        if None not in had:
            return f"{self.what}: A has {had[0]}, and B {had[1]}{after}"
        which, other = ("A", "B") if had[1] is None else ("B", "A")
        return f"{self.what}: {which} has {had[0] or had[1]}, and {other} nothing more{after}"


@dataclass(frozen=True)
class Difference:
    """How two runs differ: `partings` in order of time, the first of which is where they part."""

    partings: tuple[Parting, ...]
    left_out: tuple[str, ...] = LEFT_OUT

    @property
    def same(self) -> bool:
        return not self.partings


def difference(a: Run, b: Run) -> Difference:
    """Compares two runs; what one has no packets or payloads of is compared in neither."""
    left_out = list(LEFT_OUT)
    if payload := a.payload and b.payload:
        pass
    else:
        left_out.append("texts and payloads: one of the two was saved without")
    both = {side.node for side in a.sides} & {side.node for side in b.sides}
    if apart := {side.node for side in (*a.sides, *b.sides)} ^ both:
        left_out.append(f"the packets of {', '.join(sorted(apart))}: not recorded in both")
    found = [_by_name(_strands(run, both, payload=payload)) for run in (a, b)]
    partings = []
    for what in dict.fromkeys((*found[0], *found[1])):
        parting = _parting(what, *(strands[what].lines if what in strands else () for strands in found))
        if parting:
            partings.append((_when(parting, (_begin(a), _begin(b))), parting))
    return Difference(tuple(one for _, one in sorted(partings, key=lambda pair: pair[0])), tuple(left_out))


def _by_name(strands: Iterable[Strand]) -> dict[str, Strand]:
    return {strand.what: strand for strand in strands}


def _parting(what: str, a: tuple[Line, ...], b: tuple[Line, ...]) -> Parting | None:
    for place, (one, other) in enumerate(zip_longest(a, b)):
        if one is None or other is None or one.text != other.text:
            return Parting(what, a, b, place)
    return None


def _begin(run: Run) -> int:
    """When the first thing of a run happened."""
    times = [event.nanoseconds for event in run.events[:1]]
    times += [packets[0].ts_ns for side in run.sides for packets in (side.sent, side.arrived) if packets]
    return min(times, default=nanoseconds_of(run.saved))


def _when(parting: Parting, begins: tuple[int, int]) -> int:
    """How long after its run's beginning the first line is that the other one lacks."""
    times = [
        lines[parting.place].at_ns - begin
        for lines, begin in zip((parting.a, parting.b), begins, strict=True)
        if parting.place < len(lines)
    ]
    return min(times)


def _strands(run: Run, recorded: set[str], *, payload: bool) -> Iterator[Strand]:
    names = _Names(run.lab)
    nodes = [Line(f"{node.name} ({node.role or 'no role'})", 0) for node in run.lab.nodes]
    yield Strand("the nodes", tuple(nodes))
    faults = [event for event in run.events if event.name == "rule" and event.get("state") == "set"]
    faults.sort(key=lambda event: (len(str(event.get("rule"))), str(event.get("rule")), str(event.get("link"))))
    yield Strand("the faults", tuple(_rule(event) for event in faults))
    for node in run.lab.nodes:
        mine = [event for event in run.events if event.node == node.name and event.name not in _OF_HELPERS]
        lines = tuple(Line(_said(event, names, payload=payload), event.nanoseconds) for event in mine)
        yield Strand(f"what {node.name} showed", lines)
    yield from _conversations(run, recorded, names, payload=payload)


def _rule(event: Event) -> Line:
    return Line(f"{event.get('link')}: {event.get('what')}, seed {event.get('seed')}", event.nanoseconds)


class _Names:
    """Nodes in place of addresses."""

    def __init__(self, lab: Lab) -> None:
        self._names = {plain(address): host.name for host in lab.hosts for address in host.addresses}
        every = sorted((re.escape(address) for address in self._names), key=len, reverse=True)
        self._any = re.compile(rf"(?<![\w.:])(?:{'|'.join(every)})(?![\w:]|\.\d)".encode()) if every else None

    def of(self, address: str) -> str:
        return self._names.get(plain(address), "somebody")

    def masked(self, data: bytes) -> bytes:
        """A text with nodes in place of addresses, and without dates."""
        if self._any:
            data = self._any.sub(lambda found: self._names[found[0].decode()].encode(), data)
        return _DATE.sub(b"<date>", data)


def _said(event: Event, names: _Names, *, payload: bool) -> str:
    parts = [event.name]
    if event.peer:
        parts.append(f"with {names.of(event.peer[0])}")
    text = text_of(event) if payload else None
    if text is not None:
        parts.append(repr(names.masked(text.encode("utf-8", "replace")).decode()))
    if event.name == INPUT and payload and event.get("to"):
        parts.append(f"to {names.of(str(event.get('to')).rpartition(':')[0].strip('[]'))}")
    error = event.get("error")
    return " ".join([*parts, *([str(error)] if error else [])])


def _conversations(run: Run, recorded: set[str], names: _Names, *, payload: bool) -> Iterator[Strand]:
    """Each conversation between two nodes; of several between the same ends the first of one run is that of the
    other."""
    sides = [side for side in run.sides if side.node in recorded]
    ladders = of_pairs(sides, looks.verdicts(run), Options(None, False, 0))
    certain = [
        replace(ladder, arrows=tuple(arrow for arrow in ladder.arrows if not arrow.crossing.open)) for ladder in ladders
    ]
    flows: dict[tuple[str, frozenset[str]], list[Seen]] = {}
    for one in seen_of(certain):
        if not one.upkeep and not one.is_pure_ack:
            flows.setdefault((one.flow, frozenset((one.sender, one.receiver))), []).append(one)
    count: Counter[str] = Counter()
    for packets in flows.values():
        # A client that comes before its server tries again: what it then says is the same all the same.
        what = _ends(packets) if _began(packets) else f"{_ends(packets)}, attempts that failed"
        count[what] += 1
        number = f", number {count[what]}" if count[what] > 1 else ""
        lines = tuple(Line(_on_wire(one, names, payload=payload), one.at_ns) for one in packets)
        yield Strand(f"the wire, {what}{number}", lines)


def _began(packets: Sequence[Seen]) -> bool:
    """Whether it came to a conversation: of TCP more than attempts to connect, and their refusals."""
    return any(one.protocol not in table().streams or not one.flags & {"S", "R"} for one in packets)


def _ends(packets: Sequence[Seen]) -> str:
    """Who began a conversation with whom, and at which port."""
    first = packets[0]
    if first.flags >= {"S", "."}:  # its answer is all that was seen of the beginning
        return f"{first.receiver} > {first.sender}:{first.sport} ({first.protocol})"
    if first.protocol in table().streams and "S" not in first.flags and (first.sport or 0) < (first.dport or 0):
        # Of one whose beginning was not recorded, the lower port is the one that somebody listened at.
        return f"{first.receiver} > {first.sender}:{first.sport} ({first.protocol})"
    port = "" if first.dport is None else f":{first.dport}"
    return f"{first.sender} > {first.receiver}{port} ({first.protocol})"


def _on_wire(one: Seen, names: _Names, *, payload: bool) -> str:
    data = names.masked(one.payload) if payload else b""
    is_bare = one.ack is None and data == one.payload
    return line_of(one if is_bare else replace(one, ack=None, payload=data))
