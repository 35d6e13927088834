"""ICMP (RFC 792), and what ICMPv6 has in common with it."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from socket import AF_INET, inet_ntop
from typing import Any

from labctl.packets.model import Icmp, Packet
from labctl.packets.protocols.application.text import data_layer
from labctl.packets.protocols.carried import Carried
from labctl.packets.protocols.checksum import Rule
from labctl.packets.protocols.kind import Fields, Label, Transport
from labctl.packets.protocols.reader import Field, Layer, Reader
from labctl.packets.protocols.transport import groups
from labctl.packets.protocols.words import ends
from labctl.packets.tcp.segment import Segment

# RFC 792, RFC 1122, RFC 1812.
TYPES = {
    0: "echo reply",
    3: "destination unreachable",
    4: "source quench",
    5: "redirect",
    8: "echo request",
    9: "router advertisement",
    10: "router solicitation",
    11: "time exceeded",
    12: "parameter problem",
    13: "timestamp request",
    14: "timestamp reply",
    15: "information request",
    16: "information reply",
    17: "address mask request",
    18: "address mask reply",
    30: "traceroute",
    42: "extended echo request",
    43: "extended echo reply",
}
UNREACHABLE = {
    0: "network unreachable",
    1: "host unreachable",
    2: "protocol unreachable",
    3: "port unreachable",
    4: "fragmentation needed",
    5: "source route failed",
    6: "network unknown",
    7: "host unknown",
    8: "source isolated",
    9: "network prohibited",
    10: "host prohibited",
    11: "network unreachable for this service",
    12: "host unreachable for this service",
    13: "prohibited by a filter",
    14: "host precedence violated",
    15: "precedence too low",
}
EXCEEDED = {0: "hops used up", 1: "fragments missing"}
_UNREACHABLE_TYPE, _REDIRECT, _PROBLEM = 3, 5, 12


@dataclass(frozen=True, slots=True)
class Family:
    """In what the two differ. `codes` are words for the codes of some types; `echoes` are types with an identifier and
    a number, `extended` those whose number has one byte (RFC 8335); `errors` quote a packet. `more` reads what Icmp has
    besides from a message, `rest` the header's last four bytes as fields."""

    words: str
    types: Mapping[int, str]
    codes: Mapping[int, Mapping[int, str]]
    echoes: tuple[int, ...]
    extended: tuple[int, ...]
    errors: frozenset[int]
    more: Callable[[int, int, bytes], dict[str, Any]]
    rest: Callable[[Reader, Icmp], None]
    checksum: Rule

    def code(self, kind: int, code: int) -> str:
        """What the code of a message says besides its type; empty: nothing."""
        return self.codes[kind].get(code, f"code {code}") if kind in self.codes else ""

    def called(self, kind: int, code: int) -> str:
        """A message as `destination unreachable: port unreachable`."""
        name, said = self.types.get(kind, f"type {kind}"), self.code(kind, code)
        return f"{name}: {said}" if said else name


def decoded(carried: Carried, family: Family) -> Fields:
    data = carried.data
    if len(data) < 4:
        return {"payload": data, "payload_offset": carried.at} | carried.early("its ICMP header", 4)
    kind, code = data[0], data[1]
    number = seq = None
    remark: dict[str, str] = {}
    if kind in family.echoes:
        if len(data) >= 8:
            number, seq = struct.unpack_from(">HH", data, 4)
        else:
            remark = carried.early("its ICMP header", 8)
    elif kind in family.extended and len(data) >= 8:
        number, seq = struct.unpack_from(">HB", data, 4)
    head = 8 if len(data) >= 8 else 4
    fields: Fields = {
        "icmp": Icmp(kind, code, number, seq, **family.more(kind, code, data)),
        "payload": data[head:],
        "payload_length": max(0, carried.length - head),
        "payload_offset": carried.at + head,
        **remark,
        **carried.summed(family.checksum),
    }
    if kind in family.errors and len(data) > 8 and not carried.quoted:
        fields["quote"] = carried.at + 8
    return fields


def layer_of(packet: Packet, family: Family) -> Layer:
    reader = Reader(packet.record.data, packet.transport_offset, packet.payload_offset)
    icmp = packet.icmp
    if icmp is None:
        return reader.layer("transport", family.words)
    kind = icmp.type
    reader.number("type", 1, family.types.get(kind, ""))
    reader.number("code", 1, family.code(kind, icmp.code))
    reader.checksum(packet)
    if icmp.seq is not None:
        reader.number("identifier", 2)
        reader.number("sequence number", 1 if kind in family.extended else 2)
        if (left := 8 - (reader.at - reader.start)) > 0:
            reader.number("local bit, state", left, text="0x{:02x}")
    else:
        family.rest(reader, icmp)
    return reader.layer("transport", family.words)


def inside_of(packet: Packet, more: tuple[Field, ...] = ()) -> Layer | None:
    """What a message holds behind its first eight bytes: a packet that it quotes, `more` fields, and bytes."""
    if packet.icmp is None:
        return None
    if packet.icmp.quoted is None:
        return data_layer(packet, more)
    quoted = packet.icmp.quoted
    about = f" {ends(quoted)}" if quoted.src else ""
    at, size = packet.payload_offset, len(packet.payload)
    field = Field("quotes", f"{quoted.protocol.upper()}{about}", at, size)
    return Layer("application", "quoted packet", at, size, (field,))


def label_of(packet: Packet, family: Family) -> Label | None:
    icmp = packet.icmp
    if icmp is None:
        return None
    parts: list[str] = []
    if icmp.mtu is not None:
        parts.append(f"mtu {icmp.mtu}")
    if icmp.gateway is not None:
        parts.append(f"gateway {icmp.gateway}")
    if icmp.quoted is not None:
        about = f" {ends(icmp.quoted)}" if icmp.quoted.src else ""
        parts.append(f"quotes {icmp.quoted.protocol.upper()}{about}")
    elif icmp.seq is not None:
        parts += [f"id {icmp.id}", f"seq {icmp.seq}"]
    elif icmp.groups:
        parts.append(groups.shown(icmp.groups))
    elif icmp.target is not None:
        # Whose address is asked for or told (RFC 4861, sections 4.3 and 4.4): it goes to a group, or to who asked.
        parts.append(f"who has {icmp.target}?" if icmp.type == 135 else f"of {icmp.target}")
    return Label(f"{family.words} {family.called(icmp.type, icmp.code)}", tuple(parts), phase="data")


def _more(kind: int, code: int, data: bytes) -> dict[str, Any]:
    if len(data) < 8:
        return {}
    if kind == _UNREACHABLE_TYPE and code == 4:
        return {"mtu": struct.unpack_from(">H", data, 6)[0]}
    return {"gateway": inet_ntop(AF_INET, data[4:8])} if kind == _REDIRECT else {}


def _rest(reader: Reader, icmp: Icmp) -> None:
    if icmp.mtu is not None:
        reader.number("unused", 2)
        reader.number("MTU", 2, "bytes of the largest packet that goes through")
    elif icmp.gateway is not None:
        reader.text("gateway", 4, icmp.gateway, "the better way")
    elif icmp.type == _PROBLEM:
        reader.number("pointer", 1, "the byte that is wrong")
        reader.number("unused", 3)
    elif reader.at < reader.end:
        reader.number("rest", 4, text="0x{:08x}")


FAMILY = Family(
    words="ICMP",
    types=TYPES,
    codes={3: UNREACHABLE, 11: EXCEEDED},
    echoes=(0, 8, 13, 14, 15, 16, 17, 18),
    extended=(42, 43),
    errors=frozenset((3, 4, 5, 11, 12)),
    more=_more,
    rest=_rest,
    checksum=Rule(at=2),
)


def _decode(carried: Carried) -> Fields:
    return decoded(carried, FAMILY)


def _layer(packet: Packet) -> Layer:
    return layer_of(packet, FAMILY)


def _label(packet: Packet, segment: Segment | None) -> Label | None:
    return label_of(packet, FAMILY)


PROTOCOLS = (
    Transport(
        name="icmp",
        words="ICMP",
        numbers=(1,),
        decode=_decode,
        layer=_layer,
        label=_label,
        inside=inside_of,
        checksum=FAMILY.checksum,
        of_programs=lambda packet: True,
    ),
)
