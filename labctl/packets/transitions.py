"""Changes of a node's TCP states, as the packets tell that it sent and that arrived at it (RFC 9293, section 3.3.2)."""

from __future__ import annotations

from dataclasses import dataclass

from labctl.packets.crossings import Side
from labctl.packets.flows import Endpoint, analyse

# As ss(8) calls them, where that is another name.
RFC_NAMES = {"ESTAB": "ESTABLISHED", "SYN-RECV": "SYN-RECEIVED"}


@dataclass(frozen=True, slots=True)
class Transition:
    """A socket's change from one state to another; `at_ns` is the packet's time that it came with."""

    at_ns: int
    local: Endpoint
    peer: Endpoint
    before: str
    after: str


def transitions(side: Side) -> list[Transition]:
    """Those of all of the node's connections, in order of time. What was before the first packet isn't known."""
    view = sorted((*side.sent, *side.arrived), key=lambda packet: (packet.ts_ns, packet.index))
    analysis = analyse(view)
    out: list[Transition] = []
    now: dict[int, str] = {}
    for position, (packet, segment) in enumerate(zip(view, analysis.segments, strict=True)):
        number = analysis.flow_of[position]
        if segment is None or number is None:
            continue
        flow = analysis.flows[number]
        is_client = flow.client[0] in side.addresses
        after = segment.states[0 if is_client else 1]
        # An end whose beginning wasn't seen is taken to be established; that is no change.
        first = segment.kind == "syn"
        before = now.get(number, ("CLOSED" if is_client else "LISTEN") if first else after)
        now[number] = after
        if after and after != before:
            ends = (flow.client, flow.server) if is_client else (flow.server, flow.client)
            out.append(Transition(packet.ts_ns, *ends, before, after))
    return out
