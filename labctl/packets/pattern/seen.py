"""What a ladder shows, in the words of a pattern."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from labctl.packets.ladder.ladder import Arrow, Ladder, is_pure
from labctl.packets.model import FLAG_NAMES, Packet, Tcp
from labctl.packets.pattern.outcomes import causes, outcomes
from labctl.packets.protocols import table

# Of a header's flags, in the order in which tcpdump(8) writes them.
LETTERS = {"FIN": "F", "SYN": "S", "RST": "R", "PSH": "P", "ACK": ".", "URG": "U", "ECE": "E", "CWR": "W", "AE": "e"}
KEEP_ALIVE = "keep-alive"
KEEP_ALIVES = ("keep-alive", "answer to keep-alive")  # marks of ladders


@dataclass(frozen=True, slots=True)
class Seen:
    """A packet between two nodes. Numbers are relative to the conversation, where it is known; times in nanoseconds.

    `flow` is the same for both directions of a conversation. `first` and `last`: of TCP's sequence numbers, or of the
    bytes of a fragment. `causes`: of each of the `outcomes` the rules that did it. `upkeep`: what kernels send by
    themselves, by its protocol; or `keep-alive`.
    """

    at_ns: int
    sent_ns: int
    arrived_ns: int | None
    sender: str
    receiver: str
    sport: int | None
    dport: int | None
    protocol: str
    flow: str
    flags: frozenset[str] = frozenset()
    first: int | None = None
    last: int | None = None
    length: int = 0
    fragment: bool = False
    ack: int | None = None
    window: int | None = None
    options: Mapping[str, int | None] | None = None
    message: str = ""
    payload: bytes = b""
    outcomes: tuple[str, ...] = ()
    causes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    is_pure_ack: bool = False
    upkeep: str = ""

    @property
    def takes_sequence(self) -> int:
        """How many sequence numbers it takes: SYN and FIN take one each (RFC 9293, section 3.4)."""
        return self.length + len(self.flags & {"S", "F"})


def seen_of(ladders: Iterable[Ladder]) -> list[Seen]:
    """All packets of some ladders, each between other two nodes, in order of time."""
    out = [_of(arrow, ladder) for ladder in ladders for arrow in ladder.arrows]
    return sorted(out, key=lambda one: one.at_ns)


def _of(arrow: Arrow, ladder: Ladder) -> Seen:
    crossing, packet, segment = arrow.crossing, arrow.crossing.packet, arrow.segment
    ends = (ladder.left.name, ladder.right.name)
    length = packet.payload_length
    if packet.is_fragment:
        if not packet.fragment_offset and packet.transport_offset >= 0:  # the protocol's header are bytes of it, too
            length += max(0, packet.payload_offset - packet.transport_offset)
        first: int | None = packet.fragment_offset
        last: int | None = packet.fragment_offset + length
    elif segment is not None:
        first, last = segment.seq, segment.seq + segment.length
    else:
        first = last = None
    known = packet.tcp is not None and not packet.is_fragment
    return Seen(
        at_ns=arrow.at_ns,
        sent_ns=arrow.at_ns if arrow.sent_ns is None or arrow.copy else arrow.sent_ns,
        arrived_ns=_arrival(arrow),
        sender=ends[0 if arrow.rightwards else 1],
        receiver=ends[1 if arrow.rightwards else 0],
        sport=packet.sport,
        dport=packet.dport,
        protocol=packet.protocol or "?",
        flow=arrow.flow,
        flags=_letters(packet.tcp) if packet.tcp is not None and known else frozenset(),
        first=first,
        last=last,
        length=length,
        fragment=packet.is_fragment,
        ack=segment.ack if segment is not None and known else None,
        window=segment.window if segment is not None and known else None,
        options=_options(packet.tcp) if packet.tcp is not None and known else None,
        message=_message(packet, arrow.label.head),
        payload=packet.payload,
        outcomes=outcomes(arrow),
        causes=causes(arrow),
        is_pure_ack=is_pure(crossing, segment) and not arrow.copy,
        upkeep=_upkeep(arrow),
    )


def _arrival(arrow: Arrow) -> int | None:
    if arrow.fate == "seen":  # one capture: it shows one order
        return arrow.at_ns
    return arrow.arrived_ns if arrow.fate in ("delivered", "elsewhere") else None


def _letters(tcp: Tcp) -> frozenset[str]:
    return frozenset(LETTERS[name] for bit, name in FLAG_NAMES if tcp.flags & bit and name in LETTERS)


def _options(tcp: Tcp) -> dict[str, int | None]:
    out: dict[str, int | None] = {}
    if tcp.mss is not None:
        out["mss"] = tcp.mss
    if tcp.window_scale is not None:
        out["wscale"] = tcp.window_scale
    if tcp.sack_permitted:
        out["sackOK"] = None
    if tcp.timestamps is not None:
        out["TS"] = None
    if tcp.sack:
        out["sack"] = None
    return out


def _message(packet: Packet, head: str) -> str:
    """What a packet that has no ports says, in a label's words: those behind the protocol's, without addresses."""
    if packet.arp is not None:
        return {1: "who has", 2: "is at"}.get(packet.arp.operation, f"operation {packet.arp.operation}")
    if packet.icmp is None:
        return ""
    words = head.lower().split(" ", 1)
    return words[1] if len(words) == 2 else ""


def _upkeep(arrow: Arrow) -> str:
    packet = arrow.crossing.packet
    if any(arrow.said(word) for word in KEEP_ALIVES):
        return KEEP_ALIVE
    return packet.protocol if table().is_upkeep(packet) else ""
