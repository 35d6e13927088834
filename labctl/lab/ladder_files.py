"""Ladders of capture files: of one, as its observer saw it, or of two that were taken at both ends."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

from labctl.errors import LabError
from labctl.lab.packet_file import STDIN, records_from
from labctl.packets.decode import decode
from labctl.packets.flows import Analysis, Endpoint, Flow, analyse
from labctl.packets.fragments import with_ports
from labctl.packets.ladder import Ladder, Options, one_sided, two_sided
from labctl.packets.model import Packet
from labctl.packets.tcp import milliseconds
from labctl.packets.two_files import Aligned, aligned
from labctl.packets.words import end

SUFFIXES = (".pcap", ".pcapng", ".cap", ".ntar", ".dmp", ".gz")
_SHOWN = 12  # conversations that are told of


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
    packets, problem = _read(file)
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
    return Drawing(made, remarks, problem)


def of_files(first: str, second: str, options: Options, flow: str = "") -> Drawing:
    """Two captures of the same packets, taken at both ends. Raises LabError `nothing-in-common`."""
    here, problem = _read(first)
    there, other_problem = _read(second)
    found = aligned(here, there)
    if found is None:
        raise LabError("nothing-in-common", first=first, second=second)
    if flow:
        chosen, _ = _chosen(first, here, analyse(here), flow)
        made = _only(found, options, {_ends(packet) for packet in chosen})
    else:
        made = two_sided(found.left, found.right, (), options)
    made = replace(made, notes=(_clocks(found, first, second), *made.notes))
    return Drawing(made, (), problem or other_problem)


def _only(found: Aligned, options: Options, ends: set[frozenset[Endpoint]]) -> Ladder:
    """The ladder of some conversations, by their ends as the first capture has them."""
    made = two_sided(found.left, found.right, (), replace(options, limit=0, acks=True))
    shown = two_sided(found.left, found.right, (), replace(options, limit=0))
    every = sum(_ends(arrow.crossing.packet) in ends for arrow in made.arrows)
    mine = [arrow for arrow in shown.arrows if _ends(arrow.crossing.packet) in ends]
    kept = mine[: options.limit] if options.limit else mine
    arrows = tuple(replace(arrow, number=number) for number, arrow in enumerate(kept, 1))
    return replace(shown, arrows=arrows, cut=len(mine) - len(kept), hidden=every - len(mine))


def _ends(packet: Packet) -> frozenset[Endpoint]:
    """The ends that a packet goes between or, as an ICMP error, speaks of."""
    about = packet.icmp.quoted if packet.icmp and packet.icmp.quoted else packet
    return frozenset((about.source, about.target))


def _clocks(found: Aligned, first: str, second: str) -> str:
    alignment = found.alignment
    count = f"{alignment.shared} packet{'' if alignment.shared == 1 else 's'}"
    off = abs(alignment.offset_ns)
    words = f"{milliseconds(off)} ({off} ns) {'ahead of' if alignment.offset_ns >= 0 else 'behind'}"
    said = f"The clock of {second} is {words} that of {first}, by {count} that both have; times are the first one's."
    if alignment.both_ways:
        return said
    return f"{said} All of these went one way: the time that they took is part of it."


def _read(file: str) -> tuple[list[Packet], LabError | None]:
    """All packets, and what is wrong with the capture after them. Raises LabError where not one is whole."""
    packets: list[Packet] = []
    problem = None
    try:
        for record in records_from(file):
            packets.append(decode(record, len(packets)))
    except LabError as raised:
        if not packets:
            raise
        problem = raised
    found = with_ports(packets)
    if not any(packet.src for packet in found):
        raise LabError("no-conversation", file=file, has=f"{len(found) or 'no'} packet{'' if len(found) == 1 else 's'}")
    return found, problem


def _chosen(file: str, packets: list[Packet], analysis: Analysis, flow: str) -> tuple[list[Packet], tuple[str, ...]]:
    flows = [(number, one) for number, one in enumerate(_speaking(analysis.flows), 1)]
    if flow:
        wanted = [(number, one) for number, one in flows if _fits(number, one, flow)]
        if not wanted:
            raise LabError("no-such-flow", file=file, flow=flow, has=_listed(flows))
        places = {place for _, one in wanted for place in one.packets}
        return _with_errors(packets, places, {frozenset((one.client, one.server)) for _, one in wanted}), ()
    hosts = Counter(frozenset((packet.src, packet.dst)) for packet in packets if packet.src)
    most = hosts.most_common(1)[0][0]
    if len(most) == 1:  # a host with itself: only ports tell the two ends apart
        busiest = max(
            (one for _, one in flows if {one.client[0], one.server[0]} == most), key=lambda one: len(one.packets)
        )
        mine, places = [busiest], set(busiest.packets)
    else:
        mine = [one for _, one in flows if {one.client[0], one.server[0]} == most]
        places = {place for place, packet in enumerate(packets) if {packet.src, packet.dst} == most}
    ends = {frozenset((one.client, one.server)) for one in mine}
    remarks: tuple[str, ...] = ()
    if len(mine) < len(flows):
        names = " and ".join(sorted(most))
        remarks = (f"drawn is what {names} sent each other; --flow N chooses among all: {_listed(flows)}",)
    return _with_errors(packets, places, ends), remarks


def _speaking(flows: Sequence[Flow]) -> list[Flow]:
    return [one for one in flows if one.client[0]]


def _with_errors(packets: list[Packet], places: set[int], ends: set[frozenset[Endpoint]]) -> list[Packet]:
    """The packets at some places, and the ICMP errors about such ends."""
    out = []
    for place, packet in enumerate(packets):
        if place in places or (packet.icmp and packet.icmp.quoted and _ends(packet) in ends):
            out.append(packet)
    return out


def _fits(number: int, flow: Flow, wanted: str) -> bool:
    """By its number, or by one of its ends, or both: 10.0.0.1, 10.0.0.1:80, 10.0.0.1:4000-10.0.0.2:80."""
    if re.fullmatch(r"\d+", wanted):
        return number == int(wanted)
    words = wanted.split("-")
    names = [{host, end(host, port)} for host, port in (flow.client, flow.server)]
    if len(words) == 1:
        return any(words[0] in name for name in names)
    return len(words) == 2 and any(
        words[0] in one and words[1] in other for one, other in (names, list(reversed(names)))
    )


def _listed(flows: Sequence[tuple[int, Flow]]) -> str:
    said = [
        f"{number} {one.protocol} {end(*one.client)} > {end(*one.server)} ({len(one.packets)})" for number, one in flows
    ]
    more = f" and {len(said) - _SHOWN} more" if len(said) > _SHOWN else ""
    return f"{', '.join(said[:_SHOWN])}{more}"
