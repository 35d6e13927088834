"""ICMPv6 (RFC 4443), with who has an address (RFC 4861) and who listens to which multicast group (MLD)."""

from __future__ import annotations

import struct
from socket import AF_INET6, inet_ntop
from typing import Any

from labctl.packets.model import Icmp, Packet
from labctl.packets.protocols.carried import Carried
from labctl.packets.protocols.checksum import Rule
from labctl.packets.protocols.kind import Fields, Label, Neighbour, Transport
from labctl.packets.protocols.reader import Field, Layer, Reader
from labctl.packets.protocols.transport import groups
from labctl.packets.protocols.transport.icmp import EXCEEDED, Family, decoded, inside_of, label_of, layer_of
from labctl.packets.tcp.segment import Segment

# RFC 4443, RFC 4861.
TYPES = {
    1: "destination unreachable",
    2: "packet too big",
    3: "time exceeded",
    4: "parameter problem",
    128: "echo request",
    129: "echo reply",
    130: "multicast listener query",
    131: "multicast listener report",
    132: "multicast listener done",
    133: "router solicitation",
    134: "router advertisement",
    135: "neighbour solicitation",
    136: "neighbour advertisement",
    137: "redirect",
    138: "router renumbering",
    139: "node information query",
    140: "node information response",
    141: "inverse neighbour solicitation",
    142: "inverse neighbour advertisement",
    143: "multicast listener report v2",
    144: "home agent discovery request",
    145: "home agent discovery reply",
    146: "mobile prefix solicitation",
    147: "mobile prefix advertisement",
    151: "multicast router advertisement",
    152: "multicast router solicitation",
    153: "multicast router termination",
    155: "RPL control",
    160: "extended echo request",
    161: "extended echo reply",
}
UNREACHABLE = {
    0: "no route",
    1: "prohibited by a filter",
    2: "beyond the scope of the source",
    3: "address unreachable",
    4: "port unreachable",
    5: "source failed the policy",
    6: "route rejected",
    7: "error in a source route",
}
_TOO_BIG, _PROBLEM, _REDIRECT, _SOLICITATION, _ADVERTISEMENT = 2, 4, 137, 135, 136
_MLD_REPORT_2 = 143
_UPKEEP = range(130, 144)  # routers, neighbours, groups (RFC 4861, RFC 2710)
_MLD = (130, 131, 132)  # a query, a report and a leave of the first version (RFC 2710)


def _more(kind: int, code: int, data: bytes) -> dict[str, Any]:
    if kind == _TOO_BIG and len(data) >= 8:
        return {"mtu": struct.unpack_from(">I", data, 4)[0]}
    if kind in (_SOLICITATION, _ADVERTISEMENT) and len(data) >= 24:
        return {"target": inet_ntop(AF_INET6, data[8:24])}
    if kind == _REDIRECT and len(data) >= 40:
        return {"gateway": inet_ntop(AF_INET6, data[8:24]), "target": inet_ntop(AF_INET6, data[24:40])}
    if kind == _MLD_REPORT_2:  # RFC 3810
        return {"groups": groups.records(data, 16)}
    return {"groups": (inet_ntop(AF_INET6, data[8:24]),)} if kind in _MLD and len(data) >= 24 else {}


def _rest(reader: Reader, icmp: Icmp) -> None:
    if icmp.mtu is not None:
        reader.number("MTU", 4, "bytes of the largest packet that goes through")
    elif icmp.type == _PROBLEM:
        reader.number("pointer", 4, "the byte that is wrong")
    elif reader.at < reader.end:
        reader.number("rest", 4, text="0x{:08x}")


FAMILY = Family(
    words="ICMPv6",
    types=TYPES,
    codes={1: UNREACHABLE, 3: EXCEEDED},
    echoes=(128, 129),
    extended=(160, 161),
    errors=frozenset(range(128)),
    more=_more,
    rest=_rest,
    checksum=Rule(at=2, pseudo=True),
)


def _decode(carried: Carried) -> Fields:
    return decoded(carried, FAMILY)


def _layer(packet: Packet) -> Layer:
    return layer_of(packet, FAMILY)


def _label(packet: Packet, segment: Segment | None) -> Label | None:
    return label_of(packet, FAMILY)


def _neighbour(packet: Packet) -> Neighbour | None:
    icmp = packet.icmp
    if icmp is None or icmp.target is None or icmp.type not in (_SOLICITATION, _ADVERTISEMENT):
        return None
    return Neighbour(icmp.type == _SOLICITATION, icmp.target)


def _inside(packet: Packet) -> Layer | None:
    """With the addresses that stand behind the first eight bytes."""
    icmp, at = packet.icmp, packet.payload_offset
    out: list[Field] = []
    if icmp is None:
        return None
    if icmp.type == _REDIRECT and icmp.gateway is not None:
        out.append(Field("better hop", icmp.gateway, at, 16))
        at += 16
    if icmp.target is not None:
        out.append(Field("target", icmp.target, at, 16))
    if icmp.type in _MLD and len(packet.payload) >= 16:
        out.append(Field("group", inet_ntop(AF_INET6, packet.payload[:16]), at, 16))
    return inside_of(packet, tuple(out))


PROTOCOLS = (
    Transport(
        name="icmp6",
        words="ICMPv6",
        numbers=(58,),
        decode=_decode,
        layer=_layer,
        label=_label,
        inside=_inside,
        neighbour=_neighbour,
        checksum=FAMILY.checksum,
        of_programs=lambda packet: packet.icmp is not None and packet.icmp.type < 130,  # RFC 4443: errors, echo
        is_upkeep=lambda packet: packet.icmp is not None and packet.icmp.type in _UPKEEP,
    ),
)
