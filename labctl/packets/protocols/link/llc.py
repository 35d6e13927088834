"""LLC and SNAP (IEEE 802.2; RFC 1042): what follows a length in place of a type."""

from __future__ import annotations

import struct

from labctl.packets.model import Record
from labctl.packets.protocols.kind import Tag
from labctl.packets.protocols.link import IP4, LONGEST_802_3
from labctl.packets.protocols.link.walked import Walked

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


def _step(record: Record, found: Walked) -> None:
    """What a length says, up to which its LLC header and what that is of go."""
    length = found.ethertype
    if found.offset + length > record.original_length:
        found.malformed = (
            f"says that {length} bytes follow, where the frame has {record.original_length - found.offset}"
        )
    found.end = min(found.end, found.offset + length)
    header(record, found)


def header(record: Record, found: Walked) -> None:
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
        found.tell("SNAP type", f"0x{number:04x}", 2, ethertype=number if organisation == bytes(3) else 0)
        if organisation == bytes(3) and number > LONGEST_802_3:
            found.ethertype, found.protocol = number, ""
        elif organisation == b"\x00\x00\x0c":
            found.protocol = _CISCO.get(number, "snap")
    elif name == "ipv4" and size == 1:
        found.ethertype, found.protocol = IP4, ""


PROTOCOLS = (Tag(name="llc", words="LLC", ethertypes={}, lengths=True, step=_step),)
