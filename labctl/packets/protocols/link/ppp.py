"""PPP (RFC 1661), as a link of its own, inside PPPoE, or framed as Cisco's HDLC."""

from __future__ import annotations

from labctl.packets.model import Record
from labctl.packets.protocols.kind import Link, Names, Tag
from labctl.packets.protocols.link import IP4, IP6, MPLS, PPP, PPP_SERIAL, PPP_TYPE, hdlc
from labctl.packets.protocols.link.walked import Walked
from labctl.packets.protocols.reader import Reader

_PPP_PROTOCOLS = {
    0x0021: ("ipv4", "IPv4"),
    0x0057: ("ipv6", "IPv6"),
    0x002D: ("ppp-vj", "compressed TCP"),
    0x002F: ("ppp-vj", "uncompressed TCP"),
    0x003D: ("ppp-mp", "multilink"),
    0x00FD: ("ppp-comp", "compressed datagram"),
    0x0281: ("mpls", "MPLS"),
    0x8021: ("ppp-ipcp", "IP control"),
    0x8057: ("ppp-ipv6cp", "IPv6 control"),
    0x80FD: ("ppp-ccp", "compression control"),
    0xC021: ("ppp-lcp", "link control"),
    0xC023: ("ppp-pap", "password authentication"),
    0xC025: ("ppp-lqr", "link quality report"),
    0xC223: ("ppp-chap", "challenge handshake"),
    0xC227: ("ppp-eap", "EAP"),
}


def step(record: Record, found: Walked) -> None:
    """RFC 1661, section 2: a protocol in two bytes, or in one that is odd; framing like HDLC's may stand before it."""
    data = record.data
    if data[found.offset : found.offset + 2] == b"\xff\x03":
        found.tell("PPP address, control", "ff 03", 2)
    size = 1 if data[found.offset] & 1 else 2
    number = int.from_bytes(data[found.offset : found.offset + size], "big")
    if len(data) < found.offset + size:
        raise IndexError
    name, words = _PPP_PROTOCOLS.get(number, (f"ppp-0x{number:04x}", ""))
    found.tell("PPP protocol", f"0x{number:04x}", size, words)
    found.ethertype = {0x0021: IP4, 0x0057: IP6, 0x0281: MPLS[0]}.get(number, 0)
    found.protocol = "" if found.ethertype else name


def _begin(record: Record) -> Walked:
    if hdlc.is_framed_so(record):
        return hdlc.begin(record)
    record.data[3]  # the header is whole
    return Walked(PPP_TYPE, 0, len(record.data))


def _fields(reader: Reader, record: Record, names: Names) -> None:
    if hdlc.is_framed_so(record):
        hdlc.fields(reader, record, names)


PROTOCOLS = (
    Link(name="ppp", words="PPP", link_types={PPP: "PPP", PPP_SERIAL: "PPP"}, begin=_begin, fields=_fields),
    Tag(name="ppp", words="PPP", ethertypes={PPP_TYPE: "PPP"}, step=step),
)
