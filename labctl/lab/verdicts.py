"""What faults did to packets, from the journals of their probes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import cast, get_args

from labctl.engine.model import Engine, Stream
from labctl.events.codec import decode, stamp_of
from labctl.events.model import Address, Event
from labctl.lab import probes
from labctl.lab.model import Lab
from labctl.packets.crossings import Action, Verdict

READ_LIMIT = 60.0  # seconds
_ACTIONS = {**{name: name for name in get_args(Action)}, "rate": "limit"}


def since(engine: Engine, lab: Lab, begin_ns: int) -> list[Verdict]:
    """All from a moment on, in nanoseconds since the epoch."""
    streams = listen(engine, lab, begin_ns)
    found: list[Verdict] = []
    try:
        for happening in engine.wait(list(streams), time.monotonic() + READ_LIMIT):
            if happening.line:
                found += of_line(happening.line.text, streams[happening.stream], begin_ns)
    finally:
        for stream in streams:
            stream.close()
    return found


def listen(engine: Engine, lab: Lab, begin_ns: int, *, follow: bool = False) -> dict[Stream, str]:
    """The journals of the lab's fault probes, each with its node's name; with `follow` what comes as well."""
    # A little earlier: a verdict may be written long after the packet was sent that it is about.
    start = stamp_of(begin_ns)
    there = probes.all_of(engine, lab.name)
    found = {name: probe for name, probe in there.items() if probe.state != "created"}
    return {engine.logs(probe.id, since=start, follow=follow): name for name, probe in found.items()}


def of_line(line: bytes, node: str, begin_ns: int = 0) -> Iterator[Verdict]:
    """The verdict in a line of a probe's journal, if there is one and it isn't too old."""
    if b'"event":"fault"' not in line:
        return
    event = decode(line, node=node)
    if event.name == "fault" and event.local and event.peer and event.get("action") in _ACTIONS:
        found = _verdict(event)
        if found.ts_ns >= begin_ns:
            yield found


def _verdict(event: Event) -> Verdict:
    src, sport = cast(Address, event.local)
    dst, dport = cast(Address, event.peer)
    proto = str(event.get("proto"))
    ports = proto in ("tcp", "udp")
    return Verdict(
        event.nanoseconds,
        event.node,
        str(event.get("rule")),
        cast(Action, _ACTIONS[str(event.get("action"))]),
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
