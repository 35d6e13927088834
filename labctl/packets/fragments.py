"""Datagrams put together from their fragments (RFC 791, section 3.2; RFC 8200, section 4.5)."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace

from labctl.packets.model import Packet


@dataclass(frozen=True, slots=True)
class Datagram:
    """`parts`: positions of the fragments in the order of their offsets.

    `payload` is what IP carried, header of the transport included; it and `length` are None as long as a part is
    missing. Ports are those of the first fragment.
    """

    src: str
    dst: str
    protocol: str
    ip_id: int
    parts: tuple[int, ...]
    sport: int | None
    dport: int | None
    length: int | None
    payload: bytes | None


def reassembled(packets: Sequence[Packet]) -> list[Datagram]:
    """The fragmented datagrams among the packets, each where its first part was seen.

    Copies of a fragment are left out; an id that is used again begins a new datagram once the first is whole.
    """
    open_ones: dict[tuple[str, str, str, int], dict[int, int]] = {}
    done: list[tuple[int, Datagram]] = []
    for position, packet in enumerate(packets):
        if not packet.is_fragment or packet.ip_id is None:
            continue
        key = (packet.src, packet.dst, packet.protocol, packet.ip_id)
        parts = open_ones.setdefault(key, {})
        parts.setdefault(packet.fragment_offset, position)
        whole = _joined(packets, parts)
        if whole is not None:
            done.append(_datagram(packets, key, parts, whole))
            del open_ones[key]
    done += [_datagram(packets, key, parts, None) for key, parts in open_ones.items()]
    return [datagram for _, datagram in sorted(done, key=lambda item: item[0])]


def with_ports(packets: Sequence[Packet]) -> list[Packet]:
    """The packets, each later fragment with the ports that its first one has."""
    out = list(packets)
    for datagram in reassembled(packets):
        for position in datagram.parts:
            if out[position].sport is None and datagram.sport is not None:
                out[position] = replace(out[position], sport=datagram.sport, dport=datagram.dport)
    return out


def _bytes(packet: Packet) -> bytes:
    """What IP carried, with the transport's header where the fragment is the first."""
    at = packet.transport_offset if packet.transport_offset >= 0 else packet.payload_offset
    return packet.record.data[at : packet.network_offset + packet.total_length]


def _joined(packets: Sequence[Packet], parts: dict[int, int]) -> bytes | None:
    out: list[bytes] = []
    reached = 0
    for offset in sorted(parts):
        packet = packets[parts[offset]]
        if offset > reached:
            return None
        piece = _bytes(packet)[reached - offset :]
        out.append(piece)
        reached += len(piece)
        if not packet.more_fragments:
            return b"".join(out)
    return None


def _datagram(
    packets: Sequence[Packet], key: tuple[str, str, str, int], parts: dict[int, int], whole: bytes | None
) -> tuple[int, Datagram]:
    places = tuple(parts[offset] for offset in sorted(parts))
    first = packets[parts[0]] if 0 in parts else None
    sport, dport = (first.sport, first.dport) if first else (None, None)
    if sport is None and whole is not None and len(whole) >= 4 and key[2] in ("tcp", "udp"):
        sport, dport = struct.unpack_from(">HH", whole)
    length = None if whole is None else len(whole)
    return min(places), Datagram(*key, places, sport, dport, length, whole)
