"""How fast one node can send to another: throughput, loss and round trip over TCP or UDP, counted where it arrives.

Helpers in the two nodes' network namespaces send and count (services/probe/labreach/speed), so the nodes need no tool
and no privilege, and every link, router and fault between them counts in.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from labctl.engine.model import Engine
from labctl.errors import LabError
from labctl.lab import probes
from labctl.lab.model import Lab, Node
from labctl.lab.reach.probe import Target, look, target

RECORDED = 2 << 20  # bytes at most, unless others are asked for, while one of the nodes is recorded
SIZE = 1448  # bytes of a datagram: what fits into a frame of 1,500 beside the headers of IPv6 and options
RATE = 10e6  # bits a second of datagrams, unless another is asked for
LARGEST = 65_507
SMALLEST = 24  # bytes: the number of a datagram, and when it was sent
SLACK = 30.0  # seconds for what comes before and after


@dataclass(frozen=True)
class Asked:
    """What is measured. `most`: bytes at most (0: any number), which `recorded` has limited; `rate` in bits a second
    (0: as fast as it goes), `size` of each datagram in bytes."""

    source: str
    target: Target
    protocol: str
    seconds: float
    most: int
    rate: float
    size: int
    recorded: tuple[str, ...] = ()


@dataclass(frozen=True)
class Measured:
    """What came of it, times in nanoseconds. `arrived` bytes in `took`, both as the receiver counted them from the
    first to the last. Packets are segments of TCP (`lost`: those that were sent again) or datagrams (`lost`: those that
    never came, `overflowed` of them because the receiver's own queue was full). The first one begins the time, so that
    only `timed` bytes were got in it. `sent_rate` is what the sender of datagrams came to, in bits a second."""

    local: tuple[str, int]
    peer: tuple[str, int]
    arrived: int
    timed: int
    took: int
    packets: int
    lost: int
    rtts: tuple[int, ...]
    loaded_rtt: int | None = None
    duplicates: int = 0
    reordered: int = 0
    overflowed: int = 0
    jitter: int | None = None
    sent_rate: float | None = None

    @property
    def rate(self) -> float:
        """Bits a second."""
        return self.timed * 8 * 1e9 / self.took if self.took else 0.0

    @property
    def share_lost(self) -> float:
        return self.lost / self.packets if self.packets else 0.0

    def as_json(self) -> dict[str, Any]:
        keys = ("local", "peer", "packets", "lost", "duplicates", "reordered", "overflowed")
        found = {key: getattr(self, key) for key in keys}
        found |= {
            "bytes": self.arrived,
            "timed_bytes": self.timed,
            "ns": self.took,
            "bits_per_second": round(self.rate),
        }
        found |= {"sent_bits_per_second": None if self.sent_rate is None else round(self.sent_rate)}
        found |= {"rtts_ns": list(self.rtts), "loaded_rtt_ns": self.loaded_rtt, "jitter_ns": self.jitter}
        return found


def speed(
    engine: Engine,
    lab: Lab,
    source: str,
    to: str,
    *,
    udp: bool = False,
    seconds: float = 3.0,
    most: int | None = None,
    rate: float | None = None,
    size: int = SIZE,
    family: int | None = None,
) -> Iterator[Asked | Measured]:
    """First what is measured between whom, then what came of it. `rate` in bits a second (None: RATE of datagrams, of
    TCP no limit), `most` in bytes (None: no limit, but RECORDED where a node is recorded). Raises LabError."""
    node = lab.networked(source, "it can't send")
    other = lab.networked(to, "nothing can arrive there")
    _check(size, seconds)
    whom = target(lab, node, to, family)
    there = _recorded(engine, lab)
    recorded = tuple(one.name for one in (node, other) if one.probed in there)
    most = most if most is not None else RECORDED if recorded else 0
    chosen = rate if rate is not None else RATE if udp else 0.0
    asked = Asked(source, whom, "udp" if udp else "tcp", seconds, most, chosen, size, recorded if most else ())
    yield asked
    yield _measure(engine, lab, node, other, asked)


def _check(size: int, seconds: float) -> None:
    if not SMALLEST <= size <= LARGEST:
        raise LabError("bad-option", option="--size", why=f"from {SMALLEST} to {LARGEST} bytes, not {size}")
    if not 0.1 <= seconds <= 3600:
        raise LabError("bad-option", option="--seconds", why=f"from 0.1 to 3600, not {seconds:g}")


def _recorded(engine: Engine, lab: Lab) -> set[str]:
    return {name for name, probe in probes.all_of(engine, lab.name, probes.CAPTURE).items() if probe.state == "running"}


def _measure(engine: Engine, lab: Lab, node: Node, other: Node, asked: Asked) -> Measured:
    token, limit = os.urandom(8).hex(), asked.seconds * 3 + SLACK
    name = asked.target.name
    serving = {"do": "speed-server", "name": name, "address": asked.target.address, "token": token, "limit": limit}
    found: dict[str, dict[str, Any]] = {}
    with ExitStack() as stack:
        server = look(engine, lab, other, serving, limit)
        stack.callback(server.close)  # type: ignore[attr-defined]  # the helper is gone then
        listening = next(server)
        sending = {
            "do": "speed-client",
            "name": name,
            "address": asked.target.address,
            "port": listening["port"],
            "datagrams": listening["datagrams"],
            "token": token,
            "protocol": asked.protocol,
            "seconds": asked.seconds,
            "most": asked.most,
            "rate": round(asked.rate),
            "size": asked.size,
        }
        for event in look(engine, lab, node, sending, limit):
            found[event["event"]] = event
    return _measured(found)


def _measured(found: dict[str, dict[str, Any]]) -> Measured:
    seen, connected = found["measured"], found["connected"]
    tcp = "segments" in seen
    packets = seen["segments"] if tcp else seen["sent"]
    return Measured(
        tuple(connected["local"]),
        tuple(connected["peer"]),
        arrived=seen["bytes"],
        timed=seen["timed"],
        took=seen["ns"],
        packets=packets,
        lost=seen["retransmitted"] if tcp else max(0, packets - seen["received"]),
        rtts=tuple(found["echoes"]["rtts_ns"]),
        loaded_rtt=seen.get("loaded_rtt_ns"),
        duplicates=seen.get("duplicates", 0),
        reordered=seen.get("reordered", 0),
        overflowed=seen.get("overflowed", 0),
        jitter=seen.get("jitter_ns"),
        sent_rate=None if tcp else seen["sent"] * seen["size"] * 8 / max(seen["seconds"], 1e-9),
    )


def check(asked: Asked, found: Measured) -> None:
    """Raises LabError `no-answer` where nothing arrived."""
    if not found.took and not found.arrived:
        mend = "`labctl fault ls` shows the rules of links, `labctl ping` whether anything gets through"
        raise LabError("no-answer", peer=asked.target.shown, seconds=asked.seconds, mend=mend)


def document(lab: Lab, asked: Asked, found: Measured) -> dict[str, Any]:
    head = {"lab": lab.name, "from": asked.source, "to": asked.target.name, "protocol": asked.protocol}
    limits = {"seconds": asked.seconds, "most_bytes": asked.most, "rate": asked.rate or None}
    more = {"size": asked.size} if asked.protocol == "udp" else {}
    return {**head, **limits, **more, "recorded": list(asked.recorded), **found.as_json()}
