"""What can be reached from a node, and how fast: what came of ping, route, dns and speed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from labctl.lab.reach import dns, ping, route, speed
    from labctl.lab.reach.dns import Lookup as Lookup
    from labctl.lab.reach.ping import Answer as Answer
    from labctl.lab.reach.ping import Asked as Asked
    from labctl.lab.reach.probe import Target
    from labctl.lab.reach.route import Chosen as Chosen
    from labctl.lab.reach.route import Hop as Hop

    SpeedAsked = speed.Asked


@dataclass(frozen=True)
class Ping:
    """What came of echo requests (ICMP): each answer, and in `summary` counts and round trips, in nanoseconds."""

    target: Target
    answers: tuple[ping.Answer, ...]
    summary: ping.Summary
    document: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """As `labctl ping --json` has it."""
        return self.document


@dataclass(frozen=True)
class Route:
    """The way from a node: the route of its table (`entry`), and each hop by what answered, `rtt_ns` in nanoseconds."""

    target: Target
    entry: route.Entry
    hops: tuple[route.Hop, ...]
    document: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        """As `labctl route --json` has it."""
        return self.document


@dataclass(frozen=True)
class Resolution:
    """What a node's resolver said of a name: lines of /etc/hosts, and each name server's reply."""

    lookup: dns.Lookup
    document: dict[str, Any]

    @property
    def addresses(self) -> tuple[str, ...]:
        """All addresses, those of /etc/hosts first, as the node itself would take them."""
        found = [address for address, _ in self.lookup.hosts]
        for reply in self.lookup.replies:
            records = reply.message.answers if reply.message else ()
            found += [record.value for record in records if record.type in ("A", "AAAA")]
        return tuple(dict.fromkeys(found))

    def as_json(self) -> dict[str, Any]:
        """As `labctl dns --json` has it."""
        return self.document


@dataclass(frozen=True)
class Speed:
    """What one node could send to another: `measured` as the receiver counted it, times in nanoseconds."""

    asked: speed.Asked
    measured: speed.Measured
    document: dict[str, Any]

    @property
    def bits_per_second(self) -> float:
        """What arrived, by the time from the first to the last of it."""
        return self.measured.rate

    @property
    def share_lost(self) -> float:
        """From 0 to 1: of TCP's segments those that were sent again, of datagrams those that never came."""
        return self.measured.share_lost

    def as_json(self) -> dict[str, Any]:
        """As `labctl speed --json` has it."""
        return self.document
