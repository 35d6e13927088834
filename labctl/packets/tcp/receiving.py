"""What the receiver of a TCP segment takes of it, which may be other than what the capture shows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from ipaddress import ip_address

from labctl.packets.model import FIN, RST, SYN, Packet, Tcp
from labctl.packets.protocols import table
from labctl.packets.protocols.carried import Carried
from labctl.packets.tcp.fragments import Datagram

_TCP = 6


def header(packet: Packet) -> Tcp:
    """The header: of what has RST no SYN and no FIN counts (RFC 9293, section 3.10.7.4)."""
    tcp = packet.tcp
    assert tcp is not None
    return replace(tcp, flags=tcp.flags & ~(SYN | FIN)) if tcp.has(RST) and tcp.has(SYN | FIN) else tcp


def length(packet: Packet) -> int:
    """How many bytes of data, by the IP header: of a packet that was cut a file may say that it was no longer."""
    data, at = packet.record.data, packet.transport_offset
    if packet.network_offset + packet.total_length <= len(data) or not 0 <= at < len(data) - 12:
        return packet.payload_length
    return max(0, packet.network_offset + packet.total_length - at - (data[at + 12] >> 4) * 4)


def wholes(packets: Sequence[Packet], datagrams: Iterable[Datagram]) -> dict[int, Packet]:
    """The TCP segments that came in fragments, each by the position of the fragment that made it whole."""
    out = {}
    for found in datagrams:
        if found.protocol == "tcp" and found.payload is not None:
            place = max(found.parts)
            out[place] = _put_together(packets[place], found, found.payload)
    return out


def _put_together(last: Packet, found: Datagram, payload: bytes) -> Packet:
    ends = ip_address(found.src).packed, ip_address(found.dst).packed
    carried = Carried(_TCP, payload, len(payload), *ends, 0, False, True, False, last.record)
    fields = table().transports[_TCP].decode(carried)
    fields |= {"fragment_offset": 0, "more_fragments": False, "transport_offset": -1, "payload_offset": -1}
    return replace(last, **fields)
