"""What packets belong together: conversations, ICMP errors and what they quote, fragments."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from labctl.packets.matching import identity
from labctl.packets.model import RST, Packet
from labctl.packets.tcp import receiving
from labctl.packets.tcp.fragments import Datagram, reassembled
from labctl.packets.tcp.idle import first_keep_alives
from labctl.packets.tcp.segment import Note, Segment
from labctl.packets.tcp.tcp import Conversation

Endpoint = tuple[str, int | None]
_TOO_BIG = {("icmp", 3, 4), ("icmp6", 2, 0)}  # protocol, type, code


@dataclass(frozen=True, slots=True)
class Flow:
    """A conversation: `packets` are positions, the client is who began.

    `ended`, for TCP: close, half-close, simultaneous close, reset, refused, no answer, or open. `node`: who saw it,
    where several saw the same packets.
    """

    protocol: str
    client: Endpoint
    server: Endpoint
    packets: tuple[int, ...]
    ended: str = ""
    node: str = ""


@dataclass(frozen=True, slots=True)
class Analysis:
    """Of packets in the order in which they were seen; all numbers are positions in that order.

    `segments` and `flow_of` have one entry a packet; `quotes` leads from an ICMP error to the packet that it quotes.
    """

    flows: tuple[Flow, ...]
    segments: tuple[Segment | None, ...]
    flow_of: tuple[int | None, ...]
    quotes: dict[int, int]
    datagrams: tuple[Datagram, ...]


@dataclass(slots=True)
class _Open:
    protocol: str
    client: Endpoint
    server: Endpoint
    node: str
    tcp: Conversation | None = None
    packets: list[int] = field(default_factory=list)
    heard: list[int] = field(default_factory=list)  # the TCP segments among them that nobody dropped


def analyse(packets: Sequence[Packet], own: Collection[str] = ()) -> Analysis:
    """Sort the packets into conversations and say what each TCP segment is for. Near linear in their number.

    `own` are the observer's addresses, where it is one of the ends: what came to it damaged it has dropped. Where
    several nodes saw the same packets, the conversations of each are its own.
    """
    flows: list[_Open] = []
    newest: dict[tuple[str, str, Endpoint, Endpoint], int] = {}
    several = _are_several(packets)
    segments: list[Segment | None] = []
    flow_of: list[int | None] = []
    datagrams = tuple(reassembled(packets))
    ports = {place: found for found in datagrams for place in found.parts if found.sport is not None}
    # A segment that came in fragments is there, for who receives it, with the last of them.
    wholes = receiving.wholes(packets, datagrams)
    taken = [wholes.get(place, packet) for place, packet in enumerate(packets)] if wholes else packets
    idle = first_keep_alives(taken)
    for position, packet in enumerate(taken):
        known = ports.get(position)
        source: Endpoint = (packet.src, known.sport if known else packet.sport)
        target: Endpoint = (packet.dst, known.dport if known else packet.dport)
        node = packet.node if several else ""
        key = _key(node, packet.protocol, source, target)
        number = newest.get(key)
        speaks = packet.tcp is not None and not packet.is_fragment and packet.sport is not None
        dropped = speaks and bool(own) and packet.src not in own and is_damaged(packet)
        if number is not None and speaks and not dropped:
            open_one = flows[number].tcp
            if open_one is None or open_one.is_over_by(packet):
                number = None
        if number is None:
            number = newest[key] = len(flows)
            conversation = Conversation(packet) if speaks and not dropped else None
            ends = (conversation.client, conversation.server) if conversation else (source, target)
            flows.append(_Open(packet.protocol, *ends, node, conversation))
        flow = flows[number]
        flow.packets.append(position)
        flow_of.append(number)
        if (quoted := _too_big(packet)) is not None:
            place = newest.get(_key(node, quoted.protocol, quoted.source, quoted.target))
            if place is not None and (talk := flows[place].tcp):
                talk.told_to_be_smaller(quoted, packet.ts_ns)
        if not speaks or flow.tcp is None:
            segments.append(None)
        elif dropped:
            segments.append(flow.tcp.dropped(packet))
        else:
            segments.append(flow.tcp.see(packet, keeps_alive=position in idle))
            flow.heard.append(position)
    finished = [_finished(flow, taken, segments) for flow in flows]
    return Analysis(tuple(finished), tuple(segments), tuple(flow_of), _quotes(packets), datagrams)


def is_damaged(packet: Packet) -> bool:
    """Its receiver's kernel drops it for a wrong checksum."""
    return "bad" in (packet.checksum, packet.ip_checksum)


def _are_several(packets: Sequence[Packet]) -> bool:
    """Two nodes, or interfaces of a file, saw one and the same packet."""
    if len({packet.node for packet in packets}) < 2:
        return False
    seen: dict[identity.Key, str] = {}
    telling = (packet for packet in packets if packet.src and identity.is_telling(packet))
    return any(seen.setdefault(identity.exact(packet), packet.node) != packet.node for packet in telling)


def _key(node: str, protocol: str, one: Endpoint, other: Endpoint) -> tuple[str, str, Endpoint, Endpoint]:
    """The same for both directions."""
    is_ordered = (one[0], one[1] or 0) <= (other[0], other[1] or 0)
    return (node, protocol, one, other) if is_ordered else (node, protocol, other, one)


def _too_big(packet: Packet) -> Packet | None:
    """The packet that an ICMP error quotes for its size (RFC 792, RFC 4443)."""
    icmp = packet.icmp
    if icmp is None or (packet.protocol, icmp.type, icmp.code if icmp.type == 3 else 0) not in _TOO_BIG:
        return None
    return icmp.quoted


def _finished(flow: _Open, packets: Sequence[Packet], segments: list[Segment | None]) -> Flow:
    ended = _ending(flow, packets, segments) if flow.tcp else ""
    return Flow(flow.protocol, flow.client, flow.server, tuple(flow.packets), ended, flow.node)


def _ending(flow: _Open, packets: Sequence[Packet], segments: list[Segment | None]) -> str:
    """How a TCP conversation ended; what only the end can tell is added to its segments' notes."""
    mine = [(place, found) for place in flow.heard if (found := segments[place]) is not None]
    first: dict[tuple[str, int | None], tuple[int, Segment]] = {}
    for place, found in mine:
        if found.kind == "fin":
            first.setdefault(packets[place].source, (place, found))
    ended = "open"
    if first:
        (opener, opening), *rest = first.values()
        ended = _close(packets, segments, mine, opener, opening, rest)
    for number, (place, _) in enumerate(mine):
        if packets[place].tcp.flags & RST:  # type: ignore[union-attr]
            if _is_refusal(packets, mine[: number + 1]):
                _add(segments, place, Note("connection refused"))
                return "refused"
            # Both had closed before: what came later is answered so where nobody knows the connection any more.
            return ended if _both_closed(packets, mine[:number]) else "reset"
    if mine and all(found.kind == "syn" for _, found in mine):
        return "no answer"
    return ended


def _is_refusal(packets: Sequence[Packet], until: list[tuple[int, Segment]]) -> bool:
    """The last of them, a RST, is all that the other end says to a SYN (RFC 9293, section 3.10.7.1)."""
    (first, syn), (last, reset) = until[0], until[-1]
    caller = packets[first].source
    answers = sum(packets[place].source != caller for place, _ in until)
    is_others = packets[last].source != caller and answers == 1
    return syn.kind == "syn" and is_others and reset.ack is not None and reset.ack > syn.seq


def _both_closed(packets: Sequence[Packet], mine: list[tuple[int, Segment]]) -> bool:
    """Each end has sent a FIN, and the other has acknowledged it."""
    fins: dict[Endpoint, int] = {}
    closed: set[Endpoint] = set()
    for place, found in mine:
        packet = packets[place]
        if found.ack is not None and found.ack >= fins.get(packet.target, found.ack + 1):
            closed.add(packet.target)
        if found.kind == "fin":
            fins.setdefault(packet.source, found.seq + found.length + 1)
    return len(closed) == 2


def _close(
    packets: Sequence[Packet],
    segments: list[Segment | None],
    mine: list[tuple[int, Segment]],
    opener: int,
    opening: Segment,
    rest: list[tuple[int, Segment]],
) -> str:
    until = opening.seq + opening.length + 1
    if rest:
        place, found = rest[0]
        if found.ack is not None and found.ack < until:
            # The second to close had not heard of the first one's FIN, nor the first of the second's.
            _add(segments, opener, Note("simultaneous close"))
            _add(segments, place, Note("simultaneous close"))
            return "simultaneous close"
    if _still_receives(packets, mine, opener, until):
        _add(segments, opener, Note("half-close", "it sends no more, and still receives"))
        return "half-close"
    return "close" if rest else "half-close" if _acknowledged(packets, mine, opener, until) else "open"


def _still_receives(packets: Sequence[Packet], mine: list[tuple[int, Segment]], opener: int, until: int) -> bool:
    """Who has sent a FIN takes what the other sends after having heard of that: it acknowledges data of then.

    Who has closed for good answers it by a RST (RFC 9293, section 3.6.1); where nothing answers, it isn't known. Who
    sends bytes that come after its FIN had not sent that: somebody forged it, or it was damaged.
    """
    late: int | None = None  # where the first of that data begins
    answered = False
    for place, found in mine:
        if place <= opener or found.ack is None:
            continue
        if packets[place].source != packets[opener].source:
            if late is None and found.length and found.kind == "data" and found.ack >= until:
                late = found.seq
        elif found.length and found.seq + found.length > until:
            return False
        elif late is not None and found.kind != "reset" and found.ack > late:
            answered = True
    return answered


def _acknowledged(packets: Sequence[Packet], mine: list[tuple[int, Segment]], opener: int, until: int) -> bool:
    return any(
        found.ack is not None and found.ack >= until and packets[place].source != packets[opener].source
        for place, found in mine
    )


def _add(segments: list[Segment | None], place: int, note: Note) -> None:
    found = segments[place]
    if found is not None:
        segments[place] = replace(found, notes=(*found.notes, note))


def _quotes(packets: Sequence[Packet]) -> dict[int, int]:
    """For each ICMP error the newest packet before it that has the quoted one's identity."""
    out: dict[int, int] = {}
    if not any(packet.icmp is not None and packet.icmp.quoted is not None for packet in packets):
        return out
    seen: dict[tuple[object, ...], int] = {}
    for position, packet in enumerate(packets):
        if packet.icmp is not None and packet.icmp.quoted is not None:
            place = seen.get(_identity(packet.icmp.quoted))
            if place is not None:
                out[position] = place
        else:
            seen[_identity(packet)] = position
    return out


def _identity(packet: Packet) -> tuple[object, ...]:
    """What a quote holds at least: the IP header and 8 bytes, with ports, and TCP's sequence number (RFC 792)."""
    seq = packet.tcp.seq if packet.tcp else None
    echo = packet.icmp.id if packet.icmp else None
    return packet.protocol, packet.source, packet.target, packet.ip_id, packet.fragment_offset, seq, echo
