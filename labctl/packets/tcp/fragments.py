"""Datagrams put together from their fragments (RFC 791, section 3.2; RFC 8200, section 4.5)."""

from __future__ import annotations

import struct
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from labctl.packets.model import Packet
from labctl.packets.protocols import table

_Key = tuple[str, str, str, int]


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


@dataclass(slots=True)
class _Open:
    """A datagram of which parts may be missing: positions by offset, how many bytes these have, and where it ends."""

    parts: dict[int, int] = field(default_factory=dict)
    size: int = 0
    end: int | None = None

    def add(self, packet: Packet, position: int) -> None:
        if packet.fragment_offset in self.parts:
            return
        self.parts[packet.fragment_offset] = position
        self.size += len(_bytes(packet))
        if not packet.more_fragments:
            self.end = packet.fragment_offset + len(_bytes(packet))

    @property
    def may_be_whole(self) -> bool:
        """Bytes are as many as it has, though they may overlap and leave a hole."""
        return self.end is not None and self.size >= self.end


def reassembled(packets: Sequence[Packet]) -> list[Datagram]:
    """The fragmented datagrams among the packets, each where its first part was seen. Near linear.

    Copies of a fragment are left out; an id that is used again begins a new datagram once the first is whole.
    """
    open_ones: dict[_Key, _Open] = {}
    done: list[tuple[int, Datagram]] = []
    for position, packet in enumerate(packets):
        if not (packet.more_fragments or packet.fragment_offset) or (key := _key(packet)) is None:
            continue
        found = open_ones.setdefault(key, _Open())
        found.add(packet, position)
        whole = _joined(packets, found.parts) if found.may_be_whole else None
        if whole is not None:
            done.append(_datagram(packets, key, found.parts, whole))
            del open_ones[key]
    done += [_datagram(packets, key, found.parts, None) for key, found in open_ones.items()]
    return [datagram for _, datagram in sorted(done, key=lambda item: item[0])]


def with_ports(packets: Sequence[Packet]) -> list[Packet]:
    """The packets, each later fragment, and each copy of one, with the ports that its first one has."""
    out = list(packets)
    if not any(packet.more_fragments or packet.fragment_offset for packet in packets):
        return out
    named: dict[_Key, list[tuple[int, Datagram]]] = {}
    for datagram in reassembled(packets):
        if datagram.sport is not None:
            key = (datagram.src, datagram.dst, datagram.protocol, datagram.ip_id)
            named.setdefault(key, []).append((min(datagram.parts), datagram))
            for position in datagram.parts:
                out[position] = _named(out[position], datagram)
    for position, packet in enumerate(out):
        found = _key(packet)
        if found in named and packet.sport is None:
            before = bisect_right(named[found], position, key=lambda item: item[0])
            if before and _has(packets, named[found][before - 1][1], packet):
                out[position] = _named(packet, named[found][before - 1][1])
    return out


def _key(packet: Packet) -> _Key | None:
    if not packet.is_fragment or packet.ip_id is None:
        return None
    return packet.src, packet.dst, packet.protocol, packet.ip_id


def _named(packet: Packet, datagram: Datagram) -> Packet:
    return packet if packet.sport is not None else replace(packet, sport=datagram.sport, dport=datagram.dport)


def _has(packets: Sequence[Packet], datagram: Datagram, packet: Packet) -> bool:
    """A fragment is a copy of one of the datagram's."""
    at = bisect_left(datagram.parts, packet.fragment_offset, key=lambda part: packets[part].fragment_offset)
    same = packets[datagram.parts[at]] if at < len(datagram.parts) else None
    return same is not None and same.fragment_offset == packet.fragment_offset and same.payload == packet.payload


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


def _datagram(packets: Sequence[Packet], key: _Key, parts: dict[int, int], whole: bytes | None) -> tuple[int, Datagram]:
    places = tuple(parts[offset] for offset in sorted(parts))
    first = packets[parts[0]] if 0 in parts else None
    sport, dport = (first.sport, first.dport) if first else (None, None)
    if sport is None and whole is not None and len(whole) >= 4 and key[2] in table().with_ports:
        sport, dport = struct.unpack_from(">HH", whole)
    length = None if whole is None else len(whole)
    return min(places), Datagram(*key, places, sport, dport, length, whole)
