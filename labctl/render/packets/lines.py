"""Packets as lines, one each: when, at which node, which way, between which ends, and what it is."""

from __future__ import annotations

import base64
from typing import Any

from labctl.events.codec import stamp_of
from labctl.packets.ladder.label import label
from labctl.packets.matching.live import Conversations, Seen
from labctl.packets.matching.taps import IN, LEFT, device_of
from labctl.packets.protocols.words import ends
from labctl.render.clock import clock
from labctl.render.text import DIM, RED, colour_of, fitted, left_to_right, padded, paint, printable, quoted

_ARROWS = {IN: "<-", LEFT: "=>"}


class Lines:
    """`columns` None: as long as it gets (a file, a pipe). Segments get numbers relative to their conversation."""

    def __init__(self, nodes: list[str], *, columns: int | None, colour: bool, local: bool = False) -> None:
        self._width = max((len(name) for name in nodes), default=4)
        self._columns, self._colour, self._local = columns, colour, local
        self._conversations: dict[str, Conversations] = {}

    def line(self, seen: Seen) -> str:
        packet = seen.packet
        segment = self._conversations.setdefault(packet.node, Conversations()).see(packet)
        found = label(packet, segment)
        words = [ends(packet) if packet.src else "", found.head, *found.parts, quoted(found.text) if found.text else ""]
        words += [f"! {verdict.action} by {verdict.rule}" for verdict in seen.verdicts]
        words += [f"! {packet.malformed}"] if packet.malformed else []
        words += [packet.unread] if packet.unread else []
        body = printable("  ".join(word for word in words if word))
        moment, arrow = clock(stamp_of(packet.ts_ns), local=self._local), _ARROWS.get(seen.tap, "->")
        room = None if self._columns is None else max(20, self._columns - len(moment) - self._width - 6)
        body = left_to_right(body if room is None else fitted(body, room))
        if not self._colour:
            return f"{moment}  {padded(packet.node, self._width)} {arrow} {body}"
        name = paint(padded(packet.node, self._width), colour_of(packet.node), True)
        body = paint(body, RED, True) if seen.verdicts or packet.malformed else body
        return f"{paint(moment, DIM, True)}  {name} {arrow} {body}"


def line_document(seen: Seen) -> dict[str, Any]:
    """A packet as data: lengths in bytes, `data` all that was captured, in base64."""
    packet = seen.packet
    words = label(packet, None)
    fields: dict[str, Any] = {
        "ts": stamp_of(packet.ts_ns),
        "node": packet.node,
        "tap": seen.tap,
        "interface": device_of(packet.record),
        "protocol": packet.protocol,
        "source": list(packet.source),
        "target": list(packet.target),
        "length": packet.record.original_length,
        "label": [words.head, *words.parts],
        "faults": [{"rule": verdict.rule, "action": verdict.action} for verdict in seen.verdicts],
        "data": base64.b64encode(packet.record.data).decode(),
    }
    said = {"malformed": packet.malformed, "unread": packet.unread}
    return fields | {name: words for name, words in said.items() if words}
