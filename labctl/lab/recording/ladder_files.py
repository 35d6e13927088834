"""Ladders of capture files: of one, as its observer saw it, or of two that were taken at both ends."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from labctl.errors import LabError
from labctl.lab.recording.packet_file import STDIN, records_from
from labctl.packets.crossings import Rules, Side
from labctl.packets.files.capture import Parser
from labctl.packets.ladder.ladder import Arrow, Ladder, Options, one_sided, two_sided
from labctl.packets.matching.taps import sent_once
from labctl.packets.matching.two_files import Aligned, Alignment, aligned
from labctl.packets.model import Packet
from labctl.packets.protocols.ip import decode
from labctl.packets.protocols.words import end
from labctl.packets.tcp.flows import Analysis, Endpoint, Flow, analyse
from labctl.packets.tcp.fragments import with_ports
from labctl.packets.tcp.segment import milliseconds

SUFFIXES = (".pcap", ".pcapng", ".cap", ".ntar", ".dmp", ".gz")
_SHOWN = 12  # conversations that are told of
MOST = 500_000  # packets: all of them are held, each in some 0.5 KiB


@dataclass(frozen=True)
class Drawing:
    """A ladder, what is to be said of the choice, and what is wrong with a file after what was whole of it."""

    ladder: Ladder
    remarks: tuple[str, ...] = ()
    problem: LabError | None = None


def is_file(name: str) -> bool:
    """A name that is no node's: `-`, a path, or one that ends as captures do."""
    return name == STDIN or "/" in name or name.lower().endswith(SUFFIXES)


def of_file(file: str, options: Options, flow: str = "") -> Drawing:
    """One capture: of the conversation `flow`, else of the two hosts that sent each other most. Raises LabError."""
    found = packets_of(file)
    packets = found.packets
    analysis = analyse(packets)
    chosen, remarks = _chosen(file, packets, analysis, flow)
    first = next((packet for packet in chosen if packet.icmp is None or packet.icmp.quoted is None), chosen[0])
    names: tuple[str, str] = (first.src, first.dst)
    by_port = first.src == first.dst
    if by_port:
        names = (end(*first.source), end(*first.target))
    made = one_sided(chosen, None, names, options, by_port=by_port)
    if not all(packet.record.timed for packet in chosen):
        made = replace(made, notes=(*made.notes, "The capture has no times for these packets."))
    return Drawing(made, remarks, found.problem)


def of_files(first: str, second: str, options: Options, flow: str = "") -> Drawing:
    """Two captures of the same packets, taken at both ends. Raises LabError `nothing-in-common`."""
    here, there = packets_of(first), packets_of(second)
    mine, theirs = sent_once(here.packets), sent_once(there.packets)
    analysis = analyse(mine)
    chosen = _chosen(first, mine, analysis, flow)[0] if flow else None
    among = chosen and [packet for packet in chosen if packet.icmp is None or packet.icmp.quoted is None]
    found = aligned(mine, theirs, among)
    if found is None:
        raise LabError("nothing-in-common", first=first, second=second)
    left, right = replace(found.left, kernel_drops=here.drops), replace(found.right, kernel_drops=there.drops)
    rules = rules_of(found.alignment)
    remarks: tuple[str, ...] = ()
    if chosen is not None:
        made = _only(left, right, options, rules, {_ends(packet) for packet in chosen})
    else:
        made = two_sided(left, right, (), options, rules)
        flows = _numbered(analysis)
        remarks = _rest(flows, [one for _, one in flows if _hosts(one) == found.hosts], found.hosts)
    made = replace(made, notes=(*clocks_of(found, first, second), *made.notes))
    return Drawing(made, remarks, here.problem or there.problem)


def rules_of(alignment: Alignment) -> Rules:
    """Clocks that move against each other make latencies, and what comes before what, less certain."""
    usual, early = Rules(), alignment.early_ns
    return Rules(usual.delay_floor + 2 * early, usual.slack + early, usual.flight + 2 * early)


def _only(left: Side, right: Side, options: Options, rules: Rules, ends: set[frozenset[Endpoint]]) -> Ladder:
    """The ladder of some conversations, by their ends as the first capture has them."""
    every = two_sided(left, right, (), replace(options, limit=0, acks=True), rules)
    known = set(ends)  # behind a router that translates, what comes from the far end had other ones
    for arrow in every.arrows:
        if _sightings(arrow) & ends:
            known |= _sightings(arrow)
    shown = every if options.acks else two_sided(left, right, (), replace(options, limit=0), rules)
    count = sum(bool(_sightings(arrow) & known) for arrow in every.arrows)
    mine = [arrow for arrow in shown.arrows if _sightings(arrow) & known]
    kept = mine[: options.limit] if options.limit else mine
    arrows = tuple(replace(arrow, number=number) for number, arrow in enumerate(kept, 1))
    return replace(shown, arrows=arrows, cut=len(mine) - len(kept), hidden=count - len(mine))


def _sightings(arrow: Arrow) -> set[frozenset[Endpoint]]:
    """The ends of a packet as it was sent, and as it arrived."""
    return {_ends(packet) for packet in (arrow.crossing.sent, arrow.crossing.arrived) if packet is not None}


def _ends(packet: Packet) -> frozenset[Endpoint]:
    """The ends that a packet goes between or, as an ICMP error, speaks of."""
    about = packet.icmp.quoted if packet.icmp and packet.icmp.quoted else packet
    return frozenset((about.source, about.target))


def clocks_of(found: Aligned, first: str, second: str) -> list[str]:
    alignment = found.alignment
    count = f"{alignment.shared} packet{'' if alignment.shared == 1 else 's'}"
    off = abs(alignment.offset_ns)
    words = f"{milliseconds(off)} ({off} ns) {'ahead of' if alignment.offset_ns >= 0 else 'behind'}"
    said = f"The clock of {second} is {words} that of {first}, by {count} that both have; times are the first one's."
    if not alignment.both_ways:
        said += " All of these went one way: the time that they took is part of it."
    if alignment.guessed:
        said += " Which file is of which end is told by the clocks alone, as if they agreed."
    if not alignment.early_ns:
        return [said]
    moved, right = milliseconds(2 * alignment.early_ns), milliseconds(alignment.early_ns)
    return [
        said,
        f"Meanwhile the clocks moved by {moved} against each other, at least: what a packet took is right to {right}.",
    ]


@dataclass(frozen=True)
class File:
    """All packets of a capture, how many the kernel could not hand to it, and what is wrong with it after them."""

    packets: list[Packet]
    drops: int
    problem: LabError | None


def packets_of(file: str) -> File:
    """Raises LabError where not one packet is whole."""
    packets: list[Packet] = []
    problem = None
    parser = Parser()
    try:
        for record in records_from(file, parser):
            if len(packets) == MOST:
                raise LabError("capture-large", file=file, most=MOST)
            packets.append(decode(record, len(packets)))
    except LabError as raised:
        if not packets:
            raise
        problem = raised
    found = with_ports(packets)
    if not any(packet.src for packet in found):
        raise LabError("no-conversation", file=file, has=f"{len(found) or 'no'} packet{'' if len(found) == 1 else 's'}")
    return File(found, sum(parser.drops.values()), problem)


def _chosen(file: str, packets: list[Packet], analysis: Analysis, flow: str) -> tuple[list[Packet], tuple[str, ...]]:
    flows = _numbered(analysis)
    if flow:
        wanted = [one for number, one in flows if _fits(number, one, flow)]
        if not wanted:
            raise LabError("no-such-flow", file=file, flow=flow, has=_listed(flows))
        return _with_errors(packets, _of_one(wanted)), ()
    hosts = Counter(frozenset((packet.src, packet.dst)) for packet in packets if packet.src)
    most = hosts.most_common(1)[0][0]
    mine = _of_one([one for _, one in flows if _hosts(one) == most])
    if len(most) == 1:  # a host with itself: only ports tell the two ends apart
        mine = [max(mine, key=lambda one: len(one.packets))]
    return _with_errors(packets, mine), _rest(flows, mine, most)


def _numbered(analysis: Analysis) -> list[tuple[int, Flow]]:
    return list(enumerate(_speaking(analysis.flows), 1))


def _hosts(flow: Flow) -> frozenset[str]:
    return frozenset((flow.client[0], flow.server[0]))


def _of_one(flows: Sequence[Flow]) -> list[Flow]:
    """Of conversations that several saw, those of the one that saw most of them."""
    counts: Counter[str] = Counter()
    for one in flows:
        counts[one.node] += len(one.packets)
    most = counts.most_common(1)[0][0]
    return [one for one in flows if one.node == most]


def _rest(flows: Sequence[tuple[int, Flow]], mine: Sequence[Flow], hosts: frozenset[str]) -> tuple[str, ...]:
    """What is said where more is there than what is drawn."""
    if len(mine) == len(flows):
        return ()
    seen = f", as {mine[0].node} saw it" if mine and mine[0].node else ""
    names = " and ".join(sorted(hosts))
    return (f"drawn is what {names} sent each other{seen}; --flow N chooses among all: {_listed(flows)}",)


def _speaking(flows: Sequence[Flow]) -> list[Flow]:
    return [one for one in flows if one.client[0]]


def _with_errors(packets: list[Packet], flows: Sequence[Flow]) -> list[Packet]:
    """The packets of some conversations, and the ICMP errors about them."""
    places = {place for one in flows for place in one.packets}
    ends = {frozenset((one.client, one.server)) for one in flows}
    node = flows[0].node
    out = []
    for place, packet in enumerate(packets):
        is_theirs = packet.icmp and packet.icmp.quoted and _ends(packet) in ends
        if place in places or (is_theirs and node in ("", packet.node)):
            out.append(packet)
    return out


def _fits(number: int, flow: Flow, wanted: str) -> bool:
    """By its number, or by one of its ends, or both: 10.0.0.1, 10.0.0.1:80, 10.0.0.1:4000-10.0.0.2:80."""
    if re.fullmatch(r"[0-9]+", wanted):
        return str(number) == (wanted.lstrip("0") or "0")
    words = wanted.split("-")
    names = [{host, end(host, port)} for host, port in (flow.client, flow.server)]
    if len(words) == 1:
        return any(words[0] in name for name in names)
    return len(words) == 2 and any(
        words[0] in one and words[1] in other for one, other in (names, list(reversed(names)))
    )


def _listed(flows: Sequence[tuple[int, Flow]]) -> str:
    said = [
        f"{number} {one.protocol} {end(*one.client)} > {end(*one.server)} ({len(one.packets)})"
        + (f" at {one.node}" if one.node else "")
        for number, one in flows
    ]
    more = f" and {len(said) - _SHOWN} more" if len(said) > _SHOWN else ""
    return f"{', '.join(said[:_SHOWN])}{more}"
