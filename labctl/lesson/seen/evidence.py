"""What expressions ask of a lab: events, packets, system calls, sockets, counters, all since a step's act began."""

from __future__ import annotations

import time
from collections import ChainMap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from labctl.errors import LabNotFound, NodeNotFound, NotRecorded, NotRunning
from labctl.lesson.acts import Output
from labctl.lesson.seen import packets
from labctl.lesson.seen.counters import counters_of
from labctl.lesson.seen.packets import packet_row
from labctl.lesson.seen.rows import Row
from labctl.lesson.written.expressions import Evaluation
from labctl.lesson.written.model import Expression, Step
from labctl.lesson.written.problems import Wrong

if TYPE_CHECKING:
    from labctl.api.lab import Lab
    from labctl.api.results.drawn import Ladder
    from labctl.events.model import Event

# What isn't there (yet), doesn't run or isn't recorded has nothing to tell; a lab of programs alone begins with none.
ABSENT = (LabNotFound, NodeNotFound, NotRecorded, NotRunning)
MARGIN = 30.0  # seconds that recorders may take to answer: what was before the act's beginning is sorted out again
_EVENT_FIELDS = ("local", "peer")


@dataclass
class Evidence:
    """Asks a lab, each thing once; make a new one to ask again. `began` is nanoseconds since the epoch; `counted` are
    the nodes' counters at that time, `earlier` the evidence of earlier steps."""

    lab: Lab
    began: int
    outputs: Sequence[Output] = ()
    counted: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    earlier: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    _asked: dict[tuple[Any, ...], list[Row]] = field(default_factory=dict)
    _ladders: dict[tuple[str, str], Ladder] = field(default_factory=dict)

    def of(self, step: Step) -> Values:
        """The values of a step's names."""
        return Values(self, step.evidence)

    def value(self, expression: Expression, values: Mapping[str, Any]) -> Any:
        """Raises Misplaced."""
        outputs = [output_row(one) for one in self.outputs]
        known = {"outputs": outputs, "output": outputs[-1] if outputs else None}
        names = ChainMap(known, cast(Any, values))
        sources: dict[str, Callable[..., Any]] = {
            "events": self.events,
            "packets": self.packets,
            "calls": self.calls,
            "sockets": self.sockets,
            "counters": self.counters,
            "node": self.node,
            "before": self.before,
        }
        try:
            return Evaluation(names, sources).value(expression.tree)
        except Wrong as problem:
            raise Misplaced(expression, problem) from None
        except RecursionError:  # each name asks for those before it
            raise Misplaced(expression, Wrong("the evidence that this asks for is nested too deep")) from None

    # The sources. A node that isn't there (yet) has nothing to tell.

    def events(self, *nodes: str, **wanted: Any) -> list[Row]:
        rows = []
        for node in nodes:
            key = ("events", node)
            if key not in self._asked:
                self._asked[key] = [
                    event_row(event) for event in self._journal(node) if event.nanoseconds >= self.began
                ]
            rows += self._asked[key]
        ordered = sorted(rows, key=lambda row: str(row.get("ts")))
        return [row for row in ordered if row.has(wanted)]

    def packets(self, one: str, other: str, **wanted: Any) -> list[Row]:
        key = ("packets", one, other)
        if key not in self._asked:
            ladder = self.ladder(one, other)
            arrows = ladder.arrows if ladder else ()
            self._asked[key] = [packet_row(arrow, ladder, self.began) for arrow in arrows if arrow.at_ns >= self.began]
        return _having(self._asked[key], wanted, packets.FIELDS)

    def calls(self, *nodes: str, **wanted: Any) -> list[Row]:
        rows = []
        for node in nodes:
            key = ("calls", node)
            if key not in self._asked:
                found = self._syscalls(node)
                self._asked[key] = [call_row(event, self.began) for event in found if event.nanoseconds >= self.began]
            rows += self._asked[key]
        return _having(sorted(rows, key=lambda row: str(row.get("ts"))), wanted, CALL_FIELDS)

    def sockets(self, node: str, **wanted: Any) -> list[Row]:
        key = ("sockets", node)
        if key not in self._asked:
            self._asked[key] = [socket_row(one) for one in self._sockets(node)]
        return _having(self._asked[key], wanted, SOCKET_FIELDS)

    def counters(self, node: str) -> Row:
        try:
            now = counters_of(self.lab.node(node))
        except ABSENT:
            return Row({})
        before = self.counted.get(node, {})
        return Row({name: count - before.get(name, 0) for name, count in now.items()}, ())

    def node(self, name: str) -> Row | None:
        try:
            found = self.lab.node(name).status()
        except ABSENT:
            return None
        container = found.node.container
        addresses = list(found.node.addresses)
        return Row({
            "name": name,
            "state": found.state,
            "address": addresses[0] if addresses else None,
            "addresses": addresses,
            "exit_code": container.exit_code,
            "role": found.node.role,
        }, ())  # fmt: skip

    def before(self, step: str) -> Mapping[str, Any]:
        return self.earlier.get(step, {})

    # What the lab says.

    def ladder(self, one: str, other: str) -> Ladder | None:
        """All that two nodes sent each other since the act began; None where one isn't there, or isn't recorded."""
        if (one, other) not in self._ladders:
            try:
                last = (time.time_ns() - self.began) / 1e9 + MARGIN
                self._ladders[one, other] = self.lab.ladder(one, other, last=last, limit=0)
            except ABSENT:
                return None
        return self._ladders[one, other]

    def _journal(self, node: str) -> Iterable[Event]:
        from labctl.events.codec import stamp_of

        try:
            return list(self.lab.journal(node, since=stamp_of(self.began)))
        except ABSENT:
            return []

    def _syscalls(self, node: str) -> Iterable[Event]:
        try:
            return self.lab.node(node).syscalls()
        except ABSENT:
            return []

    def _sockets(self, node: str) -> Iterable[Any]:
        try:
            return self.lab.node(node).sockets()
        except ABSENT:
            return []


class Values(Mapping[str, Any]):
    """A step's names, each worked out when it is first asked for: most of what isn't asked of a lab is time."""

    def __init__(self, evidence: Evidence, expressions: Mapping[str, Expression]) -> None:
        self._evidence, self._expressions = evidence, expressions
        self._known: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        """Raises KeyError, Misplaced, NodeNotFound, EngineError."""
        if name not in self._known:
            self._known[name] = self._evidence.value(self._expressions[name], self)
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._expressions)

    def __len__(self) -> int:
        return len(self._expressions)


class Misplaced(Exception):
    """An expression's mistake that shows only when it is worked out."""

    def __init__(self, expression: Expression, problem: Wrong) -> None:
        super().__init__(problem.message)
        self.expression = expression
        self.message = problem.message
        place = expression.place
        self.place = place._replace(column=place.column + problem.offset)


def _having(rows: Sequence[Row], wanted: Mapping[str, Any], known: Iterable[str]) -> list[Row]:
    """Raises KeyError for a field that no such row has: with no row there, nothing else would tell."""
    empty = Row({}, known)
    for name in wanted:
        empty.get(name)
    return [row for row in rows if row.has(wanted)]


def event_row(event: Event) -> Row:
    ends = {"local": list(event.local) if event.local else None, "peer": list(event.peer) if event.peer else None}
    return Row({**event.fields, **ends, "node": event.node, "event": event.name, "ts": event.ts}, source=event)


CALL_FIELDS = (
    "node",
    "call",
    "args",
    "result",
    "error",
    "ts",
    "time",
    "seconds",
    "fd",
    "program",
    "local",
    "peer",
    "value",
)


def call_row(event: Event, began: int) -> Row:
    took = event.get("duration_ns")
    values = {
        "node": event.node,
        "call": event.get("call"),
        "args": ", ".join(map(str, event.get("args") or ())),
        "result": event.get("result"),
        "error": event.get("error"),
        "ts": event.ts,
        "time": (event.nanoseconds - began) / 1e9,
        "seconds": None if took is None else took / 1e9,
        "value": _option(event),
        "fd": event.get("fd"),
        "program": event.get("program"),
        "local": list(event.local) if event.local else None,
        "peer": list(event.peer) if event.peer else None,
    }
    return Row(values, CALL_FIELDS, event)


def _option(event: Event) -> int | None:
    """The number that setsockopt(2) was given, or that getsockopt(2) gave."""
    if event.get("call") not in ("setsockopt", "getsockopt"):
        return None
    numbers = [text[1:-1] for text in map(str, event.get("args") or ()) if text.startswith("[") and text.endswith("]")]
    return int(numbers[0]) if numbers and numbers[0].isdigit() else None


SOCKET_FIELDS = ("state", "protocol", "local", "peer", "recv_queue", "send_queue", "program", "backlog", "waiting")


def socket_row(found: Any) -> Row:
    listens = found.state == "LISTEN"
    values = {
        "state": found.state,
        "protocol": found.proto,
        "local": list(found.local),
        "peer": list(found.peer) if found.peer else None,
        "recv_queue": None if listens else found.receive_queue,
        "send_queue": None if listens else found.send_queue,
        "program": found.program,
        "waiting": found.receive_queue if listens else None,
        "backlog": found.send_queue if listens else None,
    }
    return Row(values, SOCKET_FIELDS, found)


OUTPUT_FIELDS = ("text", "lines", "status", "seconds", "json", "typed")


def output_row(output: Output) -> Row:
    values = {
        "text": output.text,
        "lines": output.lines,
        "status": output.status,
        "seconds": output.seconds,
        "json": output.json,
        "typed": output.typed.line,
    }
    return Row(values, OUTPUT_FIELDS, output)
