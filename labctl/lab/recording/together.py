"""What the nodes of a whole lab send each other, as it comes: a growing ladder for each two that speak."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from labctl.engine.model import Engine, StreamEvent
from labctl.lab.faults.verdicts import Journals
from labctl.lab.model import Lab, Node
from labctl.lab.recording import recorders
from labctl.lab.recording.following import BEHIND_NS, FORGET, Growing, behind_ns
from labctl.lab.recording.recorders import Heard, Listening, State
from labctl.lab.roles import forwards
from labctl.packets.crossings import Verdict
from labctl.packets.ladder.ladder import Ladder, Options
from labctl.packets.protocols.ip import decode

KEPT = 200  # packets of two nodes that are looked at again when new ones come
BUSY = 1000  # packets, from which on less of the past is looked at
LONGEST = 1.0  # seconds between two looks
REST = 5.0  # times as long as the last look took, the next one waits


def follow(
    engine: Engine,
    lab: Lab,
    nodes: Sequence[Node],
    since_ns: int | None,
    enough: Callable[[], bool],
    ready: Callable[[], object],
) -> Iterator[Ladder]:
    """Ladders of packets that have become certain, each given once: of those sent after `since_ns` of the recorders'
    clock, None: from now on. `ready` is called once all recorders tell what comes. Ends when all nodes have stopped, or
    soon after `enough`. Raises LabError."""
    there, _ = recorders.begin(engine, lab, nodes)
    now = min(state.now_ns for state in recorders.recorded(engine, nodes, there)[1].values())
    begin = now if since_ns is None else since_ns
    pairs, told = Pairs(lab, nodes, begin), False
    # What was before is heard for the numbers of conversations that go on.
    with (
        Journals(engine, lab, begin, follow=True) as journals,
        Listening(engine, nodes, there, since_ns=0, follow=True) as listening,
    ):
        for heard in listening.hear(also=journals.streams):
            if enough():
                return
            if heard is None:
                journals.look()
            elif isinstance(heard, StreamEvent):
                for verdict in journals.verdicts(heard):
                    pairs.blame(verdict)
            else:
                pairs.behind_ns = behind_ns(journals)
                yield from pairs.take(heard)
                if pairs.are_live and not told:
                    told = True
                    ready()


class Pairs:
    """A growing ladder for each two hosts of which one has sent to the other."""

    def __init__(self, lab: Lab, nodes: Sequence[Node], begin_ns: int) -> None:
        self._nodes = {node.name: node for node in nodes}
        self._begin_ns = begin_ns
        self.behind_ns = BEHIND_NS  # see Growing
        self._owners = {address: node.name for node in nodes for address in node.addresses}
        # Behind a router may be whoever sent it: its address stands for theirs, where it translates addresses.
        self._routers = {a for node in lab.hosts if forwards(node.role) for a in node.addresses}
        # What came from there, by the node that saw it, may be told before what the two that speak have sent.
        self._behind: dict[str, deque[Heard]] = {}
        self._pairs: dict[frozenset[str], Growing] = {}
        self._states: dict[str, State] = {}
        self._told: set[str] = set()
        self._due: set[frozenset[str]] = set()
        self._rests: dict[frozenset[str], float] = {}  # until when (time.monotonic())

    def blame(self, verdict: Verdict) -> None:
        for key in self._pairs_of(verdict.node, verdict.src, verdict.dst):
            self._growing(key).verdicts.append(verdict)

    @property
    def are_live(self) -> bool:
        """All recorders tell what comes."""
        return len(self._states) == len(self._nodes)

    def take(self, heard: Heard) -> Iterator[Ladder]:
        name = heard.node.name
        if heard.record is not None:
            packet = decode(heard.record, 0, name)
            for key in self._pairs_of(name, packet.src, packet.dst):
                self._growing(key).take(heard)
            if self._is_behind(name, packet.src, packet.dst):
                self._keep(heard)
        if heard.state is None:
            return
        if heard.state.live or heard.state.ended:
            self._states[name] = heard.state
        for key in [key for key in self._pairs if name in key]:
            if self._pairs[key].take(heard):
                self._due.add(key)
        yield from self._steps()

    def _steps(self) -> Iterator[Ladder]:
        """What can be said by now, of pairs that have something new; of each so seldom that it takes little time."""
        for key in list(self._due):
            growing = self._pairs[key]
            if time.monotonic() < self._rests.get(key, 0.0) and not growing.ended:
                continue
            self._due.discard(key)
            begun = time.monotonic()
            growing.behind_ns = self.behind_ns
            growing.forget_ns = FORGET if growing.held < BUSY else FORGET // 5
            fresh = list(self._fresh(growing))
            ended = time.monotonic()
            self._rests[key] = ended + min(LONGEST, REST * (ended - begun))
            yield from fresh
            if growing.ended:
                del self._pairs[key]

    def _fresh(self, growing: Growing) -> Iterator[Ladder]:
        step = growing.step()
        fresh = tuple(arrow for arrow in step.fresh if arrow.at_ns > self._begin_ns)
        notes = tuple(note for note in (*step.problems, *step.ladder.notes) if note not in self._told)
        self._told.update(notes)
        if fresh or notes:
            yield replace(step.ladder, arrows=fresh, notes=notes)

    def _pairs_of(self, node: str, source: str, target: str) -> list[frozenset[str]]:
        """The two between which a packet goes that was seen at a node; with a router's address, all that it may be."""
        ends = {self._owners.get(source), self._owners.get(target)} - {None, node}
        if len(ends) == 1:
            return [frozenset((node, str(next(iter(ends)))))]
        return [key for key in self._pairs if node in key] if self._is_behind(node, source, target) else []

    def _is_behind(self, node: str, source: str, target: str) -> bool:
        """Whether a packet that a node saw is its own, and with a router's address."""
        mine = node in (self._owners.get(source), self._owners.get(target))
        return mine and not {source, target}.isdisjoint(self._routers)

    def _keep(self, heard: Heard) -> None:
        kept = self._behind.setdefault(heard.node.name, deque(maxlen=BUSY))
        kept.append(heard)
        while _ns(heard) - _ns(kept[0]) > FORGET:
            kept.popleft()

    def _growing(self, key: frozenset[str]) -> Growing:
        found = self._pairs.get(key)
        if found is None:
            nodes = [self._nodes[name] for name in sorted(key)]
            found = self._pairs[key] = Growing(nodes, Options(), kept=KEPT)
            for node in nodes:
                for kept in self._behind.get(node.name, ()):
                    found.take(kept)
                if node.name in self._states:
                    found.take(Heard(node, state=self._states[node.name]))
        return found


def _ns(heard: Heard) -> int:
    return heard.record.ts_ns if heard.record else 0
