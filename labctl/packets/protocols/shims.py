"""What may stand between a link's header and the network layer: VLAN tags, MPLS, PPPoE and PPP, LLC and SNAP."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass, field

from labctl.packets.model import Record
from labctl.packets.protocols.ending import early

IP4, IP6, ARP, RARP = 0x0800, 0x86DD, 0x0806, 0x8035
VLANS = (0x8100, 0x88A8, 0x9100)
_MPLS, _PPPOE_DISCOVERY, _PPPOE, _PPP = (0x8847, 0x8848), 0x8863, 0x8864, 0x880B
LONGEST_802_3 = 1500  # what is no more is a length and no type (IEEE 802.3, section 3.2.6)
NETWORK = (IP4, IP6, ARP, RARP)

# By EtherType: what it is called in a list, and in full.
ETHERTYPES = {
    IP4: ("ipv4", "IPv4"),
    ARP: ("arp", "ARP"),
    IP6: ("ipv6", "IPv6"),
    RARP: ("rarp", "RARP"),
    0x8100: ("vlan", "VLAN"),
    0x88A8: ("vlan", "service VLAN"),
    0x9100: ("vlan", "VLAN, old double tag"),
    0x8847: ("mpls", "MPLS"),
    0x8848: ("mpls", "MPLS, label of upstream"),
    0x8863: ("pppoed", "PPPoE discovery"),
    0x8864: ("pppoe", "PPPoE session"),
    0x880B: ("ppp", "PPP"),
    0x0842: ("wol", "Wake-on-LAN"),
    0x22F3: ("trill", "TRILL"),
    0x6003: ("decnet", "DECnet"),
    0x6558: ("teb", "Ethernet, bridged"),
    0x809B: ("appletalk", "AppleTalk"),
    0x80F3: ("aarp", "AppleTalk ARP"),
    0x8137: ("ipx", "IPX"),
    0x8809: ("slow", "slow protocols: LACP, marker, OAM"),
    0x8808: ("pause", "Ethernet flow control"),
    0x886D: ("ans", "Intel ANS probe"),
    0x888E: ("eapol", "EAP over LAN, 802.1X"),
    0x8892: ("profinet", "PROFINET"),
    0x8899: ("rrcp", "Realtek remote control"),
    0x88A2: ("aoe", "ATA over Ethernet"),
    0x88A4: ("ethercat", "EtherCAT"),
    0x88B8: ("goose", "IEC 61850 GOOSE"),
    0x88BA: ("sv", "IEC 61850 sampled values"),
    0x88CC: ("lldp", "LLDP"),
    0x88E1: ("homeplug", "HomePlug AV"),
    0x88E5: ("macsec", "MACsec"),
    0x88F5: ("mvrp", "MVRP"),
    0x88F7: ("ptp", "PTP, precision time"),
    0x8902: ("cfm", "connectivity fault management"),
    0x8906: ("fcoe", "Fibre Channel over Ethernet"),
    0x8914: ("fip", "FCoE initialization"),
    0x8915: ("roce", "RDMA over Ethernet"),
    0x894F: ("nsh", "network service header"),
    0x9000: ("loop", "loopback, configuration test"),
}
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
# By LLC's destination: IEEE 802.2.
_SAPS = {
    0x06: ("ipv4", "IPv4"),
    0x42: ("stp", "spanning tree"),
    0xAA: ("snap", "SNAP"),
    0xE0: ("ipx", "IPX"),
    0xF0: ("netbios", "NetBIOS"),
    0xFE: ("osi", "OSI network layer"),
    0xFF: ("llc", "all"),
    0x00: ("llc", "null"),
}
_CISCO = {0x2000: "cdp", 0x2003: "vtp", 0x2004: "dtp", 0x010B: "stp", 0x0111: "udld", 0x2007: "cgmp"}
_PPPOE_CODES = {0x09: "PADI", 0x07: "PADO", 0x19: "PADR", 0x65: "PADS", 0xA7: "PADT", 0x00: "session"}


@dataclass(frozen=True, slots=True)
class Shim:
    """One field of what stands between; `offset` and `length` in bytes of the captured data."""

    name: str
    value: str
    offset: int
    length: int
    meaning: str = ""


@dataclass(slots=True)
class Walked:
    """Where the network layer begins and ends, and which it is: an EtherType (0: none is known), and a `protocol`'s
    name where that says more. The remarks are as those of Packet."""

    ethertype: int
    offset: int
    end: int
    vlans: tuple[int, ...] = ()
    protocol: str = ""
    malformed: str = ""
    unread: str = ""
    fields: list[Shim] = field(default_factory=list)

    def tell(self, name: str, value: str, length: int, meaning: str = "") -> None:
        """One more field, where the walk stands; it steps on."""
        self.fields.append(Shim(name, value, self.offset, length, meaning))
        self.offset += length


def walk(record: Record, ethertype: int, at: int) -> Walked:
    """On from what a header says is inside: an EtherType or, up to 1,500, the length of what follows. Never raises."""
    found = Walked(ethertype, at, len(record.data))
    steps = 0
    while steps < 64 and (step := _step(found.ethertype)) is not None:
        steps += 1
        kind = found.ethertype
        try:
            step(record, found)
            if found.offset > found.end:
                raise IndexError
        except (struct.error, IndexError):
            what = "its LLC header" if kind <= LONGEST_802_3 else f"its {ETHERTYPES[kind][1]} header"
            # Where a length before it ends it, it is no matter what the capture has kept.
            room = record.original_length if found.end == len(record.data) else 0
            remark = early(what, len(record.data) + 1, room, record)
            found.malformed, found.unread = remark.get("malformed", ""), remark.get("unread", "")
            found.offset = min(found.offset, found.end)
            found.protocol = "llc" if kind <= LONGEST_802_3 else ETHERTYPES[kind][0]
            found.ethertype = 0
            break
    return found


def name_of(ethertype: int) -> str:
    return ETHERTYPES[ethertype][0] if ethertype in ETHERTYPES else f"0x{ethertype:04x}"


def words_of(ethertype: int) -> str:
    return ETHERTYPES[ethertype][1] if ethertype in ETHERTYPES else ""


def _step(ethertype: int) -> Callable[[Record, Walked], None] | None:
    if ethertype in VLANS:
        return _vlan
    if ethertype in _MPLS:
        return _mpls
    if 0 < ethertype <= LONGEST_802_3:
        return _llc_of_length
    return {_PPPOE_DISCOVERY: _discovery, _PPPOE: _session, _PPP: ppp}.get(ethertype)


def _vlan(record: Record, found: Walked) -> None:
    tag, found.ethertype = struct.unpack_from(">HH", record.data, found.offset)
    found.vlans = (*found.vlans, tag & 0xFFF)
    found.tell("VLAN", str(tag & 0xFFF), 2, f"priority {tag >> 13}")
    _tell_type(found)


def _tell_type(found: Walked) -> None:
    if found.ethertype <= LONGEST_802_3:
        found.tell("length", str(found.ethertype), 2, "bytes")
    else:
        found.tell("type", f"0x{found.ethertype:04x}", 2, words_of(found.ethertype))


def _mpls(record: Record, found: Walked) -> None:
    """RFC 3032. Nothing says what is inside; IP tells by its version."""
    while True:
        (entry,) = struct.unpack_from(">I", record.data, found.offset)
        is_last = entry >> 8 & 1
        found.tell("MPLS label", str(entry >> 12), 4, f"time to live {entry & 0xFF}{', the last' if is_last else ''}")
        if is_last:
            break
    found.ethertype, found.protocol = _by_version(record, found), "mpls"


def _by_version(record: Record, found: Walked) -> int:
    first = record.data[found.offset : found.offset + 1]
    return {4: IP4, 6: IP6}.get(first[0] >> 4, 0) if first else 0


def _discovery(record: Record, found: Walked) -> None:
    _pppoe(record, found)
    found.ethertype, found.protocol = 0, "pppoed"


def _session(record: Record, found: Walked) -> None:
    _pppoe(record, found)
    ppp(record, found)


def _pppoe(record: Record, found: Walked) -> None:
    """RFC 2516, section 4."""
    code, session, length = struct.unpack_from(">xBHH", record.data, found.offset)
    found.tell("PPPoE version, type", f"{record.data[found.offset] >> 4}, {record.data[found.offset] & 15}", 1)
    found.tell("PPPoE code", f"0x{code:02x}", 1, _PPPOE_CODES.get(code, ""))
    found.tell("PPPoE session", f"0x{session:04x}", 2)
    found.tell("PPPoE length", str(length), 2, "bytes")
    found.end = min(found.end, found.offset + length)


def ppp(record: Record, found: Walked) -> None:
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
    found.ethertype = {0x0021: IP4, 0x0057: IP6, 0x0281: _MPLS[0]}.get(number, 0)
    found.protocol = "" if found.ethertype else name


def _llc_of_length(record: Record, found: Walked) -> None:
    length = found.ethertype
    if found.offset + length > record.original_length:
        found.malformed = (
            f"says that {length} bytes follow, where the frame has {record.original_length - found.offset}"
        )
    found.end = min(found.end, found.offset + length)
    llc(record, found)


def llc(record: Record, found: Walked) -> None:
    """IEEE 802.2, and SNAP (RFC 1042); or IPX without either, which begins with a checksum of ones."""
    data = record.data
    target, source = struct.unpack_from(">BB", data, found.offset)
    if (target, source) == (0xFF, 0xFF):
        found.ethertype, found.protocol = 0, "ipx"
        return
    size = 1 if data[found.offset + 2] & 3 == 3 else 2
    name, words = _SAPS.get(target & 0xFE if target != 0xFF else target, ("llc", ""))
    control = data[found.offset + 2 : found.offset + 2 + size]
    found.tell("LLC target", f"0x{target:02x}", 1, words)
    found.tell("LLC source", f"0x{source:02x}", 1)
    found.tell("LLC control", f"0x{control.hex()}", size)
    found.ethertype, found.protocol = 0, name
    if (target, source, control) == (0xAA, 0xAA, b"\x03"):
        organisation, kind = data[found.offset : found.offset + 3], data[found.offset + 3 : found.offset + 5]
        number = struct.unpack(">H", kind)[0]
        found.tell("SNAP organisation", organisation.hex(":"), 3)
        found.tell("SNAP type", f"0x{number:04x}", 2, words_of(number) if organisation == bytes(3) else "")
        if organisation == bytes(3) and number > LONGEST_802_3:
            found.ethertype, found.protocol = number, ""
        elif organisation == b"\x00\x00\x0c":
            found.protocol = _CISCO.get(number, "snap")
    elif name == "ipv4" and size == 1:
        found.ethertype, found.protocol = IP4, ""
