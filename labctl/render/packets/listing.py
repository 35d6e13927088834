"""The packets of a capture, one line each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from labctl.packets.ladder.label import label
from labctl.packets.model import Packet
from labctl.packets.protocols.kind import Label
from labctl.packets.protocols.words import ends, moment
from labctl.packets.tcp.flows import Analysis, analyse
from labctl.render.text import DIM, RED, colour_of, fitted, left_to_right, padded, paint, printable, quoted, width

_NODE, _ENDS = 12, 47  # columns at most: longer names and pairs of ends are cut (all is in --json)
_LEAST = 60


def listed(packets: Sequence[Packet], *, columns: int | None, colour: bool) -> list[str]:
    """Two lines of head and a line for each packet; times in seconds since the first one."""
    if not packets:
        return []
    names = [fitted(printable(packet.node), _NODE) for packet in packets]
    pairs = [fitted(printable(ends(packet)), _ENDS) if packet.src else "-" for packet in packets]
    begin = next((packet for packet in packets if packet.record.timed), None)
    times = [
        f"{(packet.ts_ns - begin.ts_ns) / 1e9:.6f}" if begin and packet.record.timed else "-" for packet in packets
    ]
    wide = [max(map(width, column)) for column in ([str(packets[-1].index + 1), "#"], [*times, "TIME"], names, pairs)]
    room = max(columns, _LEAST) if columns else None
    head = f"{'#':>{wide[0]}}  {'TIME':>{wide[1]}}  {_cell('AT', wide[2])}{padded('FROM > TO', wide[3])}  WHAT"
    begun = f"times in seconds from {moment(begin.ts_ns)}" if begin else "this capture has no times"
    out = [paint(begun, DIM, colour), paint(_cut(head, room), DIM, colour)]
    analysis = analyse(packets)
    for place, packet in enumerate(packets):
        front = f"{packet.index + 1:>{wide[0]}}  {times[place]:>{wide[1]}}  "
        name = _cell(names[place], wide[2])
        line = f"{front}{name}{padded(pairs[place], wide[3])}  {_what(packet, analysis, place)}"
        line = _cut(line, room)
        if packet.malformed:
            out.append(paint(line, RED, colour))
        else:
            start, end = len(front), len(front) + len(names[place])
            shown = paint(line[start:end], colour_of(packet.node), colour and end > start)
            out.append(line[:start] + shown + line[end:])
    return list(map(left_to_right, out))


def _cell(text: str, columns: int) -> str:
    """A column that is not there where no packet has anything in it."""
    return f"{padded(text, max(columns, 2))}  " if columns else ""


def _cut(line: str, room: int | None) -> str:
    return (fitted(line, room) if room else line).rstrip()


def _label(packet: Packet, analysis: Analysis, place: int) -> Label:
    return label(packet, analysis.segments[place])


def _what(packet: Packet, analysis: Analysis, place: int) -> str:
    found = _label(packet, analysis, place)
    head = f"TCP {found.head}" if packet.tcp is not None else found.head
    text = [quoted(found.text)] if found.text else []
    wrong = [f"malformed: {packet.malformed}"] if packet.malformed else []
    unread = [f"unread: {packet.unread}"] if packet.unread else []
    notes = [f"[{note}]" for note in _notes(analysis, place)]
    said = printable("  ".join([head, *wrong, *unread, *notes, *found.parts]))
    return said + "".join(f"  {item}" for item in text)


def _notes(analysis: Analysis, place: int) -> list[str]:
    """What TCP does by it."""
    segment = analysis.segments[place]
    return [str(note) for note in segment.notes] if segment else []


def documents(packets: Sequence[Packet]) -> list[dict[str, Any]]:
    """The same as data; `what` are the parts of the label, sequence numbers relative to their conversation."""
    analysis = analyse(packets)
    out = []
    for place, packet in enumerate(packets):
        found = _label(packet, analysis, place)
        out.append(
            {
                "number": packet.index + 1,
                "ts": moment(packet.ts_ns) if packet.record.timed else None,
                "ts_ns": packet.ts_ns if packet.record.timed else None,
                "node": packet.node,
                "protocol": packet.protocol,
                "source": [packet.src, packet.sport] if packet.src else None,
                "target": [packet.dst, packet.dport] if packet.src else None,
                "captured_length": len(packet.record.data),
                "original_length": packet.record.original_length,
                "what": [found.head, *found.parts],
                "text": found.text or None,
                "notes": _notes(analysis, place),
                "malformed": packet.malformed or None,
                "unread": packet.unread or None,
            }
        )
    return out
