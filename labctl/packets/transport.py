"""TCP, UDP, ICMP and ICMPv6: the headers inside an IP packet."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import dpkt

from labctl.packets import checksum
from labctl.packets.model import Checksum, Icmp, Tcp

# The errors, which quote a packet: RFC 792; RFC 4443, section 2.1.
_ERRORS_4 = (3, 4, 5, 11, 12)
_ECHOES = {1: (0, 8), 58: (128, 129)}


@dataclass(frozen=True, slots=True)
class Segment:
    """What IP carries: the bytes that were captured of it, and how many the header says there are."""

    number: int
    data: bytes
    length: int
    src: bytes
    dst: bytes
    at: int
    more_fragments: bool
    sums: bool
    quoted: bool

    @property
    def is_whole(self) -> bool:
        return self.sums and not self.more_fragments and len(self.data) == self.length


def transport(segment: Segment) -> dict[str, Any] | None:
    """A packet's fields as its transport header has them; None: not a transport that is decoded here."""
    decoder = _DECODERS.get(segment.number)
    return decoder(segment) if decoder else None


def _tcp(segment: Segment) -> dict[str, Any]:
    data = segment.data
    try:
        head = dpkt.tcp.TCP(data)
    except dpkt.UnpackError:
        return _cut_tcp(segment)
    options, broken = _options(head.opts)
    size = 20 + len(head.opts)
    said = (data[12] >> 4) * 4
    remark = broken
    if said > size:
        # A quote is cut after 8 bytes or more (RFC 792), and that is as it should be.
        remark = "" if segment.quoted else "ends inside its TCP options"
    return {
        "sport": head.sport,
        "dport": head.dport,
        "tcp": Tcp(head.seq, head.ack, head.flags & 0xFF, head.win, urgent=head.urp, **options),
        "payload": head.data,
        "payload_length": max(0, segment.length - said),
        "payload_offset": segment.at + size,
        "checksum": _sum(segment, head.sum),
        "malformed": remark,
    }


def _cut_tcp(segment: Segment) -> dict[str, Any]:
    fields = _ports(segment)
    if len(segment.data) >= 8:
        fields["tcp"] = Tcp(struct.unpack_from(">I", segment.data, 4)[0], 0, 0, 0)
    if len(segment.data) >= 20:
        return fields | {"malformed": f"says its TCP header has {(segment.data[12] >> 4) * 4} bytes"}
    return fields | {"malformed": "" if segment.quoted else "ends inside its TCP header"}


def _ports(segment: Segment) -> dict[str, Any]:
    fields: dict[str, Any] = {"payload_offset": segment.at + len(segment.data)}
    if len(segment.data) >= 4:
        fields["sport"], fields["dport"] = struct.unpack_from(">HH", segment.data, 0)
    return fields


def _options(raw: bytes) -> tuple[dict[str, Any], str]:
    """TCP's options that are known, and a remark where the list is broken."""
    found: dict[str, Any] = {}
    if not raw:
        return found, ""
    try:
        for option in dpkt.tcp.parse_opts(raw):
            if option is None:
                return found, "its TCP options are broken"
            kind, value = option
            if kind == 0:
                break
            _option(found, kind, value)
    except struct.error:
        return found, "its TCP options are broken"
    return found, ""


def _option(found: dict[str, Any], kind: int, value: bytes) -> None:
    if kind == 2:
        (found["mss"],) = struct.unpack(">H", value)
    elif kind == 3:
        (found["window_scale"],) = struct.unpack(">B", value)
    elif kind == 4:
        found["sack_permitted"] = True
    elif kind == 5:
        edges = struct.unpack(f">{len(value) // 4}I", value)
        found["sack"] = tuple(zip(edges[::2], edges[1::2], strict=True)) if len(edges) % 2 == 0 else ()
    elif kind == 8:
        found["timestamps"] = struct.unpack(">II", value)


def _udp(segment: Segment) -> dict[str, Any]:
    try:
        head = dpkt.udp.UDP(segment.data)
    except dpkt.UnpackError:
        return _ports(segment) | {"malformed": "" if segment.quoted else "ends inside its UDP header"}
    # Length 0: of a jumbogram (RFC 2675), or left to the network card.
    length = head.ulen or segment.length
    remark = ""
    if length < 8:
        remark = f"says its UDP datagram has {length} bytes"
    elif length > segment.length and not (segment.more_fragments or segment.quoted):
        remark = f"says its UDP datagram has {length} bytes, where the IP packet has room for {segment.length}"
    payload = bytes(head.data)[: max(0, length - 8)]
    return {
        "sport": head.sport,
        "dport": head.dport,
        "udp_length": head.ulen,
        "payload": payload,
        "payload_length": max(0, min(length, segment.length) - 8),
        "payload_offset": segment.at + 8,
        "checksum": "unknown" if remark else _sum(segment, head.sum, length),
        "malformed": remark,
    }


def _icmp(segment: Segment) -> dict[str, Any]:
    data = segment.data
    six = segment.number == 58
    if len(data) < 4:
        return {"payload": data, "payload_offset": segment.at, "malformed": _short(segment)}
    # dpkt's ICMP classes decode the quoted packet in a way that hides where it was cut; here are its first 4 bytes.
    kind, code, field = struct.unpack_from(">BBH", data, 0)
    number = seq = None
    remark = ""
    if kind in _ECHOES[segment.number]:
        if len(data) >= 8:
            number, seq = struct.unpack_from(">HH", data, 4)
        else:
            remark = _short(segment)
    head = 8 if len(data) >= 8 else 4
    fields: dict[str, Any] = {
        "icmp": Icmp(kind, code, number, seq),
        "payload": data[head:],
        "payload_length": max(0, segment.length - head),
        "payload_offset": segment.at + head,
        "malformed": remark,
    }
    if segment.is_whole:
        fields["checksum"] = _sum(segment, field) if six else checksum.of_header(data)
    is_error = kind < 128 if six else kind in _ERRORS_4
    if is_error and len(data) > 8 and not segment.quoted:
        fields["quote"] = segment.at + 8
    return fields


def _short(segment: Segment) -> str:
    return "" if segment.quoted else "ends inside its ICMP header"


def _sum(segment: Segment, field: int, length: int | None = None) -> Checksum:
    if not segment.is_whole or segment.quoted:
        return "unknown"
    return checksum.of_segment(segment.number, segment.src, segment.dst, segment.data[:length], field)


_DECODERS = {1: _icmp, 6: _tcp, 17: _udp, 58: _icmp}
