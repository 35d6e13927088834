"""A ladder as data, for JSON."""

from __future__ import annotations

import base64
from typing import Any

from labctl.packets.crossings import Verdict
from labctl.packets.ladder.ladder import Arrow, Ladder, Lifeline, Moment
from labctl.packets.model import Packet
from labctl.packets.tcp.segment import Segment

SCHEMA_VERSION = 1


def document(ladder: Ladder) -> dict[str, Any]:
    """All of the ladder: times are UTC in nanoseconds since the epoch, lengths in bytes, payloads base64."""
    return {
        "schema_version": SCHEMA_VERSION,
        "left": _lifeline(ladder.left),
        "right": _lifeline(ladder.right),
        "begin_ns": ladder.begin_ns,
        "arrows": [arrow_document(arrow, ladder) for arrow in ladder.arrows],
        "moments": [_moment(moment, ladder) for moment in ladder.moments],
        "cut": ladder.cut,
        "hidden_acks": ladder.hidden,
        "notes": list(ladder.notes),
        **({"clock_error_ns": ladder.clock_error_ns} if ladder.clock_error_ns else {}),
    }


def _lifeline(line: Lifeline) -> dict[str, Any]:
    return {"node": line.name, "addresses": list(line.addresses)}


def _moment(moment: Moment, ladder: Ladder) -> dict[str, Any]:
    node = (ladder.right if moment.on_right else ladder.left).name
    return {"at_ns": moment.at_ns, "node": node, "kind": moment.kind, "text": moment.text, "trouble": moment.trouble}


def arrow_document(arrow: Arrow, ladder: Ladder) -> dict[str, Any]:
    """One arrow of it."""
    ends = (ladder.left.name, ladder.right.name)
    crossing = arrow.crossing
    return {
        "number": arrow.number,
        "from": ends[0 if arrow.rightwards else 1],
        "to": ends[1 if arrow.rightwards else 0],
        "sent_ns": arrow.sent_ns,
        "arrived_ns": arrow.arrived_ns,
        "latency_ns": arrow.latency_ns,
        "fate": arrow.fate,
        "copy": arrow.copy,
        "duplicated": crossing.duplicated,
        "delayed_ns": crossing.late_ns,
        "reordered": crossing.reordered,
        "corrupted": crossing.corrupted,
        "rewritten": _rewritten(arrow),
        "faults": [_verdict(verdict) for verdict in crossing.faults],
        "marks": [{"word": mark.word, "detail": mark.detail} for mark in arrow.marks],
        "flow": arrow.flow,
        "phase": arrow.label.phase,
        "head": arrow.label.head,
        "parts": list(arrow.label.parts),
        "text": arrow.label.text,
        "segment": None if arrow.segment is None else _segment(arrow.segment),
        "packet": _packet(crossing.packet),
    }


def _rewritten(arrow: Arrow) -> dict[str, Any] | None:
    found = arrow.crossing.rewritten
    if found is None:
        return None
    ends = (found.source, found.target, found.new_source, found.new_target)
    return dict(zip(("source", "target", "new_source", "new_target"), map(list, ends), strict=True))


def _verdict(verdict: Verdict) -> dict[str, Any]:
    return {"rule": verdict.rule, "action": verdict.action, "node": verdict.node, "detail": verdict.detail}


def _segment(segment: Segment) -> dict[str, Any]:
    return {
        "seq": segment.seq,
        "ack": segment.ack,
        "length": segment.length,
        "window": segment.window,
        "kind": segment.kind,
        "notes": [str(note) for note in segment.notes],
        "client_state": segment.states[0],
        "server_state": segment.states[1],
    }


def _packet(packet: Packet) -> dict[str, Any]:
    tcp = packet.tcp
    found: dict[str, Any] = {
        "index": packet.index,
        "node": packet.node,
        "protocol": packet.protocol,
        "ip_version": packet.version or None,
        "source": list(packet.source),
        "target": list(packet.target),
        "ip_id": packet.ip_id,
        "ttl": packet.ttl,
        "total_length": packet.total_length,
        "payload_length": packet.payload_length,
        "payload": base64.b64encode(packet.payload).decode(),
        "checksum": packet.checksum,
        "malformed": packet.malformed or None,
        "unread": packet.unread or None,
    }
    if tcp is not None:
        found["tcp"] = {"seq": tcp.seq, "ack": tcp.ack, "flags": tcp.names, "window": tcp.window}
    if packet.icmp is not None:
        found["icmp"] = {"type": packet.icmp.type, "code": packet.icmp.code}
    if packet.is_fragment:
        found["fragment"] = {"offset": packet.fragment_offset, "more": packet.more_fragments}
    return found
