"""A run as one document: topology, events, packets, faults; what the page shows, live or from a file.

    {"schema_version": 1, "lab": ..., "topology": {...}, "events": [...], "packets": [...], "faults": [...],
     "notes": [...]}

Live, its parts come one by one; saved, they stand in it, and packets have their layers, as labctl.render.runs.shapes
describes them. Times that end in `_ns` are nanoseconds since the epoch, UTC.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from labctl.events.codec import encode
from labctl.events.model import Event
from labctl.lab.drawing.picture import Picture
from labctl.lab.faults.rules import Fault
from labctl.packets.crossings import Crossing
from labctl.packets.ladder.ladder import Arrow, Ladder
from labctl.packets.model import Packet
from labctl.render.graph import document as pictures
from labctl.render.graph.layout import arrange
from labctl.render.runs.shapes import Shapes

SCHEMA_VERSION = 1
_AGAIN = "retransmission"  # the last word of all marks that say so
_KEPT = 20_000  # segments that a later one may repeat


def document(
    lab: str,
    topology: Mapping[str, Any],
    events: Iterable[Event] = (),
    packets: Iterable[Mapping[str, Any]] = (),
    faults: Iterable[Fault] = (),
    notes: Sequence[str] = (),
    shapes: Shapes | None = None,
) -> dict[str, Any]:
    """The run; `topology` is from `topology`, `packets` are from `Packets`, and `shapes` are those of their layers."""
    told = {} if shapes is None else {"shapes": shapes.document()}
    return {
        "schema_version": SCHEMA_VERSION,
        "lab": lab,
        "topology": dict(topology),
        "events": [event_document(event, number) for number, event in enumerate(events, 1)],
        "packets": [dict(packet) for packet in packets],
        "faults": [fault.as_json() for fault in faults],
        "notes": list(notes),
        **told,
    }


def topology(picture: Picture, states: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Networks and nodes of a picture, where each stands (`positions`, in pixels: its middle), and the conditions that
    hold on links. `states` are those of nodes that are known better than the picture has them."""
    drawn, states = pictures.document(picture), states or {}
    nodes = [
        {
            "name": node["node"],
            "role": node["role"],
            "state": states.get(node["node"]) or node["state"],
            "members": node.get("members", []),
            "networks": [{"name": name, "addresses": found} for name, found in node["networks"].items()],
            "published": node["published"],
            "routes": node["routes"],
            **({"machine": node["machine"]} if "machine" in node else {}),
        }
        for node in drawn["nodes"]
    ]
    networks = [
        {"name": net["network"], "subnets": net["subnets"], "internal": net["internal"]} for net in drawn["networks"]
    ]
    return {
        "title": picture.heading,
        "nodes": nodes,
        "networks": networks,
        "links": drawn["links"],
        "positions": _positions(picture),
    }


def _positions(picture: Picture) -> dict[str, dict[str, list[int]]]:
    """The middles of frames and of bars, as `labctl graph` places them."""
    drawing = arrange(picture)
    nodes = {box.node: [round(box.x + box.width / 2), round(box.y + box.height / 2)] for box in drawing.boxes}
    networks: dict[str, list[int]] = {}
    for line in drawing.lines:
        if line.kind == "bar":
            name = picture.networks[line.network].name
            networks.setdefault(name, [round((line.x1 + line.x2) / 2), round(line.y1)])
    return {"nodes": nodes, "networks": networks}


def event_document(event: Event, number: int) -> dict[str, Any]:
    """The event as its JSON object, with its place in the run."""
    return {"seq": number, **encode(event)}


class Packets:
    """Numbers the packets of a run as they come, and joins those that are sent again to what they repeat."""

    def __init__(self, first: int = 1, shapes: Shapes | None = None) -> None:
        """`shapes`: each packet has its layers, too, whose shapes are put there."""
        self._next, self._shapes = first, shapes
        self._sent: dict[tuple[Any, ...], int] = {}

    def document(self, arrow: Arrow, ladder: Ladder, *, data: bool = True) -> dict[str, Any]:
        """One packet; `data`: with its bytes, as it was captured at its sender, else at its receiver."""
        number, self._next = self._next, self._next + 1
        crossing, packet = arrow.crossing, arrow.crossing.packet
        found: dict[str, Any] = {
            "number": number,
            "at_ns": arrow.at_ns,
            "sent_ns": arrow.sent_ns,
            "arrived_ns": arrow.arrived_ns,
            "from": _sender(arrow, ladder),
            "to": (ladder.right if arrow.rightwards else ladder.left).name,
            "fate": arrow.fate,
            "copy": arrow.copy,
            "protocol": packet.protocol,
            "source": list(packet.source),
            "target": list(packet.target),
            "length": packet.record.original_length,
            "phase": arrow.label.phase,
            "label": [arrow.label.head, *arrow.label.parts],
            "text": arrow.label.text,
            "marks": [str(mark) for mark in arrow.marks],
            "faults": _faults(arrow.faults, crossing),
            "flow": arrow.flow,
        }
        again = self._repeats(arrow, found["from"], number)
        if again is not None:
            found["retransmits"] = again
        if data:
            found["bytes"] = bytes_document(packet)
        if self._shapes is not None:
            found["layers"] = self._shapes.layers(packet)
        return found

    def _repeats(self, arrow: Arrow, sender: str, number: int) -> int | None:
        """The number of the packet that this one is sent for again."""
        segment = arrow.segment
        if segment is None or arrow.copy:
            return None
        key = (sender, arrow.flow, segment.seq, segment.kind in ("syn", "syn-ack"))
        before = self._sent.get(key)
        if segment.length or segment.kind in ("syn", "syn-ack", "fin"):
            self._sent.pop(key, None)
            self._sent[key] = number
            if len(self._sent) > _KEPT:
                del self._sent[next(iter(self._sent))]
        return before if any(note.word.endswith(_AGAIN) for note in segment.notes) else None


def _sender(arrow: Arrow, ladder: Ladder) -> str:
    """Who sent it: where that is a router on the way, the router."""
    ends = (ladder.left.name, ladder.right.name)
    return ends[0 if arrow.rightwards else 1] if arrow.crossing.sender in ends else arrow.crossing.sender


def _faults(rules: Sequence[str], crossing: Crossing) -> list[dict[str, str]]:
    actions = {verdict.rule: verdict.action for verdict in crossing.faults}
    return [{"rule": rule, "action": actions.get(rule, "")} for rule in rules]


def bytes_document(packet: Packet) -> str:
    """All that was captured of it, in base64."""
    return base64.b64encode(packet.record.data).decode()
