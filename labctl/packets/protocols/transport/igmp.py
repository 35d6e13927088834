"""IGMP: who listens to which multicast group of IPv4 (RFC 1112, 2236, 3376)."""

from __future__ import annotations

from socket import AF_INET, inet_ntop

from labctl.packets.model import Igmp, Packet
from labctl.packets.protocols.application.text import data_layer
from labctl.packets.protocols.carried import Carried
from labctl.packets.protocols.checksum import Rule
from labctl.packets.protocols.kind import Fields, Label, Transport
from labctl.packets.protocols.reader import Layer, Reader
from labctl.packets.protocols.transport import groups
from labctl.packets.tcp.segment import Segment

SUM = Rule(at=2)
QUERY, REPORT_1, REPORT_2, LEAVE, REPORT_3 = 0x11, 0x12, 0x16, 0x17, 0x22
TYPES = {
    QUERY: "membership query",
    REPORT_1: "membership report",
    0x13: "DVMRP",
    0x14: "PIM, version 1",
    0x15: "Cisco trace",
    REPORT_2: "membership report v2",
    LEAVE: "leave group",
    0x1E: "multicast traceroute response",
    0x1F: "multicast traceroute",
    REPORT_3: "membership report v3",
    0x30: "multicast router advertisement",
    0x31: "multicast router solicitation",
    0x32: "multicast router termination",
}
_WITH_GROUP = (QUERY, REPORT_1, REPORT_2, LEAVE)


def _decode(carried: Carried) -> Fields:
    data = carried.data
    if len(data) < 8:
        fields: Fields = {"payload": data, "payload_offset": carried.at, "payload_length": carried.length}
        return fields | carried.early("its IGMP message", 8)
    return {
        "igmp": _message(data, carried.length),
        "payload": data[8:],
        "payload_length": carried.length - 8,
        "payload_offset": carried.at + 8,
        **carried.summed(SUM),
    }


def _message(data: bytes, length: int) -> Igmp:
    """A message of which at least the first byte is there; `length` is that of all of it."""
    kind = data[0]
    if kind == REPORT_3:
        return Igmp(kind, 3, groups.records(data, 4))
    # RFC 3376, section 7.1: queries of the three versions are told apart by their length and second byte.
    version = {REPORT_1: 1, QUERY: 3 if length >= 12 else 2 if data[1:2] != b"\0" else 1}.get(kind, 2)
    named = (inet_ntop(AF_INET, data[4:8]),) if kind in _WITH_GROUP and len(data) >= 8 else ()
    return Igmp(kind, version, named)


def _layer(packet: Packet) -> Layer:
    reader = Reader(packet.record.data, packet.transport_offset, packet.payload_offset)
    igmp = packet.igmp
    if igmp is None:
        return reader.layer("transport", "IGMP")
    reader.number("type", 1, TYPES.get(igmp.type, ""), text="0x{:02x}")
    reader.number("longest response", 1, "tenths of a second" if igmp.type == QUERY else "")
    reader.checksum(packet)
    if igmp.type == REPORT_3:
        reader.number("reserved", 2)
        reader.number("records", 2, ", ".join(igmp.groups))
    elif igmp.groups:
        reader.text("group", 4, igmp.groups[0], "all" if igmp.groups[0] == "0.0.0.0" else "")
    else:
        reader.number("rest", 4, text="0x{:08x}")
    return reader.layer("transport", f"IGMP version {igmp.version}")


def _label(packet: Packet, segment: Segment | None) -> Label | None:
    igmp = packet.igmp
    if igmp is None:
        return None
    name = TYPES.get(igmp.type, f"type 0x{igmp.type:02x}")
    return Label(f"IGMP {name}", (groups.shown(igmp.groups),) if igmp.groups else (), phase="data")


def _inside(packet: Packet) -> Layer | None:
    return data_layer(packet) if packet.igmp is not None else None


PROTOCOLS = (
    Transport(
        name="igmp",
        words="IGMP",
        numbers=(2,),
        decode=_decode,
        layer=_layer,
        label=_label,
        inside=_inside,
        checksum=SUM,
        is_upkeep=lambda packet: True,
    ),
)
