"""What a link layer puts before a packet.

dpkt's classes of these decode all that is inside as well, fail on a loopback header of the other byte order and don't
know NFLOG, so the few bytes are read here.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from labctl.packets.model import Record
from labctl.packets.protocols import shims
from labctl.packets.protocols.ending import early
from labctl.packets.protocols.shims import ARP, IP4, IP6, NETWORK, Walked

NULL, ETHERNET, RAW_BSD, RAW, LOOP, SLL, IPV4, IPV6, NFLOG, SLL2 = 0, 1, 12, 101, 108, 113, 228, 229, 239, 276
PPP, PPP_SERIAL, PPP_ETHERNET, C_HDLC = 9, 50, 51, 104
__all__ = ["ARP", "IP4", "IP6"]
_FAMILIES_6 = (10, 24, 28, 30)  # AF_INET6 of Linux, NetBSD and OpenBSD, FreeBSD, macOS
_NFULA_PAYLOAD = 9
_LEAST_ETHERTYPE = 0x0600
_CISCO = (b"\x0f", b"\x8f")  # the first byte of its framing, where PPP's has 0xff (RFC 1547, section 4.3.1)
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
    PPP: "PPP",
    PPP_SERIAL: "PPP",
    PPP_ETHERNET: "PPPoE",
    C_HDLC: "Cisco HDLC",
}
# Known by name, and left alone.
OTHERS = {
    3: "AX.25",
    6: "token ring",
    7: "ARCNET",
    8: "SLIP",
    10: "FDDI",
    11: "ATM",
    105: "802.11",
    107: "frame relay",
    114: "LocalTalk",
    117: "OpenBSD pflog",
    119: "802.11 with Prism",
    122: "IP over Fibre Channel",
    123: "ATM of SunATM",
    127: "802.11 with radiotap",
    129: "ARCNET of Linux",
    138: "IP over FireWire",
    140: "MTP2",
    141: "MTP3",
    142: "SCCP",
    143: "DOCSIS",
    163: "802.11 with AVS",
    187: "Bluetooth H4",
    189: "USB of Linux",
    192: "PPI",
    195: "802.15.4",
    201: "Bluetooth H4",
    203: "LAPD",
    209: "IPMB",
    215: "802.15.4",
    220: "USB of Linux",
    224: "Fibre Channel",
    227: "CAN",
    230: "802.15.4",
    245: "NFC",
    247: "InfiniBand",
    248: "SCTP",
    249: "USBPcap",
    251: "Bluetooth LE",
    252: "Wireshark's own",
    253: "netlink",
    254: "Bluetooth of Linux",
    256: "Bluetooth LE",
    258: "RDS",
    266: "USB of macOS",
    272: "nordic Bluetooth LE",
    273: "DOCSIS",
    274: "Ethernet, with preamble",
    283: "802.15.4 TAP",
}


@dataclass(frozen=True, slots=True)
class Link:
    """Where the network layer begins and which it is (an EtherType, 0: none); `protocol` is its name where that says
    more, `malformed` and `unread` are as in Packet."""

    ethertype: int
    offset: int
    end: int
    vlans: tuple[int, ...] = ()
    malformed: str = ""
    unread: str = ""
    protocol: str = ""


def unwrapped(record: Record) -> Link:
    """The link layer of a record. Never raises."""
    data, kind = record.data, record.interface.link_type
    try:
        if kind == ETHERNET:
            (ethertype,) = struct.unpack_from(">H", data, 12)
            if ethertype in NETWORK:
                return Link(ethertype, 14, len(data))
            return _as_link(shims.walk(record, ethertype, 14))
        if kind in (RAW, RAW_BSD, IPV4, IPV6):
            return Link(_version(data, 0) or IP4, 0, len(data))  # of another version: what decodes IP says so
        if kind in (SLL, SLL2, PPP, PPP_SERIAL, PPP_ETHERNET, C_HDLC):
            return _as_link(within(record))
        if kind in (NULL, LOOP):
            return _loopback(record, record.interface.order if kind == NULL else ">")
        if kind == NFLOG:
            return _netfilter(data, record.interface.order)
    except (struct.error, IndexError):
        remark = early(f"its {NAMES[kind]} header", len(data) + 1, record.original_length, record)
        return Link(0, len(data), len(data), (), remark.get("malformed", ""), remark.get("unread", ""))
    if kind in OTHERS:
        return Link(0, 0, len(data), (), "", f"{OTHERS[kind]} (link type {kind}) isn't decoded", OTHERS[kind].lower())
    return Link(0, 0, len(data), (), "", f"link type {kind} isn't known")


def within(record: Record) -> Walked:
    """On from a link's own header. Raises struct.error, IndexError where that isn't whole."""
    data, kind = record.data, record.interface.link_type
    if kind == SLL:
        return _cooked(record, struct.unpack_from(">H", data, 14)[0], 16, struct.unpack_from(">H", data, 2)[0])
    if kind == SLL2:
        data[19]  # the header is whole
        return _cooked(record, struct.unpack_from(">H", data, 0)[0], 20, struct.unpack_from(">H", data, 8)[0])
    if is_cisco(record):
        return shims.walk(record, struct.unpack_from(">H", data, 2)[0], 4)
    if kind == PPP_ETHERNET:
        return shims.walk(record, 0x8864, 0)
    if kind in (PPP, PPP_SERIAL):
        data[3]
        return shims.walk(record, 0x880B, 0)
    return shims.walk(record, struct.unpack_from(">H", data, 12)[0], 14)


def is_cisco(record: Record) -> bool:
    """It is framed as Cisco's HDLC, which is also written under the link types of PPP."""
    kind = record.interface.link_type
    return kind == C_HDLC or (kind in (PPP, PPP_SERIAL) and record.data[:1] in _CISCO)


def is_to_one(record: Record) -> bool:
    """It is an Ethernet frame to one station: the group bit of the target is not set (IEEE 802, section 8.2)."""
    return record.interface.link_type == ETHERNET and len(record.data) >= 6 and not record.data[0] & 1


def _cooked(record: Record, protocol: int, at: int, hardware: int) -> Walked:
    """Linux's own numbers below 1,536 are no lengths: 1 is IPX without LLC, 4 LLC (packet(7), if_ether.h). Some kinds
    of hardware have something else altogether there."""
    if hardware in (824, 803, 802):
        name = {824: "netlink"}.get(hardware, "802.11")
        return Walked(0, at, len(record.data), protocol=name, unread=f"{name} isn't decoded")
    if protocol == 4:
        found = Walked(0, at, len(record.data))
        shims.llc(record, found)
        return found if found.ethertype not in shims.VLANS else shims.walk(record, found.ethertype, found.offset)
    if protocol < _LEAST_ETHERTYPE:
        name = {1: "ipx", 12: "can", 13: "can-fd"}.get(protocol, f"0x{protocol:04x}")
        return Walked(0, at, len(record.data), protocol=name)
    return shims.walk(record, protocol, at)


def _as_link(found: Walked) -> Link:
    """The walk's end, without its fields."""
    return Link(found.ethertype, found.offset, found.end, found.vlans, found.malformed, found.unread, found.protocol)


def _version(data: bytes, at: int) -> int:
    return {4: IP4, 6: IP6}.get(data[at] >> 4, 0)


def _loopback(record: Record, order: str) -> Link:
    data = record.data
    (family,) = struct.unpack_from(order + "I", data, 0)
    if family > 0xFFFF:  # written on a machine of the other byte order
        (family,) = struct.unpack(">I" if order == "<" else "<I", data[:4])
    if family == 2:
        return Link(IP4, 4, len(data))
    if family in _FAMILIES_6:
        return Link(IP6, 4, len(data))
    if family > _LEAST_ETHERTYPE:  # some write an EtherType there
        return _as_link(shims.walk(record, family, 4))
    return Link(0, 4, len(data), (), "", f"address family {family} isn't known")


def _netfilter(data: bytes, order: str) -> Link:
    """NFLOG: four bytes, then attributes whose length and type are in the byte order of the capturing machine."""
    family = data[0]
    data[3]
    for each in (order, "<" if order == ">" else ">"):
        place = _payload(data, each)
        if place is not None:
            ethertype = {2: IP4, 10: IP6}.get(family) or _version(data, place[0])
            return Link(ethertype, place[0], place[1])
    return Link(0, 4, len(data), (), "", "a netfilter log message without a packet")


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
