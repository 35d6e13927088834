"""Echo requests from a node: whether somebody answers, and how long it takes there and back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from labctl.engine.model import Engine
from labctl.errors import LabError, Unresolved
from labctl.lab.model import Lab
from labctl.lab.reach.probe import Target, kernel_words, look, owner, target, version, with_nearest
from labctl.packets.protocols.transport import icmp, icmpv6

MOST = 65_535  # requests: a sequence number has 16 bits (RFC 792)
LARGEST = 65_507  # bytes in one request: an IPv4 packet of 65,535 with its header and ICMP's


@dataclass(frozen=True)
class Asked:
    """How a node is asked; times in seconds, `size` in bytes without ICMP's header, `ttl` None for the usual."""

    node: str
    target: Target
    count: int
    interval: float
    timeout: float
    size: int
    ttl: int | None = None


@dataclass(frozen=True)
class Answer:
    """What came of one request. `kind`: reply, lost (nothing came in time), error (an ICMP message of `source`), unsent
    (the node's own kernel would not). `again`: a duplicate; `late`: a reply to what was given up; `damaged`: with other
    bytes than were sent."""

    seq: int
    kind: str
    source: str | None = None
    owner: str | None = None
    rtt_ns: int | None = None
    ttl: int | None = None
    bytes: int | None = None
    why: str = ""
    again: bool = False
    late: bool = False
    damaged: bool = False

    @property
    def counts(self) -> bool:
        """Whether it is the answer to its request, in time."""
        return self.kind == "reply" and not self.again and not self.late

    def as_json(self) -> dict[str, Any]:
        always: dict[str, Any] = {"seq": self.seq, "kind": self.kind}
        rest = ("source", "owner", "rtt_ns", "ttl", "bytes", "why", "again", "late", "damaged")
        found = {key: getattr(self, key) for key in rest}
        return always | {"from" if key == "source" else key: value for key, value in found.items() if value}


@dataclass(frozen=True)
class Summary:
    """Round trips in nanoseconds, of the answers that came in time; empty where none did."""

    sent: int
    received: int
    duplicates: int
    errors: int
    times: tuple[int, ...]

    @property
    def lost(self) -> int:
        return self.sent - self.received

    def as_json(self) -> dict[str, Any]:
        keys = ("sent", "received", "lost", "duplicates", "errors")
        found = {key: getattr(self, key) for key in keys}
        if not self.times:
            return found
        average = sum(self.times) // len(self.times)
        return found | {"min_ns": min(self.times), "avg_ns": average, "max_ns": max(self.times)}


def ping(
    engine: Engine,
    lab: Lab,
    name: str,
    to: str,
    *,
    count: int = 3,
    interval: float = 0.2,
    timeout: float = 2.0,
    size: int = 56,
    ttl: int | None = None,
    family: int | None = None,
) -> Iterator[Asked | Answer]:
    """First what is asked of whom, then each answer as it comes. Raises LabError: those of `look`, `no-address`."""
    node = lab.networked(name, "it can't ask")
    whom = target(lab, node, to, family)
    options = {"count": count, "interval": interval, "timeout": timeout, "size": size, "ttl": ttl}
    order = {"do": "ping", "name": to, "address": whom.address, "family": family, **options}
    try:
        for event in look(engine, lab, node, order, count * interval + timeout):
            if event["event"] == "target":
                yield Asked(node.name, whom.at(lab, event["address"]), count, interval, timeout, size, ttl)
            else:
                yield answer(lab, node.name, event)
    except Unresolved as problem:
        raise with_nearest(lab, problem) from None


def answer(lab: Lab, node: str, event: dict[str, Any]) -> Answer:
    """One line of the probe's at a node."""
    kind, source = event["event"], event.get("from")
    why = ""
    if kind == "error":
        why = icmp_words(event["type"], event["code"], source)
    elif kind == "unsent":
        why = kernel_words(node, event["error"], event["reason"])
    keys = ("rtt_ns", "ttl", "bytes", "again", "late", "damaged")
    rest = {key: event[key] for key in keys if key in event}
    return Answer(event["seq"], kind, source, owner(lab, source), why=why, **rest)


def icmp_words(kind: int, code: int, source: str | None) -> str:
    """An ICMP error in words, such as `destination unreachable: host unreachable`."""
    family = icmpv6.FAMILY if version(source or "") == 6 else icmp.FAMILY
    return family.called(kind, code)


def summary(answers: Sequence[Answer]) -> Summary:
    """Of the answers there are, also where not all have come yet."""
    got = [found for found in answers if found.counts]
    return Summary(
        sent=len({found.seq for found in answers}),
        received=len(got),
        duplicates=sum(found.again for found in answers),
        errors=sum(found.kind in ("error", "unsent") for found in answers),
        times=tuple(found.rtt_ns or 0 for found in got),
    )


def document(lab: Lab, asked: Asked, answers: Sequence[Answer]) -> dict[str, Any]:
    whom = asked.target
    head: dict[str, Any] = {
        "lab": lab.name,
        "node": asked.node,
        "target": whom.name,
        "address": whom.address,
        "owner": whom.owner,
    }
    head |= {"bytes": asked.size + 8}
    return head | {"answers": [found.as_json() for found in answers], "summary": summary(answers).as_json()}


def check(lab: Lab, asked: Asked, answers: Sequence[Answer]) -> None:
    """Raises LabError `unreachable` or `no-answer`, with all that was seen, where no answer came in time."""
    if any(found.counts for found in answers):
        return
    seen = document(lab, asked, answers)
    problems = [found for found in answers if found.kind in ("error", "unsent")]
    shown = asked.target.shown
    if problems:
        last = problems[-1]
        whom = f"{last.owner} ({last.source})" if last.owner else last.source
        why = f"{whom} says: {last.why}" if last.source else last.why
        raise LabError("unreachable", node=asked.node, target=shown, why=why, seen=seen)
    mend = f"`labctl route {asked.node} {asked.target.name}` shows how far it is known; `labctl fault ls` the rules"
    raise LabError("no-answer", peer=shown, seconds=asked.timeout, mend=mend, seen=seen)
