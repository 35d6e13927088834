"""Captures: the packets of some nodes, or of a link, as they come or as they were recorded; to a file or to look at."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field

from labctl.engine.model import Engine, StreamEvent
from labctl.errors import LabError
from labctl.events.codec import stamp_of
from labctl.lab.faults import verdicts
from labctl.lab.faults.verdicts import Journals
from labctl.lab.links import named, peers
from labctl.lab.model import Lab, Node, find
from labctl.lab.recording import recorders
from labctl.lab.recording.ladder import ends
from labctl.lab.recording.lengths import Lengths
from labctl.lab.recording.recorders import Heard, Listening
from labctl.packets.matching import taps
from labctl.packets.matching.live import InOrder, Seen
from labctl.packets.model import Packet, Record
from labctl.packets.protocols.ip import decode
from labctl.phases import reached

LAST_WORD = 1.0  # seconds
# Seconds that the journal of a fault may come behind the recorders: the engine hands it out by a way of its own.
BEHIND = 1.0
# Seconds to look back for the newest packets, until enough are found; at last longer than any recorder keeps anything.
WINDOWS = (1.0, 10.0, 60.0, 600.0, 7 * 86400.0)
SLACK = 1_000_000  # ns
AGAIN = 1.0  # seconds between two looks whether a node that has stopped is there again


@dataclass(frozen=True)
class Place:
    """Where to capture: at some nodes, and there what an expression of pcap-filter(7) takes (empty: all)."""

    nodes: tuple[Node, ...]
    expression: str = ""


@dataclass
class Summary:
    """What a capture came to: how many packets were given out, and by node how many the kernel could not hand over,
    what else is wrong, and since when (ns) all was recorded, where that is later than was asked for."""

    packets: int = 0
    drops: dict[str, int] = field(default_factory=dict)
    problems: dict[str, tuple[str, ...]] = field(default_factory=dict)
    since_ns: dict[str, int] = field(default_factory=dict)

    @property
    def remarks(self) -> list[str]:
        """What is missing, as sentences."""
        said = [
            f"the kernel could not hand over {count} packets at {node}: they are missing here"
            for node, count in self.drops.items()
            if count
        ]
        for node, since in self.since_ns.items():
            begun = stamp_of(since)[:19].replace("T", " ")
            said.append(f"{node} is recorded since {begun} UTC: what came before is not here")
        return said + [f"at {node} {text}" for node, problems in self.problems.items() for text in problems]


def place(lab: Lab, names: Sequence[str], expression: str = "") -> Place:
    """The nodes and links that are named, without any all nodes that run. Raises LabError."""
    known = [node.name for node in (*lab.nodes, *lab.hosts)]
    links = [name for name in names if name not in known]
    if not names:
        nodes = [node for node in lab.hosts if node.has_network]
        if not nodes:
            raise LabError("none-running", lab=lab.name)
        return Place(tuple(nodes), expression)
    if links and len(names) > 1:
        why = f"{links[0]} is no node, and a link stands alone"
        raise LabError("bad-link-name", why=why, mend="name nodes, or one link such as alice-bob")
    if links:
        return _link(lab, links[0], expression)
    chosen = [lab.host(lab.networked(name, "nothing can be recorded there")) for name in dict.fromkeys(names)]
    return Place(tuple({host.name: host for host in chosen}.values()), expression)


def _link(lab: Lab, text: str, expression: str) -> Place:
    link = named(lab, text)
    a, b = ends(lab, link.a, link.b)
    mine, theirs = peers(b, a) or tuple(a.addresses), peers(a, b) or tuple(b.addresses)
    words = ("host", "host") if link.both else ("src host", "dst host")
    sides = (" or ".join(f"{word} {item}" for item in found) for word, found in zip(words, (mine, theirs), strict=True))
    between = " and ".join(f"({side})" for side in sides)
    return Place((a, b), f"({expression}) and {between}" if expression else between)


class Capture:
    """A capture that goes on: a context manager, and an iterator of what is seen, in order of time.

    `last`: so many seconds of what was recorded before; `seconds`: how long it listens, None for ever, 0 not at all.
    `enough` is asked now and then, and ends it. `talk` is told what happens meanwhile, as sentences: a node that stops
    is seen no more, until it is there again.
    """

    def __init__(
        self,
        engine: Engine,
        lab: Lab,
        where: Place,
        *,
        last: float,
        seconds: float | None,
        enough: Callable[[], bool] = lambda: False,
        talk: Callable[[str], None] = lambda text: None,
    ) -> None:
        self._engine, self._lab, self._where = engine, lab, where
        self._last, self._seconds, self._enough, self._talk = last, seconds, enough, talk
        self.summary = Summary()
        self._stack = ExitStack()
        self._journals: Journals | None = None
        self._has_verdicts = False
        self._ahead_ns = 0  # how far the recorders' clock is ahead of this machine's
        self._ready: deque[Seen] = deque()  # to be given out
        self._counts = dict.fromkeys((node.name for node in where.nodes), 0)
        self._gone: set[str] = set()  # nodes that have stopped
        self._listening: Listening | None = None
        self._heard_first: list[Heard] = []
        self._order = InOrder([node.name for node in where.nodes], int(BEHIND * 1e9))
        self._lengths = Lengths(engine)

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Where it captures."""
        return self._where.nodes

    def __enter__(self) -> Capture:
        """From when it returns on, nothing that is sent goes unseen. Raises LabError."""
        nodes = self._where.nodes
        there, _ = recorders.begin(self._engine, self._lab, nodes)
        follow = self._seconds != 0
        with ExitStack() as stack:
            listening = Listening(
                self._engine, nodes, there, last=self._last, follow=follow, expression=self._where.expression
            )
            self._listening = stack.enter_context(listening)
            if follow:
                recorders.await_live(listening, nodes, self._heard_first.append, recorders.READ_LIMIT)
                told = [heard.state.now_ns for heard in self._heard_first if heard.state]
                self._ahead_ns = max(told) - time.time_ns()
                journals = Journals(self._engine, self._lab, self._begin(min(told)), follow=True)
                self._journals = stack.enter_context(journals)
                reached("capture:listening")
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _begin(self, now_ns: int) -> int:
        """From when on verdicts count, by the recorders' clock: an engine elsewhere, or in a virtual machine, may have
        another than this machine."""
        return now_ns - int((self._last + LAST_WORD) * 1e9)

    @property
    def pending(self) -> bool:
        """There is more to give out at once."""
        return bool(self._ready)

    def __iter__(self) -> Iterator[Seen]:
        if self._listening is None:
            raise RuntimeError("`with` begins it: `with lab.packets(...) as seen: for one in seen: ...`")
        order = self._order
        until = time.time_ns() + self._ahead_ns + int(self._seconds * 1e9) if self._seconds else None
        for _ in self._heard(order):
            yield from self._given(order.take(), until)
            if until is not None and order.has_all_until(until):
                break
        yield from self._given(order.take(everything=True), until)

    def rest(self) -> Iterator[Seen]:
        """What has come and was not given out yet, for whoever stops in the middle."""
        yield from self._given(self._order.take(everything=True), None)

    def _heard(self, order: InOrder) -> Iterator[None]:
        """Takes in what comes; after each thing there may be something to give out."""
        assert self._listening
        for first in self._heard_first:
            self._take(first, order)
        journals, look = self._journals, 0.0
        for heard in self._listening.hear(self._deadline(), also=journals.streams if journals else ()):
            if heard is None:
                if self._enough():
                    return
                if journals:
                    journals.look()  # a rule that is set meanwhile may bring a probe with it
                if self._gone and time.monotonic() >= look:
                    self._find_again(self._listening)
                    look = time.monotonic() + AGAIN
            elif isinstance(heard, StreamEvent):
                for verdict in journals.verdicts(heard) if journals else ():
                    order.blame(verdict)
            else:
                self._take(heard, order)
            yield

    def _find_again(self, listening: Listening) -> None:
        """Goes on with nodes that have started again, and are recorded again."""
        there = {node.name: node for node in find(self._engine, self._lab.name).hosts if node.name in self._gone}
        for name, recorder in recorders.recorders(self._engine, find(self._engine, self._lab.name)).items():
            if name in there:
                listening.add(there[name], recorder)
                self._gone.discard(name)
                self._talk(f"{name} is there again")

    def _deadline(self) -> float | None:
        # What was recorded takes as long as it takes: who falls silent is found out. What was on its way at the end is
        # told by the next state, which is waited for.
        return time.monotonic() + self._seconds + BEHIND + LAST_WORD if self._seconds else None

    def _given(self, taken: Iterator[Seen], until: int | None) -> Iterator[Seen]:
        self._ready.extend(seen for seen in taken if until is None or seen.packet.ts_ns <= until)
        while self._ready:
            self.summary.packets += 1
            yield self._ready.popleft()

    def _segments(self, heard: Heard) -> list[Record]:
        record = heard.record
        return [] if record is None else taps.segments_of(record, self._lengths.of(heard.node, record))

    def _take(self, heard: Heard, order: InOrder) -> None:
        name, state = heard.node.name, heard.state
        for record in self._segments(heard):
            self._counts[name] += 1
            order.add(decode(record, self._counts[name] - 1, name), taps.tap_of(record))
        if state is not None:
            if self._seconds == 0 and not self._has_verdicts:  # nothing was given out yet
                self._has_verdicts = True
                for verdict in verdicts.since(self._engine, self._lab, self._begin(state.now_ns)):
                    order.blame(verdict)
            self.summary.drops[name] = state.drops
            self.summary.problems[name] = state.problems
            if self._last and state.since_ns > state.now_ns - int(self._last * 1e9) + SLACK:
                self.summary.since_ns.setdefault(name, state.since_ns)
            if state.ended:
                order.ended(name)
                if self._seconds != 0:
                    self._gone.add(name)
                    self._talk(f"{name} has stopped, or is recorded no more")
            elif state.live:
                order.told(name, state.now_ns)


def newest(engine: Engine, lab: Lab, number: int) -> Packet:
    """The newest packet that the lab's recorders hold, or with 2 the one before it, and so on. Raises LabError."""
    there = recorders.recorders(engine, lab)
    nodes = [node for node in lab.hosts if node.name in there]
    if not nodes:
        raise LabError("none-recorded", lab=lab.name)
    for last in WINDOWS:
        with Capture(engine, lab, Place(tuple(nodes)), last=last, seconds=0) as seen:
            kept = deque((one.packet for one in seen if one.tap != taps.LEFT), maxlen=number)
        if len(kept) == number:
            return kept[0]
    raise LabError("no-such-packet", file="the recording", number=number, has=f"it has {len(kept) or 'none'}")
