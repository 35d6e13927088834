"""A packet as a row of evidence: what both ends saw of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from labctl.lesson.seen.rows import Row
from labctl.packets.model import ACK, FIN, PSH, RST, SYN, URG, Packet
from labctl.packets.protocols.layers import layers

if TYPE_CHECKING:
    from labctl.api.results.drawn import Ladder
    from labctl.packets.ladder.ladder import Arrow

FIELDS = (
    "number", "sender", "receiver", "fate", "time", "sent", "arrived", "latency", "protocol", "flags", "seq",
    "ack", "window", "length", "text", "data", "source", "target", "ttl", "total_length", "ip_id", "head",
    "phase", "kind", "marks", "rules", "retransmission", "duplicate", "reordered", "corrupted", "rewritten",
    "delayed", "mss", "window_scale", "icmp_type", "icmp_code", "version", "checksum", "layers", "frame",
)  # fmt: skip
_LETTERS = ((SYN, "S"), (FIN, "F"), (RST, "R"), (PSH, "P"), (ACK, "."), (URG, "U"))  # as tcpdump(1) has them


def packet_row(arrow: Arrow, ladder: Ladder | None, began: int) -> Row:
    """Times are seconds since the act began, lengths bytes."""
    assert ladder is not None
    packet, segment, crossing = arrow.crossing.packet, arrow.segment, arrow.crossing
    ends = (ladder.left, ladder.right) if arrow.rightwards else (ladder.right, ladder.left)
    tcp = packet.tcp
    values: dict[str, Any] = {
        "number": arrow.number,
        "sender": ends[0],
        "receiver": ends[1],
        "fate": arrow.fate,
        "time": (arrow.at_ns - began) / 1e9,
        "sent": _since(arrow.sent_ns, began),
        "arrived": _since(arrow.arrived_ns, began),
        "latency": None if arrow.latency_ns is None else arrow.latency_ns / 1e9,
        "protocol": packet.protocol,
        "flags": flags_of(packet),
        "seq": segment.seq if segment else None,
        "ack": segment.ack if segment else None,
        "window": segment.window if segment else None,
        "kind": segment.kind if segment else None,
        "length": len(packet.payload) if packet.payload else packet.payload_length,
        "text": _text(packet.payload),
        "data": packet.payload,
        "source": list(packet.source),
        "target": list(packet.target),
        "ttl": packet.ttl,
        "total_length": packet.total_length,
        "ip_id": packet.ip_id,
        "version": packet.version,
        "checksum": packet.checksum,
        "layers": [layer.level for layer in layers(packet)],
        "frame": packet.record.original_length,
        "head": arrow.label.head,
        "phase": arrow.label.phase,
        "marks": [mark.word for mark in arrow.marks],
        "rules": list(dict.fromkeys(verdict.rule for verdict in crossing.faults)),
        "retransmission": any(mark.word.endswith("retransmission") for mark in arrow.marks),
        "duplicate": bool(crossing.duplicated or arrow.copy),
        "reordered": bool(crossing.reordered),
        "corrupted": bool(crossing.corrupted),
        "rewritten": crossing.rewritten is not None,
        "delayed": crossing.late_ns is not None,
        "mss": tcp.mss if tcp else None,
        "window_scale": tcp.window_scale if tcp else None,
        "icmp_type": packet.icmp.type if packet.icmp else None,
        "icmp_code": packet.icmp.code if packet.icmp else None,
    }
    return Row(values, FIELDS, (arrow, ladder))


def _since(at: int | None, began: int) -> float | None:
    return None if at is None else (at - began) / 1e9


def flags_of(packet: Packet) -> str | None:
    return None if packet.tcp is None else "".join(letter for bit, letter in _LETTERS if packet.tcp.has(bit))


def _text(payload: bytes) -> str | None:
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return None
