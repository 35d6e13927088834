"""The ladder of two nodes as it grows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from labctl.engine.model import Engine, StreamEvent
from labctl.lab.faults.verdicts import Journals
from labctl.lab.model import Lab, Node
from labctl.lab.recording import recorders
from labctl.lab.recording.ladder import problems_of, side_of
from labctl.lab.recording.recorders import Heard, Listening, State
from labctl.packets.crossings import Verdict
from labctl.packets.ladder.ladder import Arrow, Ladder, Options, two_sided
from labctl.packets.matching.taps import tap_of
from labctl.packets.model import Record
from labctl.packets.protocols.ip import decode

BEHIND_NS = 1_000_000_000  # how much later than a packet the word of a fault on it may come
BUSY_NS = 5_000_000_000  # the same where faults are known to be there, and the machine may be busy
KEPT = 2000  # packets that are looked at again when new ones come
FORGET = 5_000_000_000  # ns: how much of what has been drawn is kept besides
CONVERSATIONS = 500  # ways of conversations whose beginnings are kept
GIBIBYTE = 1 << 30


@dataclass(frozen=True)
class Step:
    """The ladder as it is known now, the arrows that weren't certain before, and what the recorders can't record."""

    ladder: Ladder
    fresh: tuple[Arrow, ...]
    problems: tuple[str, ...] = ()


def follow(
    engine: Engine,
    lab: Lab,
    nodes: Sequence[Node],
    last: float,
    options: Options,
    ready: Callable[[], object] = lambda: None,
) -> Iterator[Step]:
    """What two nodes sent each other in the last seconds, then what they send; ends when one of them stops.

    An arrow is given when it is certain: its packet has arrived, or would have. `ready` is called once nothing that
    comes can be missed. Raises LabError.
    """
    there, _ = recorders.begin(engine, lab, nodes)
    growing = Growing(nodes, options)
    # Of the recorders' clock, as of what is drawn at once.
    now = min(state.now_ns for state in recorders.recorded(engine, nodes, there)[1].values())
    begin = now - int(last * 1e9)
    told = False
    with (
        Journals(engine, lab, begin, follow=True) as journals,
        Listening(engine, nodes, there, last=last, follow=True) as listening,
    ):
        for heard in listening.hear(also=journals.streams):
            if heard is None:
                journals.look()  # a rule that is set meanwhile may bring a probe with it
            elif isinstance(heard, StreamEvent):
                growing.verdicts += journals.verdicts(heard)
            else:
                growing.behind_ns = behind_ns(journals)
                due = growing.take(heard)
                if growing.is_live and not told:
                    told = True
                    ready()
                if due and (step := growing.step()).fresh:
                    yield step
                if growing.ended:
                    return


def milestones(records: Iterable[Record]) -> list[Record]:
    """Of each TCP conversation, each way and at each tap, the first and the last record, and one for each GiB between:
    positions are told from numbers of 32 bits as long as two neighbours are less than 2 GiB apart (RFC 9293, 3.4)."""
    kept: dict[tuple[object, ...], list[tuple[int, Record]]] = {}
    for record in records:
        packet = decode(record, 0, "")
        if packet.tcp is None:
            continue
        key = (tap_of(record), packet.source, packet.target)
        found = kept.pop(key, [])
        if len(found) > 1 and (packet.tcp.seq - found[-2][0]) & 0xFFFFFFFF < GIBIBYTE:
            found.pop()
        kept[key] = [*found, (packet.tcp.seq, record)]
    newest = list(kept.values())[-CONVERSATIONS:]
    return sorted((record for found in newest for _, record in found), key=lambda record: record.ts_ns)


def behind_ns(journals: Journals) -> int:
    """How long the word of a fault is waited for."""
    return BUSY_NS if journals.streams else BEHIND_NS


def _is_unexplained(arrow: Arrow) -> bool:
    """It seems to be a fault's work, and no fault has told so: what they tell comes by a way of its own."""
    crossing = arrow.crossing
    is_strange = arrow.fate == "lost" or arrow.copy or crossing.corrupted or crossing.reordered
    return is_strange and not arrow.faults


class Growing:
    """The ladder of two nodes from what their recorders have told until now.

    `kept` packets are looked at again when new ones come, and all of the last `forget_ns`. What is unexplained waits
    for `behind_ns`.
    """

    def __init__(
        self, nodes: Sequence[Node], options: Options, *, kept: int | None = None, forget_ns: int = FORGET
    ) -> None:
        self._kept, self.forget_ns, self.behind_ns = kept, forget_ns, BEHIND_NS
        self._nodes, self._options = nodes, replace(options, limit=0)
        self._records: dict[str, list[Record]] = {node.name: [] for node in nodes}
        self._states: dict[str, State] = {}
        self._drawn_ns = 0  # all arrows up to that time are drawn
        self._since_ns = 0
        self._new = False
        self.verdicts: list[Verdict] = []
        self.ended = False

    def take(self, heard: Heard) -> bool:
        """One more word of a recorder; whether there is anything to look at again."""
        if heard.record is not None:
            self._records[heard.node.name].append(heard.record)
            self._new = True
        if heard.state is None:
            return False
        if heard.state.live or heard.state.ended:
            self._states[heard.node.name] = heard.state
        self.ended = self.ended or heard.state.ended
        return (self.ended or self._new) and self.is_live

    @property
    def held(self) -> int:
        """How many packets are looked at again."""
        return sum(map(len, self._records.values()))

    @property
    def is_live(self) -> bool:
        """All recorders tell what comes."""
        return len(self._states) == len(self._nodes)

    def step(self) -> Step:
        """What can be said by now."""
        since = self._since_ns
        states = {name: replace(one, since_ns=max(one.since_ns, since)) for name, one in self._states.items()}
        left, right = (side_of(node, self._records[node.name], states[node.name]) for node in self._nodes)
        ladder = two_sided(left, right, self.verdicts, self._options)
        # The two tell of the same moment one after the other: until both have, something may come in between.
        told_ns = min(one.now_ns for one in states.values())
        fresh = []
        for arrow in ladder.arrows:
            behind = self.behind_ns if _is_unexplained(arrow) else 0
            if not self.ended and (arrow.crossing.open or arrow.at_ns > told_ns - behind):
                break
            if arrow.at_ns > self._drawn_ns:
                fresh.append(arrow)
        else:
            self._new = False
        if fresh:
            self._drawn_ns = fresh[-1].at_ns
        if self.held > (KEPT if self._kept is None else self._kept):
            self._forget()
        return Step(ladder, tuple(fresh), tuple(problems_of(self._states)))

    def _forget(self) -> None:
        """Lets go of what was drawn a while ago, but for what conversations that go on count their numbers from."""
        self._since_ns = self._drawn_ns - self.forget_ns
        for name, found in self._records.items():
            old = [record for record in found if record.ts_ns <= self._since_ns]
            self._records[name] = milestones(old) + [record for record in found if record.ts_ns > self._since_ns]
        self.verdicts = [verdict for verdict in self.verdicts if verdict.ts_ns > self._since_ns]
