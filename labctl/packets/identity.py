"""What makes a packet on one capture the same packet as on another."""

from __future__ import annotations

from labctl.packets.model import Packet

Key = tuple[object, ...]


def exact(packet: Packet) -> Key:
    """All that stays as it is on the way. A retransmission has another IP id or, over IPv6, another timestamp."""
    return packet.protocol, packet.src, packet.sport, packet.dst, packet.dport, packet.ip_id, *_inner(packet, True)


def translated(packet: Packet) -> Key:
    """What stays when a router rewrites addresses and ports."""
    return packet.protocol, packet.ip_id, *_inner(packet, False)


def is_telling(packet: Packet) -> bool:
    """Its `translated` key is enough to take two packets for the same one: numbers or text that aren't anybody's."""
    return packet.tcp is not None or bool(packet.ip_id) or packet.payload_length >= 8


def _inner(packet: Packet, with_id: bool) -> Key:
    tcp, icmp = packet.tcp, packet.icmp
    inner: Key = ()
    if tcp is not None:
        inner = (tcp.seq, tcp.ack, tcp.flags, tcp.window, tcp.timestamps)
    elif icmp is not None:
        if icmp.quoted is not None and not with_id:  # a router translates inside the quote as well
            return icmp.type, icmp.code, icmp.quoted.ip_id, packet.payload_length
        inner = (icmp.type, icmp.code, icmp.seq, icmp.id if with_id else None)
    return (*inner, packet.fragment_offset, packet.more_fragments, packet.payload_length, packet.payload)


def damaged(packet: Packet, ends: tuple[object, ...]) -> Key:
    """What a corrupted packet has in common with the one that was sent, between ends as the receiver knows them."""
    seq = packet.tcp.seq if packet.tcp else None
    return "ends", packet.protocol, *ends, packet.ip_id, packet.fragment_offset, packet.total_length, seq


def by_number(packet: Packet, src: object, dst: object) -> Key | None:
    """The same where a port or a sequence number was corrupted: IP's own id is left; None: it has none."""
    if not packet.ip_id:
        return None
    return "id", src, dst, packet.ip_id, packet.fragment_offset, packet.total_length


def is_corrupted(sent: Packet, arrived: Packet) -> bool:
    """The two differ in a way that no router makes: in what they carry, or in a checksum that isn't right any more."""
    if sent.payload != arrived.payload and len(sent.payload) == len(arrived.payload) and arrived.icmp is None:
        return True
    return (arrived.checksum == "bad" and sent.checksum != "bad") or (
        arrived.ip_checksum == "bad" and sent.ip_checksum != "bad"
    )
