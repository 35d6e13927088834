"""Keep-alives at the beginning of what was seen of a connection (RFC 9293, section 3.8.4).

A keep-alive has the number of a byte that was sent and acknowledged before. Of a connection that was there already when
somebody began to look, that shows only by what follows.
"""

from __future__ import annotations

from collections.abc import Sequence

from labctl.packets.model import ACK, FIN, RST, SYN, Packet

_Way = tuple[tuple[str, int | None], tuple[str, int | None]]


def first_keep_alives(packets: Sequence[Packet]) -> set[int]:
    """The positions of segments that are the first seen of their end, and keep-alives. One pass."""
    found: set[int] = set()
    doubtful: dict[_Way, tuple[int, int]] = {}  # the first segment's position and number
    known: set[_Way] = set()
    for position, packet in enumerate(packets):
        tcp = packet.tcp
        if tcp is None or packet.is_fragment:
            continue
        way, back = (packet.source, packet.target), (packet.target, packet.source)
        plain = not tcp.has(SYN | FIN | RST) and packet.payload_length == 0
        if way not in known:
            known.add(way)
            if plain and tcp.has(ACK):
                doubtful[way] = position, tcp.seq
        elif way in doubtful:
            place, seq = doubtful[way]
            if tcp.seq == (seq + 1) & 0xFFFFFFFF:
                found.add(place)
            if tcp.seq != seq or not plain:
                del doubtful[way]
        if back in doubtful and tcp.has(ACK):
            place, seq = doubtful[back]
            ahead = (tcp.ack - seq) & 0xFFFFFFFF
            if ahead == 1:
                found.add(place)
            if 0 < ahead < 0x80000000:
                del doubtful[back]
    return found
