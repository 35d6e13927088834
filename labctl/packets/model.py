"""Captured bytes (records) and what they are (packets)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

# `partial`: left for the network card to complete (checksum offload): 0, or the sum of the pseudo-header alone;
# `none`: UDP over IPv4 without a checksum (RFC 768); `missing`: the same over IPv6, which forbids it (RFC 8200, section
# 8.1) but for tunnels (RFC 6935); `unknown`: not all of the bytes are there.
Checksum = Literal["ok", "bad", "partial", "none", "missing", "unknown"]

FIN, SYN, RST, PSH, ACK, URG, ECE, CWR, AE = (1 << bit for bit in range(9))
RESERVED = 0xE00  # the three bits of TCP's flags that have no name yet
FLAG_NAMES = (
    (SYN, "SYN"),
    (FIN, "FIN"),
    (RST, "RST"),
    (PSH, "PSH"),
    (ACK, "ACK"),
    (URG, "URG"),
    (ECE, "ECE"),
    (CWR, "CWR"),
    (AE, "AE"),  # RFC 9768
)


class CaptureError(Exception):
    """Captured bytes that can't be read on; its text is one sentence. What was whole before has been yielded."""


@dataclass(frozen=True, slots=True)
class Interface:
    """Where a capture was taken, as its file says. `order`: the byte order of the machine that captured, < or >."""

    index: int
    name: str
    link_type: int
    order: str = "<"


@dataclass(frozen=True, slots=True)
class Record:
    """One packet of a capture as bytes.

    `ts_ns` is UTC in nanoseconds since the epoch; `original_length` what was on the wire, in bytes, of which `data`
    may be the beginning alone. `piece_of` is the datagram that it is a fragment of, if a recorder saw it whole.
    `timed`: False where the capture tells no time; `ts_ns` is 0 then.
    """

    ts_ns: int
    data: bytes
    original_length: int
    interface: Interface
    comments: tuple[str, ...] = ()
    piece_of: Record | None = field(default=None, compare=False, repr=False)
    timed: bool = True


@dataclass(frozen=True, slots=True)
class Tcp:
    """A TCP header (RFC 9293, section 3.1) and its options (RFC 7323, RFC 2018)."""

    seq: int
    ack: int
    flags: int
    window: int
    mss: int | None = None
    window_scale: int | None = None
    sack_permitted: bool = False
    sack: tuple[tuple[int, int], ...] = ()
    timestamps: tuple[int, int] | None = None
    urgent: int = 0

    def has(self, flags: int) -> bool:
        """Any of the flags is set."""
        return bool(self.flags & flags)

    @property
    def names(self) -> str:
        """The set flags, as `SYN, ACK`."""
        found = [name for bit, name in FLAG_NAMES if self.flags & bit]
        if self.flags & RESERVED:
            found.append(f"reserved 0x{self.flags & RESERVED:03x}")
        return ", ".join(found) or "none"


@dataclass(frozen=True, slots=True)
class Icmp:
    """An ICMP (RFC 792) or ICMPv6 (RFC 4443) message; `quoted` is the packet that an error quotes.

    `target`: the address that a neighbour solicitation or advertisement is about (RFC 4861, sections 4.3 and 4.4).
    `mtu` is the largest packet that goes through (RFC 1191; RFC 4443, section 3.2), `gateway` the better way that a
    redirect tells of, `groups` are the multicast groups that a listener's message is about (RFC 2710, RFC 3810).
    """

    type: int
    code: int
    id: int | None = None
    seq: int | None = None
    quoted: Packet | None = None
    target: str | None = None
    mtu: int | None = None
    gateway: str | None = None
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Igmp:
    """A message about IPv4's multicast groups (RFC 1112, RFC 2236, RFC 3376); `version` of the protocol."""

    type: int
    version: int
    groups: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Arp:
    """An ARP message (RFC 826): who asks or answers (`operation` 1, 2), with hardware addresses as hexadecimal."""

    operation: int
    sender_mac: str
    target_mac: str


@dataclass(frozen=True, slots=True)
class Packet:
    """One packet, decoded as far as it goes. Where that ended early, `malformed` says in words what is wrong with it,
    and `unread` why a sound one goes unread from there on: the capture didn't keep it, or it isn't decoded here.

    Lengths are in bytes. `total_length` counts the IP header and `payload_length` what follows the last header that
    was decoded, both as the headers say; `payload` is what was captured of that. `fragment_offset` is in bytes.
    The offsets say where in `record.data` a header or the payload begins (-1: there is none).
    """

    ts_ns: int
    index: int
    node: str
    record: Record = field(repr=False)
    version: int = 0
    src: str = ""
    dst: str = ""
    protocol: str = ""
    sport: int | None = None
    dport: int | None = None
    tcp: Tcp | None = None
    udp_length: int | None = None
    icmp: Icmp | None = None
    arp: Arp | None = None
    igmp: Igmp | None = None
    ip_id: int | None = None
    ttl: int | None = None
    dont_fragment: bool = False
    more_fragments: bool = False
    fragment_offset: int = 0
    total_length: int = 0
    payload_length: int = 0
    payload: bytes = b""
    ip_checksum: Checksum = "unknown"
    checksum: Checksum = "unknown"
    ip_checksum_wanted: int | None = None  # where it is bad: what would be right
    checksum_wanted: int | None = None
    malformed: str = ""
    unread: str = ""
    vlans: tuple[int, ...] = ()
    network_offset: int = -1
    transport_offset: int = -1
    payload_offset: int = -1

    @property
    def interface(self) -> str:
        return self.record.interface.name

    @property
    def is_fragment(self) -> bool:
        return self.more_fragments or self.fragment_offset > 0

    @property
    def source(self) -> tuple[str, int | None]:
        return self.src, self.sport

    @property
    def target(self) -> tuple[str, int | None]:
        return self.dst, self.dport
