"""What faults did to packets, from the journals of their probes."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import cast

from labctl.engine.model import Engine, Stream, StreamEvent
from labctl.events.codec import decode, stamp_of
from labctl.events.model import Address, Event
from labctl.lab import probes
from labctl.lab.model import Lab
from labctl.packets.crossings import Verdict
from labctl.packets.protocols import table

READ_LIMIT = 60.0  # seconds


class Journals:
    """The journals of a lab's fault probes from a moment on, in nanoseconds since the epoch. A context manager.

    `streams` are for `Engine.wait`. With `follow` they go on, and `look` adds those of probes that have come since.
    """

    def __init__(self, engine: Engine, lab: Lab, begin_ns: int, *, follow: bool) -> None:
        self._engine, self._lab, self._begin_ns, self._follow = engine, lab, begin_ns, follow
        self._heard: set[str] = set()
        self._nodes: dict[int, str] = {}
        self._names = {host.probed: host.name for host in lab.hosts}
        self.streams: list[Stream] = []

    def __enter__(self) -> Journals:
        self.look()
        return self

    def __exit__(self, *_: object) -> None:
        for stream in self.streams:
            stream.close()

    def look(self) -> None:
        for name, probe in probes.all_of(self._engine, self._lab.name).items():
            if probe.id not in self._heard and probe.state != "created":
                self._heard.add(probe.id)
                stream = self._engine.logs(probe.id, since=stamp_of(self._begin_ns), follow=self._follow)
                self._nodes[id(stream)] = self._names.get(name, name)
                self.streams.append(stream)

    def verdicts(self, happening: StreamEvent) -> Iterator[Verdict]:
        """What one of the streams has brought."""
        if happening.line:
            yield from of_line(happening.line.text, self._nodes[id(happening.stream)], self._begin_ns)


def since(engine: Engine, lab: Lab, begin_ns: int) -> list[Verdict]:
    """All that was written from a moment on, in nanoseconds since the epoch."""
    found: list[Verdict] = []
    with Journals(engine, lab, begin_ns, follow=False) as journals:
        for happening in engine.wait(journals.streams, time.monotonic() + READ_LIMIT):
            found += journals.verdicts(happening)
    return found


def of_line(line: bytes, node: str, begin_ns: int = 0) -> Iterator[Verdict]:
    """The verdict in a line of a probe's journal, if there is one and it isn't too old; also of a kind of fault that
    this labctl doesn't know."""
    if b'"event":"fault"' not in line:
        return
    yield from of_events([decode(line, node=node)], begin_ns)


def of_events(events: Iterable[Event], begin_ns: int = 0) -> Iterator[Verdict]:
    """The verdicts among events of a journal, but for those that are too old."""
    for event in events:
        if event.name == "fault" and event.local and event.peer and event.get("action"):
            found = _verdict(event)
            if found.ts_ns >= begin_ns:
                yield found


def _verdict(event: Event) -> Verdict:
    src, sport = cast(Address, event.local)
    dst, dport = cast(Address, event.peer)
    proto = str(event.get("proto"))
    ports = proto in table().with_ports
    return Verdict(
        event.nanoseconds,
        event.node,
        str(event.get("rule")),
        str(event.get("action")),
        src,
        sport if ports else None,
        dst,
        dport if ports else None,
        "icmp6" if proto == "icmp" and ":" in src else proto,
        event.get("seq"),
        event.get("size"),
        event.get("ip_id"),
        held_ns=round(float(event.get("delay_ms") or 0) * 1e6),
    )
