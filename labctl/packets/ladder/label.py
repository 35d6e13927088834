"""What stands on an arrow, in parts, and what is to be remarked of it."""

from __future__ import annotations

from dataclasses import dataclass

from labctl.faults.kinds.kind import Finding
from labctl.packets.crossings import Crossing, Verdict
from labctl.packets.fields import groups
from labctl.packets.fields.arp import OPERATIONS
from labctl.packets.model import Packet
from labctl.packets.protocols import application
from labctl.packets.protocols.words import end, ends, icmp_name
from labctl.packets.tcp.tcp import Segment, milliseconds

_GROUPS = 3  # multicast groups that are named in a label
_TEXT = 64  # bytes of the payload that are looked at for a label


@dataclass(frozen=True, slots=True)
class Mark:
    """A remark on an arrow: a word that stands for its kind, and what there is to add."""

    word: str
    detail: str = ""

    def __str__(self) -> str:
        if not self.detail:
            return self.word
        return f"{self.word}{' ' if self.detail.startswith(('by ', '#', 'after ', 'of ')) else ': '}{self.detail}"


@dataclass(frozen=True, slots=True)
class Label:
    """`head` says what it is (`SYN, ACK`), `parts` are its numbers, `text` its first bytes where they are text."""

    head: str
    parts: tuple[str, ...]
    text: str = ""
    phase: str = ""


def label(packet: Packet, segment: Segment | None) -> Label:
    """The label of a packet; a TCP segment's with numbers relative to its conversation, where that is known."""
    if packet.fragment_offset:
        parts = (f"offset {packet.fragment_offset}", f"len {packet.payload_length}", f"id {packet.ip_id}")
        return Label(f"{packet.protocol.upper()} fragment", parts, phase="data")
    if packet.tcp is not None:
        return _tcp(packet, segment)
    if packet.icmp is not None:
        return _icmp(packet)
    if packet.arp is not None:
        return _arp(packet)
    if packet.igmp is not None:
        return _igmp(packet)
    pieces = [f"len {packet.payload_length}"]
    if packet.more_fragments:
        pieces += ["first fragment", f"id {packet.ip_id}"]
    if packet.protocol == "udp" and (found := application.dns_of(packet)) is not None:
        return Label("DNS", (*pieces, application.dns_summary(found[0])), phase="data")
    return Label(packet.protocol.upper(), tuple(pieces), _text(packet), "data")


def _tcp(packet: Packet, segment: Segment | None) -> Label:
    tcp = packet.tcp
    assert tcp is not None
    seq = segment.seq if segment else tcp.seq
    parts = [f"seq {seq}"]
    if tcp.flags & 0x10:
        parts.append(f"ack {segment.ack if segment else tcp.ack}")
    if packet.payload_length:
        parts.append(f"len {packet.payload_length}")
    window = segment.window if segment else None
    parts.append(f"win {tcp.window}" if window is None else f"win {window}")
    if tcp.mss is not None:
        parts.append(f"mss {tcp.mss}")
    return Label(tcp.names, tuple(parts), _text(packet), segment.phase if segment else "data")


def _icmp(packet: Packet) -> Label:
    icmp = packet.icmp
    assert icmp is not None
    head = f"{'ICMPv6' if packet.protocol == 'icmp6' else 'ICMP'} {icmp_name(packet)}"
    parts: list[str] = []
    if icmp.mtu is not None:
        parts.append(f"mtu {icmp.mtu}")
    if icmp.gateway is not None:
        parts.append(f"gateway {icmp.gateway}")
    if icmp.quoted is not None:
        about = f" {ends(icmp.quoted)}" if icmp.quoted.src else ""
        parts.append(f"quotes {icmp.quoted.protocol.upper()}{about}")
    elif icmp.seq is not None:
        parts += [f"id {icmp.id}", f"seq {icmp.seq}"]
    elif icmp.groups:
        parts.append(_groups(icmp.groups))
    elif icmp.target is not None:
        # Whose address is asked for or told (RFC 4861, sections 4.3 and 4.4): it goes to a group, or to who asked.
        parts.append(f"who has {icmp.target}?" if icmp.type == 135 else f"of {icmp.target}")
    return Label(head, tuple(parts), phase="data")


def _igmp(packet: Packet) -> Label:
    igmp = packet.igmp
    assert igmp is not None
    name = groups.NAMES.get(igmp.type, f"type 0x{igmp.type:02x}")
    return Label(f"IGMP {name}", (_groups(igmp.groups),) if igmp.groups else (), phase="data")


def _groups(found: tuple[str, ...]) -> str:
    more = f" and {len(found) - _GROUPS} more" if len(found) > _GROUPS else ""
    return f"{', '.join(found[:_GROUPS])}{more}"


def _arp(packet: Packet) -> Label:
    arp = packet.arp
    assert arp is not None
    if arp.operation == 1:
        return Label(f"ARP who has {packet.dst}?", (f"asks {packet.src}",), phase="data")
    if arp.operation in (2, 9):
        head = "ARP" if arp.operation == 2 else "InARP"
        return Label(f"{head} {packet.src} is at {arp.sender_mac or '-'}", (), phase="data")
    if arp.operation in (3, 8):
        name, way = ("RARP", "asks") if arp.operation == 3 else ("InARP", f"asks {packet.src},")
        return Label(f"{name} who is {arp.target_mac or '-'}?", (f"{way} {arp.sender_mac or '-'}",), phase="data")
    if arp.operation == 4:
        return Label(f"RARP {arp.target_mac or '-'} is {packet.dst}", (), phase="data")
    words = OPERATIONS.get(arp.operation, "")
    return Label(f"ARP operation {arp.operation}", (words, f"of {packet.src}") if words else (), phase="data")


def _text(packet: Packet) -> str:
    return application.text_of(packet.payload[:_TEXT]) or ""


def marks(crossing: Crossing, segment: Segment | None, copy: Packet | None = None) -> tuple[Mark, ...]:
    """All remarks on a crossing, or on the arrow of one of its copies."""
    packet, faults = crossing.packet, crossing.faults
    out: list[Mark] = []
    if copy is not None:
        out.append(Mark("duplicate", f"{_by(faults, 'duplicated')}, {_after(crossing, copy)}".lstrip(", ")))
    if crossing.fate == "lost":
        causes = [f"{one.kind.done} by {one.rule}" for one in faults if _is_cause(one)]
        out.append(Mark("lost", ", ".join(causes)))
    elif crossing.fate == "unknown":
        out.append(Mark("not captured", crossing.why))
    elif crossing.fate == "elsewhere":
        by = f"sent by {faults[0].rule}" if faults else "none of the captured nodes sent it"
        out.append(Mark("from elsewhere", by))
    if copy is None:
        out += _disturbed(crossing, faults)
        out += [Mark(note.word, note.detail) for note in (segment.notes if segment else ())]
    if crossing.rewritten is not None:
        new = crossing.rewritten
        out.append(Mark("rewritten", f"arrives as {end(*new.new_source)} > {end(*new.new_target)}"))
    if packet.malformed:
        out.append(Mark("malformed", packet.malformed))
    if packet.unread:
        out.append(Mark("unread", packet.unread))
    return tuple(out)


def _disturbed(crossing: Crossing, faults: tuple[Verdict, ...]) -> list[Mark]:
    out = []
    if crossing.delayed:
        over = milliseconds(crossing.late_ns or 0)
        out.append(Mark("delayed", f"{_by(faults, 'delayed')}, {over} over the usual".lstrip(", ")))
    if crossing.reordered:
        cause = _by(faults, "reordered")
        out.append(Mark("out of order", f"{cause}, arrived after what was sent later".lstrip(", ")))
    if crossing.corrupted:
        out.append(Mark("corrupted", _by(faults, "corrupted") or "it arrived with other bytes"))
    # What the wire shows by itself is said above, and why a packet is lost with its loss.
    untold = [one for one in faults if not (_is_cause(one) if crossing.fate == "lost" else _is_seen(one, crossing))]
    out += [Mark(one.kind.done, f"by {one.rule}") for one in untold]
    return out


def _is_cause(verdict: Verdict) -> bool:
    """Whether a lost packet is lost by it."""
    return verdict.kind.arrives in ("never", "replaced")


def _is_seen(verdict: Verdict, crossing: Crossing) -> bool:
    return verdict.kind.seen_as is not None and bool(getattr(crossing, verdict.kind.seen_as))


def _by(faults: tuple[Verdict, ...], finding: Finding) -> str:
    rules = dict.fromkeys(one.rule for one in faults if one.kind.seen_as == finding)
    return f"by {', '.join(rules)}" if rules else ""


def _after(crossing: Crossing, copy: Packet) -> str:
    assert crossing.arrived is not None
    return f"{milliseconds(copy.ts_ns - crossing.arrived.ts_ns)} after the first"
