"""Records to packets. Only this module and those it calls import dpkt, which takes 40 ms to import."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_ntop
from typing import Any, ClassVar

import dpkt

from labctl.packets import checksum, link
from labctl.packets.model import Arp, Packet, Record
from labctl.packets.transport import Segment, transport

_PROTOCOLS = {1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 58: "icmp6", 132: "sctp"}
_HOP_BY_HOP, _ROUTING, _FRAGMENT, _AUTHENTICATION, _NOTHING, _DESTINATION = 0, 43, 44, 51, 59, 60
_ICMP6, _NEIGHBOUR = 58, (135, 136)  # solicitation and advertisement
_EXTENSIONS = (_HOP_BY_HOP, _ROUTING, _FRAGMENT, _AUTHENTICATION, _DESTINATION)

Fields = dict[str, Any]


class _Ip4(dpkt.ip.IP):  # type: ignore[misc]
    """The header alone: what is inside is decoded by `transport`, which says what is wrong with it."""

    _protosw: ClassVar[dict[int, Any]] = {}


def decode_all(records: Iterable[Record], node: str = "") -> Iterator[Packet]:
    """Each record as a packet, numbered from 0. `node` empty: the name of the record's own interface."""
    for index, record in enumerate(records):
        yield decode(record, index, node)


def decode(record: Record, index: int = 0, node: str = "") -> Packet:
    """One record as a packet. Never raises: what can't be decoded is said in `malformed`."""
    found = link.unwrapped(record)
    fields: Fields = {"payload_offset": found.offset, "vlans": found.vlans, "malformed": found.remark}
    data = record.data[: found.end]
    if found.ethertype in (link.IP4, link.IP6):
        fields |= network(data, found.offset, record)
    elif found.ethertype == link.ARP:
        fields |= _arp(data, found.offset)
    else:
        fields |= {"protocol": f"0x{found.ethertype:04x}" if found.ethertype else "unknown"}
        fields |= {"payload": data[found.offset :], "payload_length": len(data) - found.offset}
    return Packet(record.ts_ns, index, node or record.interface.name, record, **fields)


@lru_cache(maxsize=65536)
def address(raw: bytes) -> str:
    """An address of 4 or 16 bytes as text."""
    return inet_ntop(AF_INET if len(raw) == 4 else AF_INET6, raw)


def network(data: bytes, at: int, record: Record, *, quoted: bool = False) -> Fields:
    """The fields of an IP packet that begins at some byte. `quoted`: in an ICMP error, so that it may be cut."""
    fields: Fields = {"network_offset": at, "payload_offset": at}
    try:
        version = data[at] >> 4
        if version == 4:
            fields |= _ip4(data, at, record, quoted)
        elif version == 6:
            fields |= _ip6(data, at, record, quoted)
        else:
            fields |= {"protocol": "unknown", "payload": data[at:], "malformed": f"IP version {version} isn't known"}
    except (dpkt.UnpackError, struct.error, IndexError):
        fields |= {"protocol": "unknown", "payload": data[at:], "malformed": "ends inside its IP header"}
    return fields


def _ip4(data: bytes, at: int, record: Record, quoted: bool) -> Fields:
    head = _Ip4(data[at : at + 60])
    size = head.hl * 4
    # Segmentation offload leaves the length 0 where the packet is longer than 65,535 bytes.
    total = head.len or record.original_length - at
    offset, more = head.offset * 8, bool(head.mf)
    fields: Fields = {
        "version": 4,
        "src": address(head.src),
        "dst": address(head.dst),
        "ip_id": head.id,
        "ttl": head.ttl,
        "dont_fragment": bool(head.df),
        "more_fragments": more,
        "fragment_offset": offset,
        "total_length": total,
    }
    if total < size:
        return (
            fields
            | _body(head.p, data[at + size :], at + size)
            | {"malformed": f"says its IP packet has {total} bytes"}
        )
    if len(data) < at + size:
        return fields | _body(head.p, b"", len(data)) | {"malformed": "ends inside its IP options"}
    fields["ip_checksum"] = checksum.of_header(data[at : at + size])
    upper = _Upper(head.p, head.src, head.dst, at + size, total - size, offset, more)
    return fields | _upper(data, upper, record, quoted)


def _ip6(data: bytes, at: int, record: Record, quoted: bool) -> Fields:
    """RFC 8200. dpkt sees a fragment only where its header is the first extension, so they are walked here."""
    head = struct.unpack_from(">IHBB16s16s", data, at)
    _, length, kind, hops, src, dst = head
    fields: Fields = {"version": 6, "src": address(src), "dst": address(dst), "ttl": hops}
    end = at + 40 + (length or record.original_length - at - 40)
    fields |= {"total_length": end - at, "ip_checksum": "none"}
    place, offset, more, routed = at + 40, 0, False, False
    while kind in _EXTENSIONS and not offset:
        if place + 8 > min(end, len(data)):
            return fields | _body(kind, data[place:], place) | {"malformed": "ends inside an IPv6 extension header"}
        this, kind, units = kind, data[place], data[place + 1]
        if this == _FRAGMENT:
            _, _, bits, number = struct.unpack_from(">BBHI", data, place)
            offset, more = bits & 0xFFF8, bool(bits & 1)
            fields |= {"ip_id": number, "fragment_offset": offset, "more_fragments": more}
            place += 8
        elif this == _AUTHENTICATION:
            place += (units + 2) * 4
        else:
            routed = routed or (this == _ROUTING and data[place + 3] > 0)
            place += (units + 1) * 8
    if place > end:
        return fields | _body(kind, b"", min(place, len(data))) | {"malformed": "an IPv6 extension header is too long"}
    upper = _Upper(kind, src, dst, place, end - place, offset, more, sums=not routed)
    return fields | _upper(data, upper, record, quoted)


class _Upper:
    """What the IP header says of what follows it: `length` is that of the whole rest, captured or not."""

    __slots__ = ("at", "dst", "length", "more", "number", "offset", "src", "sums")

    def __init__(
        self, number: int, src: bytes, dst: bytes, at: int, length: int, offset: int, more: bool, *, sums: bool = True
    ) -> None:
        self.number, self.src, self.dst, self.at, self.length = number, src, dst, at, length
        self.offset, self.more, self.sums = offset, more, sums


def _upper(data: bytes, upper: _Upper, record: Record, quoted: bool) -> Fields:
    at = upper.at
    body = data[at : at + upper.length]
    if upper.offset:  # what a later fragment begins with is no header
        return _body(upper.number, body, at) | {"payload_length": upper.length}
    segment = Segment(upper.number, body, upper.length, upper.src, upper.dst, at, upper.more, upper.sums, quoted)
    found = transport(segment)
    if found is None:
        return _body(upper.number, body, at) | {"payload_length": upper.length}
    inner = found.pop("quote", None)
    if inner is not None and "icmp" in found:
        found["icmp"] = _with_quote(found["icmp"], data, inner, record)
    if upper.number == _ICMP6 and "icmp" in found and found["icmp"].type in _NEIGHBOUR and len(body) >= 24:
        found["icmp"] = replace(found["icmp"], target=address(body[8:24]))
    return {"protocol": _PROTOCOLS[upper.number], "transport_offset": at, **found}


def _with_quote(icmp: Any, data: bytes, at: int, record: Record) -> Any:
    if at >= len(data):
        return icmp
    return replace(icmp, quoted=Packet(record.ts_ns, -1, "", record, **network(data, at, record, quoted=True)))


def _body(number: int, payload: bytes, at: int) -> Fields:
    name = _PROTOCOLS.get(number, "none" if number == _NOTHING else f"ip-{number}")
    return {"protocol": name, "payload": payload, "payload_length": len(payload), "payload_offset": at}


def _arp(data: bytes, at: int) -> Fields:
    fields: Fields = {"protocol": "arp", "network_offset": at}
    try:
        head = dpkt.arp.ARP(data[at : at + 28])
    except dpkt.UnpackError:
        return fields | {"payload": data[at:], "malformed": "ends inside its ARP message"}
    if (head.hln, head.pln) != (6, 4):
        return fields | {"payload": data[at:], "malformed": "an ARP message for other than Ethernet and IPv4"}
    return fields | {
        "src": address(head.spa),
        "dst": address(head.tpa),
        "arp": Arp(head.op, head.sha.hex(":"), head.tha.hex(":")),
        "payload_length": 0,
        "payload_offset": at + 28,
    }
