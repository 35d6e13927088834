"""What a link layer puts before a packet.

dpkt's classes of these decode all that is inside as well, fail on a loopback header of the other byte order and don't
know NFLOG, so the few bytes are read here.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from labctl.packets.model import Record

NULL, ETHERNET, RAW_BSD, RAW, LOOP, SLL, IPV4, IPV6, NFLOG, SLL2 = 0, 1, 12, 101, 108, 113, 228, 229, 239, 276
IP4, IP6, ARP = 0x0800, 0x86DD, 0x0806
_VLANS = (0x8100, 0x88A8, 0x9100)
_FAMILIES_6 = (10, 24, 28, 30)  # AF_INET6 of Linux, NetBSD and OpenBSD, FreeBSD, macOS
_NFULA_PAYLOAD = 9
NAMES = {
    NULL: "BSD loopback",
    ETHERNET: "Ethernet",
    RAW_BSD: "raw IP",
    RAW: "raw IP",
    LOOP: "OpenBSD loopback",
    SLL: "Linux cooked",
    IPV4: "raw IPv4",
    IPV6: "raw IPv6",
    NFLOG: "Linux netfilter log",
    SLL2: "Linux cooked v2",
}


@dataclass(frozen=True, slots=True)
class Link:
    """Where the network layer begins and which it is (an EtherType); `remark` where that can't be said."""

    ethertype: int
    offset: int
    end: int
    vlans: tuple[int, ...] = ()
    remark: str = ""


def unwrapped(record: Record) -> Link:
    """The link layer of a record. Never raises."""
    data, kind = record.data, record.interface.link_type
    try:
        if kind == ETHERNET:
            return _tagged(data, struct.unpack_from(">H", data, 12)[0], 14)
        if kind in (RAW, RAW_BSD, IPV4, IPV6):
            return Link(_version(data, 0) or IP4, 0, len(data))  # of another version: what decodes IP says so
        if kind == SLL:
            return _tagged(data, struct.unpack_from(">H", data, 14)[0], 16)
        if kind == SLL2:
            found = struct.unpack_from(">H", data, 0)[0]
            data[19]  # the header is whole
            return _tagged(data, found, 20)
        if kind in (NULL, LOOP):
            return _loopback(data, record.interface.order if kind == NULL else ">")
        if kind == NFLOG:
            return _netfilter(data, record.interface.order)
    except (struct.error, IndexError):
        return Link(0, len(data), len(data), (), f"ends inside its {NAMES[kind]} header")
    return Link(0, 0, len(data), (), f"link type {kind} isn't known")


def is_to_one(record: Record) -> bool:
    """It is an Ethernet frame to one station: the group bit of the target is not set (IEEE 802, section 8.2)."""
    return record.interface.link_type == ETHERNET and len(record.data) >= 6 and not record.data[0] & 1


def _version(data: bytes, at: int) -> int:
    return {4: IP4, 6: IP6}.get(data[at] >> 4, 0)


def _tagged(data: bytes, ethertype: int, at: int) -> Link:
    vlans: list[int] = []
    while ethertype in _VLANS:
        tag, ethertype = struct.unpack_from(">HH", data, at)
        vlans.append(tag & 0xFFF)
        at += 4
    return Link(ethertype, at, len(data), tuple(vlans))


def _loopback(data: bytes, order: str) -> Link:
    (family,) = struct.unpack_from(order + "I", data, 0)
    if family > 0xFFFF:  # written on a machine of the other byte order
        (family,) = struct.unpack(">I" if order == "<" else "<I", data[:4])
    if family == 2:
        return Link(IP4, 4, len(data))
    if family in _FAMILIES_6:
        return Link(IP6, 4, len(data))
    return Link(0, 4, len(data), (), f"address family {family} isn't known")


def _netfilter(data: bytes, order: str) -> Link:
    """NFLOG: four bytes, then attributes whose length and type are in the byte order of the capturing machine."""
    family = data[0]
    data[3]
    for each in (order, "<" if order == ">" else ">"):
        place = _payload(data, each)
        if place is not None:
            ethertype = {2: IP4, 10: IP6}.get(family) or _version(data, place[0])
            return Link(ethertype, place[0], place[1])
    return Link(0, 4, len(data), (), "a netfilter log message without a packet")


def _payload(data: bytes, order: str) -> tuple[int, int] | None:
    at = 4
    while at + 4 <= len(data):
        length, kind = struct.unpack_from(order + "HH", data, at)
        if length < 4:
            return None
        if kind & 0x7FFF == _NFULA_PAYLOAD:
            return at + 4, min(at + length, len(data))
        at += length + -length % 4
    return None
