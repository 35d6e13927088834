"""What makes a packet on one capture the same packet as on another."""

from __future__ import annotations

from labctl.packets.model import Packet
from labctl.packets.protocols import table

Key = tuple[object, ...]
Ends = tuple[str, int | None, str, int | None]
FEW = 8  # bits: what is damaged on the way differs in no more
_SUMS = table().sums


def exact(packet: Packet) -> Key:
    """All that stays as it is on the way. A retransmission has another IP id or, over IPv6, another timestamp."""
    return packet.protocol, *_ends(packet, ends_of(packet)), packet.ip_id, *_inner(packet, True)


def ends_of(packet: Packet) -> Ends:
    return packet.src, packet.sport, packet.dst, packet.dport


def _ends(packet: Packet, ends: Ends) -> Key:
    """Without ports for a fragment: these are known only where its first one was seen."""
    return (ends[0], ends[2]) if packet.is_fragment else ends


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


def damaged(packet: Packet, ends: Ends) -> Key:
    """What a corrupted packet has in common with the one that was sent, between ends as the receiver knows them."""
    seq = packet.tcp.seq if packet.tcp else None
    where = packet.ip_id, packet.fragment_offset, packet.total_length, seq
    return "ends", packet.protocol, *_ends(packet, ends), *where


def by_number(packet: Packet, ends: Ends) -> Key | None:
    """The same where a port or a sequence number was corrupted: IP's own id is left; None: it has none."""
    if not packet.ip_id:
        return None
    return "id", ends[0], ends[2], packet.ip_id, packet.fragment_offset, packet.total_length


def is_corrupted(sent: Packet, arrived: Packet) -> bool:
    """The two differ in a way that no router makes: in what they carry, or in a checksum that isn't right any more."""
    if sent.payload != arrived.payload and len(sent.payload) == len(arrived.payload) and arrived.icmp is None:
        return True
    return is_broken(sent, arrived)


def is_broken(sent: Packet, arrived: Packet) -> bool:
    """A checksum was right and is no more."""
    return (arrived.checksum == "bad" and sent.checksum != "bad") or (
        arrived.ip_checksum == "bad" and sent.ip_checksum != "bad"
    )


def may_be_damaged(sent: Packet, arrived: Packet, told: bool) -> bool:
    """Whether anything speaks for it that the one was sent as the other; `told`: a fault says that it corrupted it.

    Datagrams of one flow often have the same length, and numbers in them that differ in a bit. Where IP gives no id
    (IPv6; Linux for datagrams that must not be fragmented), they are two datagrams as long as all checksums are right.
    """
    if arrived.ip_id or is_broken(sent, arrived):
        return True
    return (told or arrived.checksum in ("none", "unknown")) and differing_bits(sent, arrived) <= FEW


def differing_bits(sent: Packet, arrived: Packet) -> int:
    """In how many bits two packets of the same length differ, from the transport's header on, without its checksum."""
    one, other = _carried(sent), _carried(arrived)
    if len(one) != len(other):
        return 8 * max(len(one), len(other))
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_count()


def has_other_sum(sent: Packet, arrived: Packet) -> bool:
    """A checksum that isn't right is not that of the packet either: what only was damaged still has it."""
    return arrived.checksum == "bad" and sent.checksum == "ok" and _sum(sent) != _sum(arrived)


def _carried(packet: Packet) -> bytes:
    data, at = _transport(packet), _SUMS.get(packet.protocol)
    return data if packet.transport_offset < 0 or at is None else data[:at] + data[at + 2 :]


def _sum(packet: Packet) -> bytes:
    at = _SUMS.get(packet.protocol)
    return b"" if packet.transport_offset < 0 or at is None else _transport(packet)[at : at + 2]


def _transport(packet: Packet) -> bytes:
    at = packet.transport_offset if packet.transport_offset >= 0 else packet.payload_offset
    return packet.record.data[at : packet.network_offset + packet.total_length]
