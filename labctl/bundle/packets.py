"""The packets of both ends as one pcapng that any reader of captures takes, and back.

Each tap of a node is an interface of its own, named for both (`alice eth0:out`). What only labctl wants to know of a
packet is a comment.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from labctl.packets.crossings import Side
from labctl.packets.files.capture import read
from labctl.packets.files.write import Writer
from labctl.packets.matching.taps import IN, tap_of
from labctl.packets.model import CaptureError, Interface, Packet, Record
from labctl.packets.protocols import table
from labctl.packets.protocols.ip import alike, decode

_PIECE = re.compile(r"labctl: piece of datagram (\d{1,9}), (\d{1,5}) bytes")
MOST = 500_000  # packets of a run
_LONGEST, _WHOLE = 65_535, 64 << 20  # bytes of a datagram, and of all that stand for datagrams whose pieces are there
_ICMP_HEAD = 8  # bytes
_QUOTED_6 = 40 + 8  # bytes: of what an error quotes, the header and the ports


def packed(sides: Iterable[Side], *, payload: bool) -> bytes:
    """`payload` False: each packet ends with its last header."""
    out = io.BytesIO()
    writer, wholes = Writer(out), dict[int, int]()
    for side in sides:
        for packet in sorted((*side.sent, *side.arrived), key=lambda one: (one.ts_ns, one.index)):
            record = packet.record
            what = "arrived at" if tap_of(record) == IN else "was sent by"
            number = writer.interface(
                f"{side.node} {record.interface.name}",
                record.interface.link_type,
                description=f"what {what} {side.node}",
            )
            comments = list(record.comments)
            if whole := record.piece_of:
                place = wholes.setdefault(id(whole), len(wholes))
                comments.append(f"labctl: piece of datagram {place}, {len(whole.data)} bytes")
            data = record.data if payload else record.data[: _heads(packet)]
            writer.packet(number, packet.ts_ns, data, original_length=record.original_length, comments=comments)
    return out.getvalue()


def bare(side: Side) -> Side:
    """The same without what stands behind the headers of its packets."""
    wholes: dict[int, Record] = {}
    sent, arrived = ([_bare(packet, wholes) for packet in found] for found in (side.sent, side.arrived))
    return replace(side, sent=sent, arrived=arrived)


def _bare(packet: Packet, wholes: dict[int, Record]) -> Packet:
    record, whole = packet.record, packet.record.piece_of
    if whole is not None:
        whole = wholes.setdefault(id(whole), replace(whole, data=bytes(len(whole.data))))
    return decode(replace(record, data=record.data[: _heads(packet)], piece_of=whole), packet.index, packet.node)


def _heads(packet: Packet) -> int:
    """How many bytes of a packet are headers."""
    data, network, transport = packet.record.data, packet.network_offset, packet.transport_offset
    if packet.arp is not None:
        return len(data)
    if packet.icmp is not None and transport >= 0 and not packet.fragment_offset:
        if table().is_upkeep(packet):  # addresses, and nothing of a program
            return len(data)
        if packet.icmp.quoted is None:
            return transport + _ICMP_HEAD
        quoted = data[transport + _ICMP_HEAD : transport + _ICMP_HEAD + 1]
        is_4 = bool(quoted) and quoted[0] >> 4 == 4
        return transport + _ICMP_HEAD + ((quoted[0] & 15) * 4 + 8 if is_4 else _QUOTED_6)
    if packet.payload_offset >= 0:
        return packet.payload_offset
    return max(transport, network, 0)


def unpacked(content: bytes, told: Sequence[Mapping[str, Any]]) -> tuple[Side, ...]:
    """The sides, of which the recorders `told` the rest. Raises packets.model.CaptureError, ValueError."""
    found: dict[str, tuple[list[Packet], list[Packet]]] = {str(one["node"]): ([], []) for one in told}
    wholes = _Wholes()
    taps: dict[Interface, tuple[str, Interface, list[Packet]]] = {}
    # Most packets are there twice, as they were sent and as they arrived, byte for byte.
    once: dict[tuple[bytes, int, int, str], Packet] = {}
    for count, record in enumerate(read(io.BytesIO(content))):
        if count >= MOST:
            raise CaptureError(f"it has more than {MOST} packets")
        if (tap := taps.get(record.interface)) is None:
            tap = taps[record.interface] = _tap(record.interface, found)
        node, interface, packets = tap
        record = _restored(record, interface, wholes)
        key = record.data, record.original_length, interface.link_type, interface.order
        known = once.get(key)
        packet = decode(record, len(packets), node) if known is None else alike(known, record, len(packets), node)
        once[key] = packet
        packets.append(packet)
    return tuple(_side(one, *found[str(one["node"])]) for one in told)


def _tap(
    named: Interface, found: Mapping[str, tuple[list[Packet], list[Packet]]]
) -> tuple[str, Interface, list[Packet]]:
    """The node that an interface of the file is at, its name there, and where its packets go."""
    node, between, name = named.name.partition(" ")
    if not between or node not in found:
        raise CaptureError(f"it has packets of {node!r}, which is none of its nodes")
    interface = Interface(named.index, name, named.link_type, named.order)
    return node, interface, found[node][1 if name.rpartition(":")[2] == IN else 0]


def _restored(record: Record, interface: Interface, wholes: _Wholes) -> Record:
    if not record.comments:
        return Record(record.ts_ns, record.data, record.original_length, interface, timed=record.timed)
    comments, whole = [], None
    for comment in record.comments:
        if piece := _PIECE.fullmatch(comment):
            # What it was is known by its pieces; how long it was is all that else is asked of it.
            whole = wholes.of(int(piece[1]), int(piece[2]), record)
        else:
            comments.append(comment)
    return replace(record, interface=interface, comments=tuple(comments), piece_of=whole)


class _Wholes:
    """Records that stand for datagrams whose pieces are there, by their numbers."""

    def __init__(self) -> None:
        self._found: dict[int, Record] = {}
        self._size = 0

    def of(self, place: int, length: int, record: Record) -> Record:
        if place not in self._found:
            self._size += length
            if length > _LONGEST or self._size > _WHOLE:
                raise CaptureError("it has pieces of more datagrams than a run can have")
            self._found[place] = Record(record.ts_ns, bytes(length), length, record.interface)
        return self._found[place]


def _side(told: Mapping[str, Any], sent: list[Packet], arrived: list[Packet]) -> Side:
    return Side(
        str(told["node"]),
        sent,
        arrived,
        tuple(told["addresses"]),
        told["kernel_drops"],
        told["since_ns"],
        told["until_ns"],
        told["clock"],
        told["clock_error_ns"],
    )


def told_of(side: Side) -> dict[str, Any]:
    """What a recorder says of itself, as data."""
    return {
        "node": side.node,
        "addresses": list(side.addresses),
        "kernel_drops": side.kernel_drops,
        "since_ns": side.since_ns,
        "until_ns": side.until_ns,
        **({"clock": side.clock, "clock_error_ns": side.clock_error_ns} if side.clock else {}),
    }
