"""A ladder: two lifelines, and an arrow for each packet between them in order of time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from labctl.packets.crossings import Crossing, Fate, Rules, Side, Verdict, apart_ns
from labctl.packets.ladder.label import Mark, label, marks
from labctl.packets.ladder.questions import asked, unanswered
from labctl.packets.matching.match import matched
from labctl.packets.model import Packet
from labctl.packets.protocols.kind import Label
from labctl.packets.protocols.words import end, ends
from labctl.packets.tcp.flows import analyse
from labctl.packets.tcp.fragments import with_ports
from labctl.packets.tcp.segment import Segment

LIMIT = 500  # arrows, where nothing else is asked for
_DELAYED = "Delayed: "  # how the sentence begins on what that mark means


@dataclass(frozen=True, slots=True)
class Options:
    """What to draw: one port's packets, with pure acknowledgements or without, at most `limit` arrows (0: all)."""

    port: int | None = None
    acks: bool = True
    limit: int = LIMIT


@dataclass(frozen=True, slots=True)
class Lifeline:
    name: str
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Arrow:
    """One arrow. `at_ns` is where it stands among the others: when it was sent or, if that wasn't seen, arrived.

    `rightwards`: it goes from the left lifeline to the right one. `number` counts from 1, over what was cut as well.
    `flow` names its conversation by protocol and ends, the same for both directions.
    """

    number: int
    at_ns: int
    rightwards: bool
    sent_ns: int | None
    arrived_ns: int | None
    fate: Fate
    label: Label
    flow: str
    marks: tuple[Mark, ...]
    faults: tuple[str, ...]
    crossing: Crossing = field(repr=False)
    segment: Segment | None = None
    copy: bool = False

    @property
    def latency_ns(self) -> int | None:
        if self.sent_ns is None or self.arrived_ns is None or self.fate == "seen":
            return None
        return max(0, self.arrived_ns - self.sent_ns)

    def took(self, error_ns: int) -> int | None:
        """`latency_ns`, where that is more than clocks may be off from each other."""
        latency = self.latency_ns
        return None if latency is None or latency < error_ns else latency

    def said(self, word: str) -> bool:
        """A mark has this word."""
        return any(mark.word == word for mark in self.marks)


@dataclass(frozen=True, slots=True)
class Moment:
    """Something that happened at one of the two nodes and is no packet: a system call, a change of a socket's state."""

    at_ns: int
    on_right: bool
    kind: Literal["call", "state"]
    text: str
    trouble: bool = False


@dataclass(frozen=True, slots=True)
class Ladder:
    """`cut`: arrows beyond the limit; `hidden`: pure acknowledgements that were not asked for; `notes`: sentences.

    `moments` are what happened at the nodes besides, in order of time. `clock_error_ns`: how far the clocks of the two
    nodes may be off from each other, where these are on two machines.
    """

    left: Lifeline
    right: Lifeline
    arrows: tuple[Arrow, ...]
    cut: int = 0
    hidden: int = 0
    notes: tuple[str, ...] = ()
    moments: tuple[Moment, ...] = ()
    clock_error_ns: int = 0

    def part(self, begin_ns: int, limit: int) -> Ladder:
        """What is in it from some time on, at most so many arrows, counted from 1."""
        arrows = [arrow for arrow in self.arrows if arrow.at_ns >= begin_ns]
        moments = tuple(moment for moment in self.moments if moment.at_ns >= begin_ns)
        before = arrows[0].number - 1 if arrows else 0
        kept = tuple(replace(arrow, number=arrow.number - before) for arrow in arrows[:limit])
        slow = any(arrow.crossing.is_slow for arrow in kept)
        notes = tuple(note for note in self.notes if slow or not note.startswith(_DELAYED))
        return replace(self, arrows=kept, moments=moments, cut=self.cut + len(arrows) - len(kept), notes=notes)

    @property
    def begin_ns(self) -> int:
        firsts = [arrow.at_ns for arrow in self.arrows[:1]] + [moment.at_ns for moment in self.moments[:1]]
        return min(firsts, default=0)

    @property
    def end_ns(self) -> int:
        """When the last thing began."""
        lasts = [arrow.at_ns for arrow in self.arrows[-1:]] + [moment.at_ns for moment in self.moments[-1:]]
        return max(lasts, default=0)

    @property
    def rows(self) -> list[Arrow | Moment]:
        """All of it in order of time; of the same instant, what a node did comes before its packets."""
        return sorted((*self.moments, *self.arrows), key=lambda item: item.at_ns)


def two_sided(
    left: Side,
    right: Side,
    verdicts: Iterable[Verdict] = (),
    options: Options | None = None,
    rules: Rules | None = None,
    others: Sequence[Side] = (),
) -> Ladder:
    """The ladder of two nodes from the captures on both. `others` are matched as well, but not drawn."""
    return _Matched([left, right, *others], list(verdicts), rules).ladder(0, 1, options or Options())


def of_pairs(
    sides: Sequence[Side],
    verdicts: Iterable[Verdict] = (),
    options: Options | None = None,
    rules: Rules | None = None,
) -> list[Ladder]:
    """A ladder for each two sides between which anything went, in the order of their first packets."""
    matched = _Matched(sides, list(verdicts), rules)
    found = [
        matched.ladder(one, other, options or Options())
        for one in range(len(sides))
        for other in range(one + 1, len(sides))
        if matched.has(one, other)
    ]
    return sorted((ladder for ladder in found if ladder.arrows), key=lambda ladder: ladder.begin_ns)


class _Matched:
    """Several sides, matched once, from which any two can be drawn."""

    def __init__(self, sides: Sequence[Side], verdicts: list[Verdict], rules: Rules | None) -> None:
        self._sides = [_whole(side) for side in sides]
        self._rules = rules = _allowing(rules or Rules(), apart_ns(self._sides))
        found = matched(self._sides, verdicts, rules)
        self._crossings = _Crossings(found.crossings)
        self._unblamed: dict[frozenset[str], list[Verdict]] = {}
        for verdict in found.unblamed:
            self._unblamed.setdefault(frozenset((verdict.src, verdict.dst)), []).append(verdict)
        self._silent = unanswered(self._sides)
        self._segments: dict[int, Segment] = {}
        for side in self._sides:
            view = sorted((*side.sent, *side.arrived), key=lambda packet: (packet.ts_ns, packet.index))
            self._segments |= _segments(view, side.addresses)

    def has(self, one: int, other: int) -> bool:
        """Anything went between two sides, by their positions."""
        return self._crossings.has(self._sides[one].node, self._sides[other].node)

    def ladder(self, one: int, other: int, options: Options) -> Ladder:
        pair = self._sides[one], self._sides[other]
        wanted = self._crossings.between(pair[0].node, pair[1].node)
        notes = _notes(wanted, pair, self._rules) + self._unseen(pair, wanted)
        lines = [Lifeline(side.node, _own(_addresses(wanted, side.node), side)) for side in pair]
        made = _drawn(wanted, lines[0], lines[1], self._segments, options, notes)
        made = replace(made, clock_error_ns=apart_ns(pair))
        if not self._silent:
            return made
        return replace(made, arrows=tuple(_asked(arrow, self._silent) for arrow in made.arrows))

    def _unseen(self, pair: tuple[Side, Side], crossings: Sequence[Crossing]) -> tuple[str, ...]:
        """Says which faults acted between the two on packets that no capture shows."""
        if not self._unblamed:
            return ()
        ends = {frozenset((one.packet.src, one.packet.dst)) for one in crossings}
        ends |= {frozenset((a, b)) for a in pair[0].addresses for b in pair[1].addresses}
        told = {id(verdict) for one in crossings for verdict in one.faults}
        rest = [one for key in ends for one in self._unblamed.get(key, ()) if id(one) not in told]
        if not rest:
            return ()
        rules = ", ".join(dict.fromkeys(one.rule for one in sorted(rest, key=lambda one: one.ts_ns)))
        count = len(rest)
        return (f"{rules} acted on {count} packet{'' if count == 1 else 's'} that the captures don't show.",)


class _Crossings:
    """Crossings by the two nodes between which they are."""

    def __init__(self, crossings: Sequence[Crossing]) -> None:
        self._of: dict[frozenset[str], list[Crossing]] = {}
        self._quoting: dict[str, list[Crossing]] = {}  # what speaks of other packets, by who got it
        for one in crossings:
            self._of.setdefault(frozenset((one.sender, one.receiver)), []).append(one)
            if one.packet.icmp and one.packet.icmp.quoted:
                self._quoting.setdefault(one.receiver, []).append(one)

    def has(self, left: str, right: str) -> bool:
        return frozenset((left, right)) in self._of

    def between(self, left: str, right: str) -> list[Crossing]:
        """The crossings between two nodes, and what routers on the way say of these."""
        mine = list(self._of.get(frozenset((left, right)), ()))
        said = [one for node in dict.fromkeys((left, right)) for one in self._quoting.get(node, ())]
        spoken = {one.packet.source + one.packet.target for one in mine} if said else set()
        for one in said:
            quoted = one.packet.icmp.quoted if one.packet.icmp else None
            if quoted and one.sender not in (left, right) and quoted.source + quoted.target in spoken:
                mine.append(one)
        return mine


def one_sided(
    packets: Sequence[Packet],
    names: Mapping[str, str] | None = None,
    nodes: tuple[str, str] | None = None,
    options: Options | None = None,
    *,
    by_port: bool = False,
) -> Ladder:
    """The ladder of one capture, on which nothing can be lost: what isn't there isn't known.

    `names` calls addresses by a node's name. `nodes`: the two to draw; else those of the first packet. `by_port`: the
    two are ports of one host, which speaks with itself.
    """
    names = names or {}
    packets = with_ports(packets)
    if by_port:
        crossings = [Crossing(end(*one.source), end(*one.target), one, None, "seen") for one in packets]
    else:
        crossings = [
            Crossing(names.get(one.src, one.src), names.get(one.dst, one.dst), one, None, "seen") for one in packets
        ]
    first = next(((one.sender, one.receiver) for one in crossings if one.sender != one.receiver), ("?", "?"))
    left, right = nodes or first
    wanted = _Crossings(crossings).between(left, right)
    lines = [Lifeline(name, _addresses(wanted, name)) for name in (left, right)]
    return _drawn(wanted, lines[0], lines[1], _segments(packets), options or Options(), ())


def _whole(side: Side) -> Side:
    return replace(side, sent=with_ports(side.sent), arrived=with_ports(side.arrived))


def _allowing(rules: Rules, error: int) -> Rules:
    """What follows from clocks that may be off from each other by so much (in nanoseconds)."""
    return Rules(rules.delay_floor + 2 * error, rules.slack + error, rules.flight + 2 * error)


def _segments(view: Sequence[Packet], own: Sequence[str] = ()) -> dict[int, Segment]:
    found = analyse(view, own).segments
    return {id(packet): segment for packet, segment in zip(view, found, strict=True) if segment is not None}


def _addresses(crossings: Sequence[Crossing], node: str) -> tuple[str, ...]:
    """A node's addresses as it knows them itself, in the order of their use."""
    out: dict[str, None] = {}
    for one in crossings:
        if one.sender == node:
            out[one.packet.src] = None
        if one.receiver == node and (one.arrived is not None or one.fate == "seen"):
            out[(one.arrived or one.packet).dst] = None
    return tuple(address for address in out if address and address != node)


def _asked(arrow: Arrow, silent: set[int]) -> Arrow:
    if id(arrow.crossing.packet) not in silent:
        return arrow
    mark = Mark("no answer", f"what is for {asked(arrow.crossing.packet)} can't be sent")
    return replace(arrow, marks=(*arrow.marks, mark))


def _own(used: tuple[str, ...], side: Side) -> tuple[str, ...]:
    """Of the addresses that were used those of the node itself: a router passes on what is for others."""
    own = tuple(address for address in used if address in side.addresses) if side.addresses else used
    return own or side.addresses


def _notes(crossings: Sequence[Crossing], sides: Sequence[Side], rules: Rules) -> tuple[str, ...]:
    out = []
    for side in sides:
        if count := side.kernel_drops:
            out.append(
                f"The kernel dropped {count} packet{'' if count == 1 else 's'} of the capture at {side.node}: what is "
                "missing there isn't called lost."
            )
    if any(one.is_slow for one in crossings):
        out.append(
            f"Delayed: {rules.delay_floor / 1e6:g} ms or more above the median of its flow's direction, and twice it."
        )
    error = apart_ns(sides)
    if error:
        clocks = " and ".join(sorted({side.clock for side in sides}))
        out.append(
            f"{clocks} are machines with clocks of their own, known to {error / 1e6:.2g} ms of each other: what is "
            "closer in time at two nodes may have happened in the other order."
        )
    return tuple(out)


def _drawn(
    crossings: Sequence[Crossing],
    left: Lifeline,
    right: Lifeline,
    segments: dict[int, Segment],
    options: Options,
    notes: tuple[str, ...],
) -> Ladder:
    wanted: list[tuple[int, int, Crossing, Segment | None, Packet | None]] = []
    hidden = 0
    for number, one in enumerate(crossings):
        segment = segments.get(id(one.packet))
        if options.port is not None and options.port not in _ports(one):
            continue
        if not options.acks and is_pure(one, segment):
            hidden += 1
            continue
        wanted.append((one.packet.ts_ns, number, one, segment, None))
        wanted += [(copy.ts_ns, number, one, segment, copy) for copy in one.copies]
    wanted.sort(key=lambda item: item[:2])
    chosen = wanted[: options.limit] if options.limit else wanted
    names: dict[object, str] = {}
    arrows = tuple(
        _arrow(number, at, one, segment, copy, left.name, right.name, names)
        for number, (at, _, one, segment, copy) in enumerate(chosen, 1)
    )
    return Ladder(left, right, arrows, len(wanted) - len(chosen), hidden, notes)


def _arrow(
    number: int,
    at: int,
    one: Crossing,
    segment: Segment | None,
    copy: Packet | None,
    left: str,
    right: str,
    names: dict[object, str],
) -> Arrow:
    packet, arrived = one.packet, copy or one.arrived
    flow = (packet.protocol, frozenset((packet.source, packet.target)))
    name = names.get(flow) or names.setdefault(flow, f"{packet.protocol} {ends(packet)}")
    if one.arrived is not None and one.rewritten is not None:  # what comes back has the ends that it arrived with
        names.setdefault((packet.protocol, frozenset((one.arrived.source, one.arrived.target))), name)
    remarks = marks(one, segment, copy)
    if one.sender not in (left, right):
        remarks = (Mark("from a router", one.sender), *remarks)
    rightwards = one.receiver == right if one.receiver != one.sender else True
    return Arrow(
        number,
        at,
        rightwards,
        one.sent.ts_ns if one.sent else None,
        arrived.ts_ns if arrived else None,
        one.fate,
        label(packet, segment),
        name,
        remarks,
        tuple(dict.fromkeys(verdict.rule for verdict in one.faults)),
        one,
        segment,
        copy is not None,
    )


def _ports(one: Crossing) -> set[int | None]:
    quoted = one.packet.icmp.quoted if one.packet.icmp else None
    found = {one.packet.sport, one.packet.dport}
    if one.arrived is not None:
        found |= {one.arrived.sport, one.arrived.dport}
    return found | ({quoted.sport, quoted.dport} if quoted else set())


def is_pure(one: Crossing, segment: Segment | None) -> bool:
    """An acknowledgement and nothing else, that nothing happened to."""
    quiet = one.fate in ("delivered", "seen") and not (one.copies or one.faults or one.delayed or one.reordered)
    return segment is not None and segment.kind == "ack" and quiet and not one.corrupted and not segment.notes
