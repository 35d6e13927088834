"""What a command causes: all nodes are recorded while it runs, and each two that spoke with each other are drawn."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from labctl.engine.model import Container, Engine
from labctl.errors import LabError
from labctl.lab import capture, syscalls, verdicts
from labctl.lab.capture import State
from labctl.lab.ladder import recorders_now, side_of
from labctl.lab.model import Lab, Node, find
from labctl.lab.xray import XRay, of_sides
from labctl.packets import questions
from labctl.packets.crossings import Side, Verdict
from labctl.packets.ladder import Ladder, Options, of_pairs, one_sided
from labctl.packets.model import Record

QUIET = 0.3  # seconds without a packet, after which nothing more is expected to come of the command
PATIENCE = 5.0  # seconds until then, at most
HERE = "this machine"


@dataclass(frozen=True)
class Trace:
    """The ladders of what a command caused, and its exit status; `quiet`: the nodes had nothing more to say. What the
    nodes did besides is in `deep`, by the ladder's position, where that was asked for."""

    status: int
    ladders: tuple[Ladder, ...]
    quiet: bool
    deep: Mapping[int, XRay]


def trace(
    engine: Engine, lab: Lab, names: Sequence[str], run: Callable[[], int], options: Options, *, deep: bool = False
) -> Trace:
    """Runs something and draws what it caused at the named nodes, else at all that run but for routers: the two ends of
    a conversation are drawn, whatever is between them; `deep`: with system calls and states. Raises LabError."""
    nodes = [lab.networked(name, "nothing can be recorded there") for name in dict.fromkeys(names)]
    nodes = nodes or [node for node in lab.nodes if node.has_network and node.role != "router"]
    if not nodes:
        raise LabError("none-running", lab=lab.name)
    there = recorders_now(engine, lab, nodes)
    fresh = syscalls.start(engine, lab, [node for node in nodes if node.is_running]) if deep else set()
    try:
        begin = min(state.now_ns for state in capture.recorded(engine, nodes, there)[1].values())
        status = run()
        lab, there = _afterwards(engine, lab, [node.name for node in nodes])
        nodes = [lab.node(node.name) for node in nodes]
        records, states, quiet = _until_quiet(engine, nodes, there, begin)
        found = verdicts.since(engine, lab, begin)
        sides = [side_of(node, records[node.name], states[node.name]) for node in nodes]
        between = [ladder for ladder in of_pairs(sides, found, options) if not _is_aside(lab, ladder)]
        ladders = between + _outside(lab, sides, options)
        ladders.sort(key=lambda one: one.begin_ns)
        looks = _deep(engine, lab, ladders, sides, found, options, begin) if deep else {}
    finally:
        # It slows the programs down, and nobody has asked for more of it.
        syscalls.stop(engine, lab, [node for node in nodes if node.name in fresh])
    return Trace(status, tuple(ladders), quiet, looks)


def _afterwards(engine: Engine, lab: Lab, names: Iterable[str]) -> tuple[Lab, dict[str, Container]]:
    """The lab as it is now, and the recorders of some nodes: the command may have started one again, or ended it.

    A node whose network is gone is still in the lab as it was, so that what others sent to it is known by its name.
    """
    there = {node.name: node for node in find(engine, lab.name).nodes if node.has_network}
    nodes = {node.name: node for node in lab.nodes} | there
    now = replace(lab, nodes=tuple(nodes[name] for name in sorted(nodes)))
    ended = capture.lingering(engine, now, [nodes[name] for name in names if name not in there])
    return now, ended | recorders_now(engine, now, [there[name] for name in names if name in there])


def _deep(
    engine: Engine,
    lab: Lab,
    ladders: Sequence[Ladder],
    sides: Sequence[Side],
    found: Sequence[Verdict],
    options: Options,
    begin_ns: int,
) -> dict[int, XRay]:
    """System calls and states beside each ladder between two nodes, by its position."""
    out = {}
    for number, ladder in enumerate(ladders):
        names = (ladder.left.name, ladder.right.name)
        pair = [side for side in sides if side.node in names]
        if len(pair) == 2:  # else one end is this machine, of which nothing is recorded
            seen = [*pair, *(side for side in sides if side not in pair)]
            nodes = [lab.node(side.node) for side in pair]
            out[number] = of_sides(engine, lab, nodes, seen, found, options, begin_ns)
    return out


def _until_quiet(
    engine: Engine, nodes: Sequence[Node], there: Mapping[str, Container], begin_ns: int
) -> tuple[dict[str, list[Record]], dict[str, State], bool]:
    """What was recorded since a moment of the recorders' clock, once nothing has come for a while."""
    left = [node for node in nodes if node.name in there]
    # What a node's recorder had is gone with the node.
    ended = {node.name: capture.nothing(begin_ns) for node in nodes if node.name not in there}
    deadline = time.monotonic() + PATIENCE
    while left:
        records, states = capture.recorded(engine, left, there, since_ns=begin_ns)
        newest = max((record.ts_ns for found in records.values() for record in found), default=0)
        silent = (max(state.now_ns for state in states.values()) - newest) / 1e9
        if silent >= QUIET or time.monotonic() > deadline:
            return records | {name: [] for name in ended}, states | ended, silent >= QUIET
        time.sleep(QUIET - silent)
    return {name: [] for name in ended}, ended, True


def _is_aside(lab: Lab, ladder: Ladder) -> bool:
    """Whether two nodes only heard each other ask for a third one, as an ARP request reaches all (RFC 826), or checked
    what they know of each other since some earlier conversation."""
    theirs = {address for line in (ladder.left, ladder.right) for address in lab.node(line.name).addresses}
    packets = [arrow.crossing.packet for arrow in ladder.arrows]
    overheard = all(one.arp is not None and one.arp.operation == 1 and one.dst not in theirs for one in packets)
    return overheard or all(questions.is_upkeep(one) for one in packets)


def _outside(lab: Lab, sides: Sequence[Side], options: Options) -> list[Ladder]:
    """What went between a node and an address that is none of the lab's: this machine's, at a published port."""
    gone = {address for node in lab.nodes for address in node.addresses}
    out = []
    for side in sides:
        packets = sorted((*side.sent, *side.arrived), key=lambda packet: (packet.ts_ns, packet.index))
        others: dict[str, None] = {}
        for packet in packets:
            for mine, other in ((packet.src, packet.dst), (packet.dst, packet.src)):
                if mine in side.addresses and other not in gone and packet.sport is not None:
                    others[other] = None
        for other in others:
            names = dict.fromkeys(side.addresses, side.node) | {other: HERE}
            both = [packet for packet in packets if other in (packet.src, packet.dst)]
            out.append(one_sided(both, names, (HERE, side.node), options))
    return [ladder for ladder in out if ladder.arrows]
