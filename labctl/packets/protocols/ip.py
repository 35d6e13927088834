"""Records to packets."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_ntop
from typing import Any

from labctl.packets.fields import arp
from labctl.packets.model import Packet, Record
from labctl.packets.protocols import checksum, extensions, link, shims
from labctl.packets.protocols.ending import early, held, is_cut
from labctl.packets.protocols.transport import Segment, transport

_PROTOCOLS = {1: "icmp", 2: "igmp", 6: "tcp", 17: "udp", 58: "icmp6", 132: "sctp"}
# Named, and not decoded.
_PROTOCOLS |= {4: "ipip", 8: "egp", 9: "igp", 33: "dccp", 41: "ipv6", 46: "rsvp", 47: "gre", 50: "esp", 51: "ah"}
_PROTOCOLS |= {88: "eigrp", 89: "ospf", 94: "ipip", 97: "etherip", 98: "encap", 103: "pim", 108: "ipcomp", 112: "vrrp"}
_PROTOCOLS |= {115: "l2tp", 135: "mobility", 136: "udplite", 137: "mpls", 139: "hip"}

Fields = dict[str, Any]


def decode_all(records: Iterable[Record], node: str = "") -> Iterator[Packet]:
    """Each record as a packet, numbered from 0. `node` empty: the name of the record's own interface."""
    for index, record in enumerate(records):
        yield decode(record, index, node)


def decode(record: Record, index: int = 0, node: str = "") -> Packet:
    """One record as a packet. Never raises: what can't be decoded is said in `malformed` or `unread`."""
    found = link.unwrapped(record)
    fields: Fields = {"payload_offset": found.offset, "vlans": found.vlans}
    fields |= {"malformed": found.malformed, "unread": found.unread}
    data = record.data[: found.end]
    if found.ethertype in (link.IP4, link.IP6):
        room = record.original_length if found.end == len(record.data) or is_cut(record) else found.end
        room = max(room, len(data))  # a file may say that less was on the wire than it has
        inner = network(data, found.offset, record, room)
    elif found.ethertype in (link.ARP, shims.RARP):
        inner = arp.arp(data, found.offset, record, shims.name_of(found.ethertype))
    else:
        name = found.protocol or (shims.name_of(found.ethertype) if found.ethertype else "unknown")
        inner = {"protocol": name, "payload": data[found.offset :], "payload_length": len(data) - found.offset}
        if is_cut(record) and not (found.malformed or found.unread):
            inner["unread"] = held(record)
    if found.malformed:
        inner.pop("malformed", None)
    return Packet(record.ts_ns, index, node or record.interface.name, record, **(fields | inner))


@lru_cache(maxsize=65536)
def address(raw: bytes) -> str:
    """An address of 4 or 16 bytes as text."""
    return inet_ntop(AF_INET if len(raw) == 4 else AF_INET6, raw)


def network(data: bytes, at: int, record: Record, room: int, *, quoted: bool = False) -> Fields:
    """The fields of an IP packet that begins at some byte; the frame has `room` up to another. `quoted`: in an ICMP
    error, so that it may be cut."""
    fields: Fields = {"network_offset": at, "payload_offset": at}
    if at >= len(data):
        return fields | {"protocol": "ip"} | _early("its IP header", at + 20, room, record, quoted)
    version = data[at] >> 4
    if version == 4:
        return fields | _ip4(data, at, record, room, quoted)
    if version == 6:
        return fields | _ip6(data, at, record, room, quoted)
    return fields | {"protocol": "unknown", "payload": data[at:], "malformed": f"IP version {version} isn't known"}


def _early(what: str, need: int, end: int, record: Record, quoted: bool) -> Fields:
    return {} if quoted else dict(early(what, need, end, record))


def _ip4(data: bytes, at: int, record: Record, room: int, quoted: bool) -> Fields:
    size = (data[at] & 15) * 4
    if size < 20:
        remark = f"says its IP header has {size} bytes, and none has less than 20"
        return _headless(4, data, at + 1) | {"malformed": remark}
    if len(data) < at + 20:
        return _headless(4, data, len(data)) | _early("its IP header", at + 20, room, record, quoted)
    _, _, length, ident, bits, ttl, number, _, src, dst = struct.unpack_from(">BBHHHBBH4s4s", data, at)
    # Segmentation offload leaves the length 0 where the packet is longer than 65,535 bytes.
    total = length or room - at
    offset, more = (bits & 0x1FFF) * 8, bool(bits & 0x2000)
    fields: Fields = {
        "version": 4,
        "src": address(src),
        "dst": address(dst),
        "ip_id": ident,
        "ttl": ttl,
        "dont_fragment": bool(bits & 0x4000),
        "more_fragments": more,
        "fragment_offset": offset,
        "total_length": total,
    }
    if total < size:
        remark = f"says its IP packet has {total} bytes"
        return fields | _body(number, data[at + size :], min(at + size, len(data))) | {"malformed": remark}
    if len(data) < at + size:
        return fields | _body(number, b"", len(data)) | _early("its IP options", at + size, room, record, quoted)
    header = data[at : at + size]
    state = fields["ip_checksum"] = checksum.of_ip_header(header)
    if state == "bad":
        fields["ip_checksum_wanted"] = checksum.wanted(header, int.from_bytes(header[10:12], "big"))
    place = at + size
    if number == extensions.AUTHENTICATION and not offset:
        found = extensions.chain(data, place, number, src, dst, at + total)
        if found.early is not None:
            ending = _early("its authentication header", found.early, min(room, at + total), record, quoted)
            return fields | _body(number, data[found.place :], found.place) | ending
        number, place = found.number, found.place
    upper = _Upper(number, src, dst, place, at + total - place, offset, more)
    return fields | _upper(data, upper, record, room, quoted)


def _headless(version: int, data: bytes, at: int) -> Fields:
    """Of a header that can't be read but for its version."""
    return {"version": version, "protocol": f"ipv{version}", "payload": data[at:], "payload_offset": at}


def _ip6(data: bytes, at: int, record: Record, room: int, quoted: bool) -> Fields:
    """RFC 8200."""
    if len(data) < at + 40:
        return _headless(6, data, len(data)) | _early("its IP header", at + 40, room, record, quoted)
    _, length, kind, hops, src, dst = struct.unpack_from(">IHBB16s16s", data, at)
    fields: Fields = {"version": 6, "src": address(src), "dst": address(dst), "ttl": hops}
    end = at + 40 + (length or room - at - 40)
    fields |= {"total_length": end - at, "ip_checksum": "none"}
    found = extensions.chain(data, at + 40, kind, src, dst, end)
    if found.ident is not None:
        fields |= {"ip_id": found.ident, "fragment_offset": found.offset, "more_fragments": found.more}
    if found.early is not None:
        what = "an IPv6 extension header"
        rest = _body(found.number, data[found.place :], min(found.place, len(data)))
        return fields | rest | _early(what, found.early, min(end, room), record, quoted)
    upper = _Upper(
        found.number, found.src, found.dst, found.place, end - found.place, found.offset, found.more, sums=found.sums
    )
    return fields | _upper(data, upper, record, room, quoted)


class _Upper:
    """What the IP header says of what follows it: `length` is that of the whole rest, captured or not."""

    __slots__ = ("at", "dst", "length", "more", "number", "offset", "src", "sums")

    def __init__(
        self, number: int, src: bytes, dst: bytes, at: int, length: int, offset: int, more: bool, *, sums: bool = True
    ) -> None:
        self.number, self.src, self.dst, self.at, self.length = number, src, dst, at, length
        self.offset, self.more, self.sums = offset, more, sums


def _upper(data: bytes, upper: _Upper, record: Record, room: int, quoted: bool) -> Fields:
    end = upper.at + upper.length
    if quoted or end <= room:
        return _carried(data, upper, record, quoted)
    upper.length = max(0, room - upper.at)  # what the frame has is all that there was
    found = _carried(data, upper, record, quoted)
    if found.get("malformed", "").startswith("ends inside"):  # that tells more
        return found
    return found | {"malformed": f"says its IP packet goes on to byte {end}, where the frame has {room}"}


def _carried(data: bytes, upper: _Upper, record: Record, quoted: bool) -> Fields:
    at = upper.at
    body = data[at : at + upper.length]
    if upper.offset:  # what a later fragment begins with is no header
        return _body(upper.number, body, at) | {"payload_length": upper.length}
    segment = Segment(
        upper.number, body, upper.length, upper.src, upper.dst, at, upper.more, upper.sums, quoted, record
    )
    found = transport(segment)
    if found is None:
        return _body(upper.number, body, at) | {"payload_length": upper.length}
    inner = found.pop("quote", None)
    if inner is not None and "icmp" in found:
        found["icmp"] = _with_quote(found["icmp"], data, inner, record)
    return {"protocol": _PROTOCOLS[upper.number], "transport_offset": at, **found}


def _with_quote(icmp: Any, data: bytes, at: int, record: Record) -> Any:
    if at >= len(data):
        return icmp
    fields = network(data, at, record, len(data), quoted=True)
    return replace(icmp, quoted=Packet(record.ts_ns, -1, "", record, **fields))


def _body(number: int, payload: bytes, at: int) -> Fields:
    name = _PROTOCOLS.get(number, "none" if number == extensions.NOTHING else f"ip-{number}")
    return {"protocol": name, "payload": payload, "payload_length": len(payload), "payload_offset": at}
