"""What goes into matching two captures, and what comes out: sides, verdicts and crossings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from labctl.faults.kinds import kind_of
from labctl.faults.kinds.kind import FaultKind
from labctl.packets.model import Packet

# delivered: sent here, arrived there; lost: sent, never arrived; unknown: nobody could see whether it arrived, or that
# it was sent; elsewhere: arrived, and none of the nodes that were watched had sent it; seen: on one capture alone.
Fate = Literal["delivered", "lost", "unknown", "elsewhere", "seen"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a fault did to one packet: `rule` (f3) of `node` at `ts_ns`, UTC in nanoseconds since the epoch. `action` is
    the name of a kind of fault (labctl.faults.kinds), or one that this labctl doesn't know.

    The rest tells which packet, as it was before the fault; None: not known. `proto` is as in `Packet.protocol` (tcp,
    udp, icmp, icmp6), `length` IP's total length in bytes, `seq` TCP's own number, `sport` and `dport` None without
    ports.
    """

    ts_ns: int
    node: str
    rule: str
    action: str
    src: str
    sport: int | None
    dst: str
    dport: int | None
    proto: str
    seq: int | None = None
    length: int | None = None
    ip_id: int | None = None
    detail: str = ""
    held_ns: int = 0  # how long a delay or a rate holds it

    @property
    def kind(self) -> FaultKind:
        return kind_of(self.action)


@dataclass(frozen=True, slots=True)
class Side:
    """One node's captures: `sent` as the node gave packets to the wire, before any fault; `arrived` on its interface.

    `addresses` are the node's own; without any, those are taken that it sends from. `kernel_drops`: how many packets
    the kernel could not hand to the capture. `since_ns`, `until_ns`: when the capture began and ended, if known.
    `clock` names the clock of its times, where there are several, and `clock_error_ns` is how far off that may be.
    """

    node: str
    sent: Sequence[Packet]
    arrived: Sequence[Packet]
    addresses: tuple[str, ...] = ()
    kernel_drops: int = 0
    since_ns: int | None = None
    until_ns: int | None = None
    clock: str = ""
    clock_error_ns: int = 0


def apart_ns(sides: Sequence[Side]) -> int:
    """How far off the clocks of some sides may be from each other, at most: nothing where they have the same."""
    errors = sorted({side.clock: side.clock_error_ns for side in sides}.values(), reverse=True)
    return sum(errors[:2]) if len(errors) > 1 else 0


@dataclass(frozen=True, slots=True)
class Rules:
    """When a packet is called delayed, and what the clocks allow; all in nanoseconds.

    Delayed: its one-way latency is `delay_floor` or more above the median of its flow's direction, and at least twice
    it; or a fault's verdict says so. `slack`: how much earlier than its sending an arrival may be stamped. `flight`:
    what was sent so shortly before a capture's end, or arrived so shortly after its beginning, may be cut off by that.
    """

    delay_floor: int = 20_000_000
    slack: int = 5_000_000
    flight: int = 200_000_000


@dataclass(frozen=True, slots=True)
class Rewriting:
    """What a router with address translation made of a packet's ends (RFC 3022)."""

    source: tuple[str, int | None]
    target: tuple[str, int | None]
    new_source: tuple[str, int | None]
    new_target: tuple[str, int | None]


@dataclass(frozen=True, slots=True)
class Crossing:
    """One packet from one node to another. `copies` arrived after `arrived` did; the sender had sent only one.

    `latency_ns` is one way; `late_ns` says by how much a delayed packet was later than its flow's median (None: it
    wasn't delayed). `why` says in words why a fate is unknown; `open`: only because the capture ends here.
    """

    sender: str
    receiver: str
    sent: Packet | None
    arrived: Packet | None
    fate: Fate
    copies: tuple[Packet, ...] = ()
    latency_ns: int | None = None
    late_ns: int | None = None
    reordered: bool = False
    corrupted: bool = False
    rewritten: Rewriting | None = None
    faults: tuple[Verdict, ...] = ()
    why: str = ""
    open: bool = False

    @property
    def packet(self) -> Packet:
        """As it was sent, where that was seen."""
        found = self.sent or self.arrived
        assert found is not None
        return found

    @property
    def duplicated(self) -> bool:
        return bool(self.copies)

    @property
    def delayed(self) -> bool:
        return self.late_ns is not None

    @property
    def is_slow(self) -> bool:
        """Delayed, and by no rule."""
        return self.delayed and not any(verdict.kind.seen_as == "delayed" for verdict in self.faults)
