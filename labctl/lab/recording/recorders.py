"""Recorders at nodes, and what they have recorded: the packets that a node sent and that arrived at it.

A recorder is a probe in the node's network namespace. It is there from when somebody first asks until the lab goes
down, or `stop`; it keeps the newest packets in memory, so that one can ask afterwards what happened. Nodes with one
network have one recorder: wherever nodes are taken here, hosts are meant (`Lab.host`).
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from labctl.engine.machines import Clock
from labctl.engine.model import Container, Engine, Stream, StreamEvent
from labctl.errors import LabError
from labctl.lab import probes, spanning
from labctl.lab.model import Lab, Node
from labctl.packets.files.capture import Parser
from labctl.packets.matching import taps
from labctl.packets.model import Record

TELL = ("python3", "/opt/probe/capture_tell.py")
BEAT = 1.0  # seconds between two signs of life
READ_LIMIT = 60.0  # seconds for what is recorded already
SILENCE = 10.0  # seconds without a word of a recorder that has spoken: it does several times a second
# What exit statuses of capture_tell.py mean.
_ENDS = {
    3: "its recorder did not answer",
    4: "nobody read for half an hour what it had to tell",
    5: "more came than was read in time, 64 MiB of it wait",
}


@dataclass(frozen=True)
class State:
    """What a recorder says of itself: all that came from `since_ns` until `now_ns` has been told, but for `drops`
    packets that the kernel could not hand over. `live`: what comes is told from now on. `ended`: nothing more comes."""

    now_ns: int
    since_ns: int
    live: bool
    ended: bool
    drops: int
    interfaces: tuple[str, ...]
    problems: tuple[str, ...]
    clock_error_ns: int = 0  # how far off its times may be from those of recorders on other machines

    @property
    def logs(self) -> bool:
        """Packets are seen before a fault sees them."""
        return not any("links with faults" in text for text in self.problems)


def nothing(until_ns: int) -> State:
    """What a recorder would say that recorded nothing and is no more since a moment."""
    return State(until_ns, until_ns, live=False, ended=True, drops=0, interfaces=(), problems=())


@dataclass(frozen=True)
class Heard:
    """One record of a node, or its recorder's state."""

    node: Node
    record: Record | None = None
    state: State | None = None


def recorders(engine: Engine, lab: Lab, hosts: Iterable[Node] | None = None) -> dict[str, Container]:
    """The recorders that run, of all hosts (`Lab.host`) or of some of them, by the host's name."""
    there = probes.all_of(engine, lab.name, probes.CAPTURE)
    asked = lab.hosts if hosts is None else hosts
    nodes = {node.name: node for node in asked if node.has_network and node.probed in there}
    source = probes.source_now(engine) if nodes else None

    def is_old(node: Node, probe: Container) -> bool:
        gone = probe.state != "running" or probes.is_another(node, probe) or probes.is_outdated(probe, source)
        return gone or probes.is_stale(engine, node, probe)

    return {name: there[node.probed] for name, node in nodes.items() if not is_old(node, there[node.probed])}


def lingering(engine: Engine, lab: Lab, nodes: Iterable[Node]) -> dict[str, Container]:
    """The recorders of nodes that have stopped, which still tell for a minute what they have."""
    there = probes.all_of(engine, lab.name, probes.CAPTURE)
    return {
        node.name: probe
        for node in nodes
        if (probe := there.get(node.probed)) and probe.state == "running" and not probes.is_another(node, probe)
    }


def start(
    engine: Engine, lab: Lab, nodes: Iterable[Node], environments: Mapping[str, Mapping[str, str]] | None = None
) -> dict[str, Container]:
    """A recorder at each of some running nodes, which records from now on; `environments` is for new ones, by node.

    Raises LabError `recorder-gone`.
    """
    chosen = list(nodes)
    there = probes.all_of(engine, lab.name, probes.CAPTURE) if chosen else {}
    for node in chosen:
        # It holds what was recorded: somebody froze it, and may not want to lose that.
        if node.probed in there and there[node.probed].state == "paused":
            why = f"its recorder is paused (`docker unpause {there[node.probed].name}` lets it go on)"
            raise LabError("recorder-gone", node=node.name, why=why)
    found = probes.ensure(engine, lab, chosen, probes.CAPTURE, environments)
    recorded(engine, chosen, found)  # it answers once it records
    return found


def begin(engine: Engine, lab: Lab, nodes: Iterable[Node]) -> tuple[dict[str, Container], list[str]]:
    """A recorder at each of some running nodes: all that the lab has, and the names of those where none was until now.

    Raises LabError.
    """
    there = recorders(engine, lab)
    missing = [node for node in nodes if node.name not in there]
    made = start(engine, lab, missing) if missing else {}
    return there | made, [node.name for node in missing]


def stop(engine: Engine, lab: Lab, nodes: Iterable[Node]) -> list[str]:
    """Ends recorders, and forgets what they have; the names of the nodes that had one."""
    there = probes.all_of(engine, lab.name, probes.CAPTURE)

    def end(node: Node) -> str:
        probe = there[node.probed]
        if probe.state == "paused":
            engine.change("unpause", probe.id)
        if probe.state in ("running", "paused"):
            engine.change("stop", probe.id)  # in order: it sets the node's offload on again
        engine.remove_container(probe.id)
        return node.name

    return probes.at_once(end, [node for node in nodes if node.probed in there])


class Listening:
    """What the recorders of some nodes tell: the last `last` seconds, or all since `since_ns` of their own clock; then
    with `follow` what comes. A context manager. Of nodes on several machines all times are of one clock.

    Raises LabError `bad-filter`, `recorder-gone`.
    """

    def __init__(
        self,
        engine: Engine,
        nodes: Sequence[Node],
        probes_: Mapping[str, Container],
        *,
        last: float = 0.0,
        since_ns: int | None = None,
        follow: bool = False,
        expression: str = "",
    ) -> None:
        self._engine, self._expression = engine, expression
        self._options = ["--follow"] if follow else []
        self._options += [f"--filter={expression}"] if expression else []  # which may begin with a minus
        self._voices: dict[int, _Voice] = {}
        spanning.measure(engine, (probes_[node.name] for node in nodes))
        try:
            for node in nodes:
                self._open(node, probes_[node.name], last, since_ns)
        except BaseException:
            self.close()
            raise

    def _open(self, node: Node, probe: Container, last: float, since_ns: int | None) -> _Voice:
        clock = self._engine.clock(probe.id)
        begin = since_ns and max(0, since_ns + clock.correction)
        since = ["--last", f"{last:.9f}"] if begin is None else ["--since", str(begin)]
        stream = self._engine.open(probe.id, [*TELL, *since, *self._options], lines=False)
        found = self._voices[id(stream)] = _Voice(node, stream, self._expression, clock)
        return found

    def add(self, node: Node, probe: Container) -> None:
        """Listens to one more recorder, from its beginning on."""
        self._open(node, probe, 0.0, 0).heard = time.monotonic()

    def __enter__(self) -> Listening:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for voice in self._voices.values():
            voice.stream.close()

    def hear(self, deadline: float | None = None, also: Sequence[Stream] = ()) -> Iterator[Heard | StreamEvent | None]:
        """What comes until all have ended, or the deadline (of time.monotonic()); None now and then, when nothing came.

        `also` are other streams to hear meanwhile; what these bring is given as it is. Raises LabError `recorder-gone`
        where a recorder falls silent.
        """
        beat = time.monotonic()
        for voice in self._voices.values():
            voice.heard = beat
        while any(not voice.ended for voice in self._voices.values()):
            now = time.monotonic()
            if deadline is not None and now >= deadline:
                return
            self._refuse_silence(now)
            if now >= beat:
                beat = now + BEAT
                for voice in self._voices.values():
                    voice.stream.write(b".")
            until = beat if deadline is None else min(beat, deadline)
            streams = [voice.stream for voice in self._voices.values() if not voice.ended]
            for happening in self._engine.wait([*streams, *also], until):
                found = self._voices.get(id(happening.stream))
                given = time.monotonic()
                if found is None:
                    yield happening
                else:
                    found.heard, found.spoke = given, True
                    yield from found.take(happening, self._engine)
                self._forgive(given)
                if time.monotonic() >= beat:
                    break
            given = time.monotonic()
            yield None
            self._forgive(given)

    def _refuse_silence(self, now: float) -> None:
        """Raises LabError `recorder-gone` where one that should speak has not."""
        for voice in self._voices.values():
            # The first word takes a program's start, and of two hundred at once that takes long.
            limit = SILENCE if voice.spoke else READ_LIMIT
            if not voice.ended and now - voice.heard > limit:
                why = f"its recorder has said nothing for {limit:g} s"
                raise LabError("recorder-gone", node=voice.node.name, why=why)

    def _forgive(self, since: float) -> None:
        """While whoever asked did something else, such as writing to a pipe that nobody reads, nobody listened."""
        busy = time.monotonic() - since
        for voice in self._voices.values():
            voice.heard += busy


class _Voice:
    """One node's recorder, as it speaks, by a clock of its own."""

    def __init__(self, node: Node, stream: Stream, expression: str, clock: Clock) -> None:
        self.node, self.stream, self._expression, self._clock = node, stream, expression, clock
        self._ahead = clock.correction
        self.ended = False
        self.heard, self.spoke = 0.0, False  # when (time.monotonic()), and whether it ever did
        self._parser = Parser()
        self._said = b""
        self._finished = False

    def take(self, happening: StreamEvent, engine: Engine) -> Iterator[Heard]:
        line = happening.line
        if line is None:
            self.ended = True
            if not self._finished:
                self._explain(engine)
        elif line.stderr:
            self._said += line.text
            self._check()
        else:
            for record in self._parser.feed(line.text):
                if record.interface.name == taps.STATE:
                    yield Heard(self.node, state=self._state(record.data))
                else:
                    told = replace(record, ts_ns=record.ts_ns - self._ahead) if self._ahead else record
                    yield Heard(self.node, told)

    def _check(self) -> None:
        """Raises LabError `bad-filter`. What else stands there is Python's own words of a failure."""
        first, whole, _ = self._said.partition(b"\n")
        if whole and first.startswith(b'{"refused"'):
            raise LabError("bad-filter", filter=self._expression, why=json.loads(first)["refused"])

    def _state(self, text: bytes) -> State:
        fields: dict[str, Any] = json.loads(text)
        self._finished = self._finished or fields["ended"]
        return State(
            fields["now_ns"] - self._ahead,
            fields["since_ns"] - self._ahead,
            fields["live"],
            fields["ended"],
            fields["drops"],
            tuple(fields["interfaces"].values()),
            tuple(fields["problems"]),
            self._clock.error,
        )

    def _explain(self, engine: Engine) -> None:
        status = engine.status(self.stream)
        why = _ENDS.get(status or 0, f"its recorder ended (status {status})")
        last = self._said.decode(errors="replace").strip()
        raise LabError("recorder-gone", node=self.node.name, why=f"{why}{': ' + last if last else ''}")


def recorded(
    engine: Engine,
    nodes: Sequence[Node],
    probes_: Mapping[str, Container],
    last: float = 0.0,
    since_ns: int | None = None,
) -> tuple[dict[str, list[Record]], dict[str, State]]:
    """What the recorders hold, as Listening says; and their states, by node. Raises LabError."""
    records: dict[str, list[Record]] = {node.name: [] for node in nodes}
    states: dict[str, State] = {}
    with Listening(engine, nodes, probes_, last=last, since_ns=since_ns) as listening:
        for heard in listening.hear(time.monotonic() + READ_LIMIT):
            if not isinstance(heard, Heard):
                continue
            if heard.record is not None:
                records[heard.node.name].append(heard.record)
            if heard.state is not None:
                states[heard.node.name] = heard.state
    late = [node.name for node in nodes if node.name not in states or not states[node.name].ended]
    if late:
        raise LabError("recorder-gone", node=", ".join(late), why=f"it did not tell all within {READ_LIMIT:g} s")
    return records, states


def await_live(listening: Listening, nodes: Sequence[Node], keep: Callable[[Heard], None], limit: float) -> None:
    """Until all recorders tell what comes; what they tell before goes to `keep`. Raises LabError `recorder-gone`,
    `bad-filter`."""
    waiting = {node.name for node in nodes}
    for heard in listening.hear(time.monotonic() + limit):
        if isinstance(heard, Heard):
            keep(heard)
            if heard.state is not None and heard.state.live:
                waiting.discard(heard.node.name)
                if not waiting:
                    return
    raise LabError("recorder-gone", node=", ".join(sorted(waiting)), why=f"it did not answer within {limit:g} s")
