"""What the receiver of a TCP segment takes of it, which may be other than what the capture shows."""

from __future__ import annotations

from dataclasses import replace

from labctl.packets.model import FIN, RST, SYN, Packet, Tcp


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
