"""TCP, UDP, ICMP, ICMPv6 and IGMP: the headers inside an IP packet."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from socket import AF_INET, AF_INET6, inet_ntop
from typing import Any

from labctl.packets.fields import groups
from labctl.packets.model import Checksum, Icmp, Record, Tcp
from labctl.packets.protocols import checksum
from labctl.packets.protocols.ending import early

# The errors, which quote a packet: RFC 792; RFC 4443, section 2.1.
_ERRORS_4 = (3, 4, 5, 11, 12)
_WITH_ID = {1: (0, 8, 13, 14, 15, 16, 17, 18), 58: (128, 129)}
_EXTENDED = {1: (42, 43), 58: (160, 161)}  # echoes whose sequence number is one byte (RFC 8335)
_UNREACHABLE, _REDIRECT, _TOO_BIG, _REDIRECT_6, _NEIGHBOUR = 3, 5, 2, 137, (135, 136)


@dataclass(frozen=True, slots=True)
class Segment:
    """What IP carries: the bytes that were captured of it, and how many the header says there are; `src` and `dst` are
    those of the pseudo-header. The whole packet is in `record`, and this begins at its byte `at`."""

    number: int
    data: bytes
    length: int
    src: bytes
    dst: bytes
    at: int
    more_fragments: bool
    sums: bool
    quoted: bool
    record: Record

    @property
    def is_whole(self) -> bool:
        return self.sums and not self.more_fragments and len(self.data) == self.length

    def early(self, what: str, size: int) -> dict[str, str]:
        """The remark on a header of so many bytes that aren't there."""
        # A quote is cut after 8 bytes or more (RFC 792), and that is as it should be.
        if self.quoted:
            return {}
        if self.more_fragments and size > self.length:
            return {"unread": f"{what} goes on in the next fragment"}
        return early(what, self.at + size, self.at + self.length, self.record)


def transport(segment: Segment) -> dict[str, Any] | None:
    """A packet's fields as its transport header has them; None: not a transport that is decoded here."""
    decoder = _DECODERS.get(segment.number)
    return decoder(segment) if decoder else None


def _tcp(segment: Segment) -> dict[str, Any]:
    data = segment.data
    if len(data) < 20:
        return _cut_tcp(segment) | segment.early("its TCP header", 20)
    sport, dport, seq, ack, bits, window, found, urgent = struct.unpack_from(">HHIIHHHH", data, 0)
    size = (bits >> 12) * 4
    if size < 20:
        return _cut_tcp(segment) | {"malformed": f"says its TCP header has {size} bytes"}
    options, remark = _options(data[20:size])
    remarks: dict[str, str] = segment.early("its TCP options", size) if size > len(data) else {}
    if remark and not remarks:
        remarks = {"malformed": remark}
    return {
        "sport": sport,
        "dport": dport,
        "tcp": Tcp(seq, ack, bits & 0xFFF, window, urgent=urgent, **options),
        "payload": data[size:],
        "payload_length": max(0, segment.length - size),
        "payload_offset": segment.at + min(size, len(data)),
        **_sum(segment, found),
        **remarks,
    }


def _cut_tcp(segment: Segment) -> dict[str, Any]:
    """Of a header that isn't there: ports, and in a quote the sequence number, by which it is recognised."""
    fields = _ports(segment)
    if segment.quoted and len(segment.data) >= 8:
        fields["tcp"] = Tcp(struct.unpack_from(">I", segment.data, 4)[0], 0, 0, 0)
    return fields


def _ports(segment: Segment) -> dict[str, Any]:
    fields: dict[str, Any] = {"payload_offset": segment.at + len(segment.data)}
    if len(segment.data) >= 4:
        fields["sport"], fields["dport"] = struct.unpack_from(">HH", segment.data, 0)
    return fields


@lru_cache(maxsize=1024)
def _options(raw: bytes) -> tuple[dict[str, Any], str]:
    """TCP's options that are known (RFC 9293, section 3.2), and a remark where the list is broken."""
    found: dict[str, Any] = {}
    at = 0
    while at < len(raw) and raw[at] != 0:
        if raw[at] == 1:
            at += 1
            continue
        length = raw[at + 1] if at + 1 < len(raw) else 0
        if length < 2 or at + length > len(raw):
            return found, "its TCP options are broken"
        if not _option(found, raw[at], raw[at + 2 : at + length]):
            return found, "its TCP options are broken"
        at += length
    return found, ""


def _option(found: dict[str, Any], kind: int, value: bytes) -> bool:
    """Whether it has the length that its kind has."""
    size = {2: 2, 3: 1, 4: 0, 8: 8}.get(kind)
    if size is not None and len(value) != size:
        return False
    if kind == 2:
        (found["mss"],) = struct.unpack(">H", value)
    elif kind == 3:
        found["window_scale"] = value[0]
    elif kind == 4:
        found["sack_permitted"] = True
    elif kind == 5:
        if len(value) % 8 or not value:
            return False
        edges = struct.unpack(f">{len(value) // 4}I", value)
        found["sack"] = tuple(zip(edges[::2], edges[1::2], strict=True))
    elif kind == 8:
        found["timestamps"] = struct.unpack(">II", value)
    return True


def _udp(segment: Segment) -> dict[str, Any]:
    if len(segment.data) < 8:
        return _ports(segment) | segment.early("its UDP header", 8)
    sport, dport, said, found = struct.unpack_from(">HHHH", segment.data, 0)
    # Length 0: of a jumbogram (RFC 2675), or left to the network card.
    length = said or segment.length
    remark = ""
    if length < 8:
        remark = f"says its UDP datagram has {length} bytes"
    elif length > segment.length and not (segment.more_fragments or segment.quoted):
        remark = f"says its UDP datagram has {length} bytes, where the IP packet has room for {segment.length}"
    return {
        "sport": sport,
        "dport": dport,
        "udp_length": said,
        "payload": segment.data[8 : max(8, length)],
        "payload_length": max(0, min(length, segment.length) - 8),
        "payload_offset": segment.at + 8,
        **({"checksum": "unknown"} if remark and found else _sum(segment, found, length)),
        "malformed": remark,
    }


def _icmp(segment: Segment) -> dict[str, Any]:
    data = segment.data
    six = segment.number == 58
    if len(data) < 4:
        return {"payload": data, "payload_offset": segment.at} | segment.early("its ICMP header", 4)
    kind, code, field = struct.unpack_from(">BBH", data, 0)
    number = seq = None
    remark: dict[str, str] = {}
    if kind in _WITH_ID[segment.number]:
        if len(data) >= 8:
            number, seq = struct.unpack_from(">HH", data, 4)
        else:
            remark = segment.early("its ICMP header", 8)
    elif kind in _EXTENDED[segment.number] and len(data) >= 8:
        number, seq = struct.unpack_from(">HB", data, 4)
    head = 8 if len(data) >= 8 else 4
    fields: dict[str, Any] = {
        "icmp": Icmp(kind, code, number, seq, **(_more_6 if six else _more)(kind, code, data)),
        "payload": data[head:],
        "payload_length": max(0, segment.length - head),
        "payload_offset": segment.at + head,
        **remark,
    }
    if segment.is_whole and not segment.quoted:
        fields |= _sum(segment, field) if six else _own_sum(data, field)
    is_error = kind < 128 if six else kind in _ERRORS_4
    if is_error and len(data) > 8 and not segment.quoted:
        fields["quote"] = segment.at + 8
    return fields


def _more(kind: int, code: int, data: bytes) -> dict[str, Any]:
    if len(data) < 8:
        return {}
    if kind == _UNREACHABLE and code == 4:
        return {"mtu": struct.unpack_from(">H", data, 6)[0]}
    return {"gateway": inet_ntop(AF_INET, data[4:8])} if kind == _REDIRECT else {}


def _more_6(kind: int, code: int, data: bytes) -> dict[str, Any]:
    if kind == _TOO_BIG and len(data) >= 8:
        return {"mtu": struct.unpack_from(">I", data, 4)[0]}
    if kind in _NEIGHBOUR and len(data) >= 24:
        return {"target": inet_ntop(AF_INET6, data[8:24])}
    if kind == _REDIRECT_6 and len(data) >= 40:
        return {"gateway": inet_ntop(AF_INET6, data[8:24]), "target": inet_ntop(AF_INET6, data[24:40])}
    return {"groups": groups.mld(kind, data)} if kind in groups.MLD else {}


def _igmp(segment: Segment) -> dict[str, Any]:
    data = segment.data
    if len(data) < 8:
        fields: dict[str, Any] = {"payload": data, "payload_offset": segment.at, "payload_length": segment.length}
        return fields | segment.early("its IGMP message", 8)
    fields = {
        "igmp": groups.igmp(data, segment.length),
        "payload": data[8:],
        "payload_length": segment.length - 8,
        "payload_offset": segment.at + 8,
    }
    whole = segment.is_whole and not segment.quoted
    return fields | (_own_sum(data, struct.unpack_from(">H", data, 2)[0]) if whole else {})


def _own_sum(data: bytes, field: int) -> dict[str, Any]:
    """Of a message whose checksum is of itself alone."""
    found = checksum.of_header(data)
    return {"checksum": found} | ({"checksum_wanted": checksum.wanted(data, field)} if found == "bad" else {})


def _sum(segment: Segment, field: int, length: int | None = None) -> dict[str, Any]:
    if not segment.is_whole or segment.quoted:
        absent = segment.number == checksum.UDP and not field and not segment.quoted
        return {"checksum": ("none" if len(segment.src) == 4 else "missing") if absent else "unknown"}
    summed = segment.number, segment.src, segment.dst, segment.data[:length], field
    found: Checksum = checksum.of_segment(*summed)
    return {"checksum": found} | ({"checksum_wanted": checksum.wanted_of_segment(*summed)} if found == "bad" else {})


_DECODERS = {1: _icmp, 2: _igmp, 6: _tcp, 17: _udp, 58: _icmp}
