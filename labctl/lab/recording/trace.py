"""What a command causes: all nodes are recorded while it runs, and each two that spoke with each other are drawn."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from labctl.engine.model import Container, Engine
from labctl.errors import LabError
from labctl.lab.faults import verdicts
from labctl.lab.model import Lab, Node, find
from labctl.lab.processes import syscalls
from labctl.lab.recording import recorders
from labctl.lab.recording.causes import Aside, caused, of_conversation
from labctl.lab.recording.ladder import side_of
from labctl.lab.recording.recorders import State
from labctl.lab.recording.xray import XRay, of_sides
from labctl.lab.roles import forwards
from labctl.packets.crossings import Side, Verdict
from labctl.packets.ladder.ladder import Ladder, Options, of_pairs, one_sided, two_sided
from labctl.packets.model import Record
from labctl.packets.protocols import table

QUIET = 0.3  # seconds without a packet, after which nothing more is expected to come of the command
PATIENCE = 5.0  # seconds until then, at most
HERE = "this machine"


@dataclass(frozen=True)
class Trace:
    """What something caused: ladders of each two nodes that spoke with each other because of it.

    `quiet`: the nodes had nothing more to say. What the nodes did besides is in `deep`, by the ladder's position, where
    that was asked for; `packets` were recorded in all. `aside` are those of nodes that the command has no part in.
    `sides` and `verdicts` are what ladders of any two of the nodes are drawn from. `status`: a command's.
    """

    ladders: tuple[Ladder, ...]
    quiet: bool
    deep: Mapping[int, XRay]
    packets: int
    aside: Aside
    sides: tuple[Side, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    status: int = 0

    @property
    def remark(self) -> str:
        """Why there is no ladder, as a sentence; empty where there is one."""
        if self.ladders:
            return ""
        if self.aside.packets:
            return f"it caused no conversation; {self.aside}"
        if self.packets:
            what = "only what kernels ask for by themselves: `labctl capture --last 1m` shows it"
            return f"it caused no conversation, {what}"
        return "it caused no packet"

    def between(self, one: str, other: str, options: Options) -> Ladder:
        """The ladder of two of the nodes that were recorded, whoever caused it, by the names of their hosts.

        Raises LabError `no-recording`.
        """
        found = {side.node: side for side in self.sides}
        missing = [name for name in (one, other) if name not in found]
        if missing:
            raise LabError("no-recording", nodes=" and ".join(missing))
        others = [side for side in self.sides if side.node not in (one, other)]
        return two_sided(found[one], found[other], self.verdicts, options, others=others)


class Tracing:
    """Records while something is done, and draws afterwards what it caused. A context manager; then `trace` is there.

    The named nodes are recorded, else all that run but for routers: the two ends of a conversation are drawn, whatever
    is between them. `deep`: with system calls and states. `command` are the words of what is run: the nodes that they
    name have a part in it.
    """

    def __init__(
        self,
        engine: Engine,
        lab: Lab,
        names: Sequence[str],
        options: Options,
        *,
        command: Sequence[str] = (),
        deep: bool = False,
    ) -> None:
        self._engine, self._lab, self._options = engine, lab, options
        self._names, self._command, self._is_deep = names, command, deep
        self._nodes: list[Node] = []
        self._fresh: set[str] = set()  # whose system calls weren't recorded before
        self._begin_ns = 0
        self.trace: Trace | None = None

    def __enter__(self) -> Tracing:
        """From when it returns on, nothing that is sent goes unseen. Raises LabError."""
        engine, lab = self._engine, self._lab
        why = "nothing can be recorded there"
        hosts = [lab.host(lab.networked(name, why)) for name in dict.fromkeys(self._names)]
        self._nodes = list({host.name: host for host in hosts}.values()) or [
            node for node in lab.hosts if node.has_network and not forwards(node.role)
        ]
        if not self._nodes:
            raise LabError("none-running", lab=lab.name)
        there, _ = recorders.begin(engine, lab, self._nodes)
        try:
            if self._is_deep:
                programs = _programs(lab, self._nodes)
                self._fresh = syscalls.start(engine, lab, [one for one in programs if one.is_running])
            states = recorders.recorded(engine, self._nodes, there)[1].values()
            self._begin_ns = min(state.now_ns for state in states)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Waits until the nodes are silent. What failed meanwhile is not drawn. Raises LabError."""
        try:
            if kind is None:
                self.trace = self._drawn()
        finally:
            self._end()

    def _end(self) -> None:
        # It slows the programs down, and nobody has asked for more of it.
        syscalls.stop(
            self._engine, self._lab, [node for node in _programs(self._lab, self._nodes) if node.name in self._fresh]
        )

    def _drawn(self) -> Trace:
        engine, options, begin = self._engine, self._options, self._begin_ns
        named = bool(self._names)
        self._lab, self._nodes, there = _afterwards(engine, self._lab, self._nodes, alone=named)
        records, states, quiet = _until_quiet(engine, self._nodes, there, begin)
        found = verdicts.since(engine, self._lab, begin)
        sides = [side_of(node, records[node.name], states[node.name]) for node in self._nodes]
        between = of_pairs(sides, found, options)
        every = between + beyond(self._lab, sides, between, options, all_but=not named)
        ladders, aside = caused(self._lab, every, () if named else self._command)
        ladders.sort(key=lambda one: one.begin_ns)
        looks = _deep(engine, self._lab, ladders, sides, found, options, begin) if self._is_deep else {}
        packets = sum(map(len, records.values()))
        return Trace(tuple(ladders), quiet, looks, packets, aside, tuple(sides), tuple(found))


def trace(
    engine: Engine,
    lab: Lab,
    names: Sequence[str],
    run: Callable[[], int],
    options: Options,
    *,
    command: Sequence[str] = (),
    deep: bool = False,
) -> Trace:
    """Runs something that gives an exit status, and draws what it caused, as `Tracing` says. Raises LabError."""
    with Tracing(engine, lab, names, options, command=command, deep=deep) as tracing:
        status = run()
    assert tracing.trace
    return replace(tracing.trace, status=status)


def _afterwards(
    engine: Engine, lab: Lab, nodes: Sequence[Node], *, alone: bool
) -> tuple[Lab, list[Node], dict[str, Container]]:
    """The lab as it is now, its nodes that are drawn (`alone`: only these), and their recorders: the command may have
    started one, or ended it, or both. A node whose network is gone is still there as it was, with its addresses."""
    found = find(engine, lab.name)
    alive = {node.name: node for node in found.nodes if node.has_network}
    brief = {node.name: node for node in _came_and_went(engine, found, {node.name for node in nodes})}
    every = {node.name: node for node in lab.nodes} | alive | brief
    now = lab._replace(nodes=tuple(every[name] for name in sorted(every)))
    running = {node.name: node for node in now.hosts if node.probed in alive}
    known = {node.name: node for node in (*nodes, *now.hosts)}
    names = [node.name for node in nodes]
    if not alone:
        names += [name for name, node in running.items() if not forwards(node.role) and name not in names]
        names += list(brief)
    ended = recorders.lingering(engine, now, [known[name] for name in names if name not in running])
    there, _ = recorders.begin(engine, now, [running[name] for name in names if name in running])
    return now, [known[name] for name in names], ended | there


def _came_and_went(engine: Engine, lab: Lab, before: Collection[str]) -> list[Node]:
    """The nodes that don't run, were not recorded `before`, and have a recorder now: with the addresses they had."""
    ended = [node for node in lab.nodes if not node.has_network and node.owner is None and node.name not in before]
    there = recorders.lingering(engine, lab, ended) if ended else {}
    return [_as_it_was(engine, node) for node in ended if node.name in there]


def _as_it_was(engine: Engine, node: Node) -> Node:
    """With the addresses that it has whenever it runs; where it is on several networks nobody tells which is whose."""
    details = engine.details(node.container.id)
    addresses = dict.fromkeys(list(details.aliases)[:1], details.fixed)
    return node._replace(container=node.container._replace(addresses=addresses))


def _programs(lab: Lab, hosts: Sequence[Node]) -> list[Node]:
    """The nodes that some hosts are: each has processes of its own."""
    return [node for host in hosts for node in lab.members(host)]


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
            looked = of_sides(engine, lab, nodes, seen, found, options, begin_ns)
            out[number] = replace(looked, ladder=of_conversation(looked.ladder))
    return out


def _until_quiet(
    engine: Engine, nodes: Sequence[Node], there: Mapping[str, Container], begin_ns: int
) -> tuple[dict[str, list[Record]], dict[str, State], bool]:
    """What was recorded since a moment of the recorders' clock, once nothing has come for a while."""
    left = [node for node in nodes if node.name in there]
    # What a node's recorder had is gone with the node.
    ended = {node.name: recorders.nothing(begin_ns) for node in nodes if node.name not in there}
    deadline = time.monotonic() + PATIENCE
    while left:
        records, states = recorders.recorded(engine, left, there, since_ns=begin_ns)
        newest = max((record.ts_ns for found in records.values() for record in found), default=0)
        silent = (max(state.now_ns for state in states.values()) - newest) / 1e9
        if silent >= QUIET or time.monotonic() > deadline:
            return records | {name: [] for name in ended}, states | ended, silent >= QUIET
        time.sleep(QUIET - silent)
    return {name: [] for name in ended}, ended, True


def beyond(
    lab: Lab, sides: Sequence[Side], between: Sequence[Ladder], options: Options, *, all_but: bool
) -> list[Ladder]:
    """What went between a recorded node and somebody who isn't recorded: this machine, at a published port; a node that
    was not named; an address outside. `all_but` routers, all nodes are recorded: these only pass on what is drawn."""
    recorded = {address for side in sides for address in side.addresses}
    shown = {arrow.crossing.packet.dst for ladder in between for arrow in ladder.arrows}
    out = []
    for side in sides:
        packets = sorted((*side.sent, *side.arrived), key=lambda packet: (packet.ts_ns, packet.index))
        others: dict[str, None] = {}
        for packet in packets:
            for mine, other in ((packet.src, packet.dst), (packet.dst, packet.src)):
                if mine in side.addresses and other not in recorded and table().of_programs(packet):
                    others[other] = None
        gateways = lab.node(side.node).container.gateways
        for other in others:
            owner = lab.owner(other)
            if (owner and all_but) or other in shown:  # `shown`: to a group, whose members are recorded
                continue
            name = owner.name if owner else HERE if other in gateways else other
            names = dict.fromkeys(side.addresses, side.node) | {other: name}
            both = [packet for packet in packets if other in (packet.src, packet.dst)]
            ends = (side.node, name) if both[0].src in side.addresses else (name, side.node)
            out.append(one_sided(both, names, ends, options))
    return [ladder for ladder in out if ladder.arrows]
