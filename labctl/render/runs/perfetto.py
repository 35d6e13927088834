"""An x-ray as Chrome's trace events, which Perfetto (ui.perfetto.dev) and chrome://tracing open: hosts are processes,
their programs threads, packets arrows from one host to the other.

Trace Event Format: https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from labctl.events.codec import stamp_of
from labctl.events.model import Event
from labctl.packets.ladder.ladder import Arrow
from labctl.packets.protocols.words import end
from labctl.render.inside.sockets import program
from labctl.render.inside.syscalls import parts
from labctl.render.text import address, printable

if TYPE_CHECKING:
    from labctl.lab.recording.xray import XRay

WIRE, STATES = 1, 2  # the threads of a host that are no programs'
PACKET = 1000  # ns: how long a packet is drawn, where there is room
_FIRST_PROGRAM = 10


@dataclass
class _Host:
    """A process of the trace: its threads by what they are, and what happened on its wire."""

    pid: int
    name: str
    threads: dict[object, int] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=lambda: {WIRE: "wire", STATES: "sockets"})
    wire: list[tuple[int, Arrow, str]] = field(default_factory=list)  # when, what, and "s" sent or "f" arrived

    def thread(self, event: Event) -> int:
        """The thread of who made a system call: one thread of a program makes one call at a time."""
        key = event.get("pid"), event.get("tid")
        if key not in self.threads:
            self.threads[key] = _FIRST_PROGRAM + len(self.threads)
            known = event.get("program") is not None
            name = program(event.get("program"), event.get("pid")) if known else f"process {event.get('pid')}"
            self.names[self.threads[key]] = name
        return self.threads[key]


def document(found: XRay) -> dict[str, Any]:
    """All of it; `ts` and `dur` are microseconds, from the trace's beginning on, which `otherData` has."""
    ladder = found.ladder
    hosts = {line.name: _Host(pid, line.name) for pid, line in enumerate((ladder.left, ladder.right), 1)}
    for arrow in ladder.arrows:
        ends = (ladder.left.name, ladder.right.name) if arrow.rightwards else (ladder.right.name, ladder.left.name)
        if arrow.sent_ns is not None and not arrow.copy:
            hosts[ends[0]].wire.append((arrow.sent_ns, arrow, "s"))
        if arrow.arrived_ns is not None and arrow.fate in ("delivered", "elsewhere", "unknown"):
            hosts[ends[1]].wire.append((arrow.arrived_ns, arrow, "f"))
    begin = _begin(found)
    events: list[dict[str, Any]] = []
    for host in hosts.values():
        events += _on_wire(host, begin)
    for event in found.events:
        if event.node in hosts:
            events.append(_event(hosts[event.node], event, begin))
    for name, changes in found.changes.items():
        host = hosts[name]
        events += [
            _instant(host, one.at_ns, f"{one.before} -> {one.after}", {"local": end(*one.local)}, begin)
            for one in changes
        ]
    events.sort(key=lambda one: float(one["ts"]))
    heads = [head for host in hosts.values() for head in _heads(host)]
    other = {"begin": stamp_of(begin), "notes": [*ladder.notes, *found.notes]}
    return {"traceEvents": [*heads, *events], "displayTimeUnit": "ns", "otherData": other}


def _begin(found: XRay) -> int:
    """A double holds no nanoseconds since 1970, so times count from the first of all."""
    times = [event.nanoseconds for event in found.events]
    times += [at for arrow in found.ladder.arrows for at in (arrow.sent_ns, arrow.arrived_ns) if at is not None]
    times += [one.at_ns for changes in found.changes.values() for one in changes]
    return min(times, default=0)


def _heads(host: _Host) -> Iterator[dict[str, Any]]:
    """What hosts and programs are called, and in which order they stand."""
    yield _meta(host, 0, "process_name", {"name": host.name})
    yield _meta(host, 0, "process_sort_index", {"sort_index": host.pid})
    for tid, name in sorted(host.names.items()):
        yield _meta(host, tid, "thread_name", {"name": printable(name)})
        yield _meta(host, tid, "thread_sort_index", {"sort_index": tid})


def _meta(host: _Host, tid: int, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return {"ph": "M", "pid": host.pid, "tid": tid, "ts": 0, "name": name, "args": arguments}


def _on_wire(host: _Host, begin: int) -> Iterator[dict[str, Any]]:
    """A short slice for each packet, none of which overlaps another, and the end of its arrow."""
    last = 0
    inorder = sorted(host.wire, key=lambda one: one[0])
    for place, (at, arrow, kind) in enumerate(inorder):
        at = max(at, last)
        following = inorder[place + 1][0] if place + 1 < len(inorder) else at + PACKET
        last = at + max(1, min(PACKET, following - at))
        head = {"pid": host.pid, "tid": WIRE, "ts": _micro(at, begin)}
        name = printable("  ".join((arrow.label.head, *arrow.label.parts)))
        yield {"ph": "X", **head, "dur": (last - at) / 1000, "cat": "packet", "name": name, "args": _told(arrow)}
        if arrow.sent_ns is not None and arrow.arrived_ns is not None and arrow.fate == "delivered" and not arrow.copy:
            # `bp`: the arrow ends at the slice around its end, and not at the next one.
            bound = {"bp": "e"} if kind == "f" else {}
            yield {"ph": kind, **head, "id": arrow.number, "cat": "packet", "name": "packet", **bound}


def _told(arrow: Arrow) -> dict[str, Any]:
    found: dict[str, Any] = {"number": arrow.number, "fate": arrow.fate, "flow": arrow.flow}
    if arrow.marks:
        found["marks"] = [printable(str(mark)) for mark in arrow.marks]
    if arrow.faults:
        found["faults"] = list(arrow.faults)
    if arrow.label.text is not None:
        found["text"] = printable(arrow.label.text)
    return found


def _event(host: _Host, event: Event, begin: int) -> dict[str, Any]:
    if event.name != "syscall":
        what = f"{event.get('from')} -> {event.get('to')}"
        return _instant(host, event.nanoseconds, what, {"local": address(event.local)}, begin)
    made, gave, _ = parts(event)
    return {
        "ph": "X",
        "pid": host.pid,
        "tid": host.thread(event),
        "ts": _micro(event.nanoseconds, begin),
        "dur": int(event.get("duration_ns") or 0) / 1000,
        "cat": "syscall",
        "name": str(event.get("call")),
        "args": {"call": made.strip(), "result": gave.strip()},
    }


def _instant(host: _Host, at: int, name: str, arguments: dict[str, Any], begin: int) -> dict[str, Any]:
    head = {"ph": "i", "s": "t", "pid": host.pid, "tid": STATES, "ts": _micro(at, begin)}
    return {**head, "cat": "state", "name": printable(name), "args": arguments}


def _micro(at: int, begin: int) -> float:
    return (at - begin) / 1000
