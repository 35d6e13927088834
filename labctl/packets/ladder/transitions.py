"""Changes of a node's TCP states, as the packets tell that it sent and that arrived at it (RFC 9293, section 3.3.2)."""

from __future__ import annotations

from dataclasses import dataclass

from labctl.packets.crossings import Side
from labctl.packets.tcp.flows import Endpoint, analyse, is_damaged
from labctl.packets.tcp.segment import Kind

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


def _before(kind: Kind, asked: bool) -> str:
    """What an end was before the first segment that it sent, of this kind; `asked`: another one came to it before.

    Who resets a SYN had no socket. An end whose beginning wasn't seen is taken to be established.
    """
    if kind == "syn-ack":
        return "LISTEN" if asked else ""
    return "CLOSED" if kind == "syn" else ""


def transitions(side: Side) -> list[Transition]:
    """Those of all of the node's connections, in order of time. What was before the first packet isn't known."""
    heard = [packet for packet in side.arrived if not is_damaged(packet)]  # the kernel drops the others
    view = sorted((*side.sent, *heard), key=lambda packet: (packet.ts_ns, packet.index))
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
        before = now.get(number, "")
        if not before and packet.src in side.addresses:
            before = _before(segment.kind, number in now)
        now[number] = after
        if before and after != before:
            ends = (flow.client, flow.server) if is_client else (flow.server, flow.client)
            out.append(Transition(packet.ts_ns, *ends, before, after))
    return out
