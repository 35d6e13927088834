"""The Internet checksum (RFC 1071): sixteen-bit words added with the carry brought round."""

from __future__ import annotations

import struct

from labctl.packets.model import Checksum

TCP, UDP = 6, 17


def remainder(data: bytes) -> int:
    """The sum of the words modulo 65,535, which is what adding with the carry brought round gives."""
    if len(data) % 2:
        data += b"\0"
    return int.from_bytes(data, "big") % 0xFFFF


def of_header(header: bytes) -> Checksum:
    """Whether an ICMP or IGMP message with its checksum adds up to nothing, as it must."""
    return "ok" if remainder(header) == 0 else "bad"


def of_ip_header(header: bytes) -> Checksum:
    """The same of an IPv4 header, whose checksum may be left for the network card to fill in."""
    return "ok" if remainder(header) == 0 else "partial" if header[10:12] == b"\0\0" else "bad"


def wanted(summed: bytes, field: int) -> int:
    """What would be right in the place of `field`, which is among what is summed."""
    return (field - remainder(summed)) % 0xFFFF


def pseudo_header(protocol: int, src: bytes, dst: bytes, length: int) -> bytes:
    """What is summed besides the segment (RFC 9293, section 3.1; RFC 8200, section 8.1); addresses as bytes."""
    if len(src) == 4:
        return src + dst + struct.pack(">BBH", 0, protocol, length)
    return src + dst + struct.pack(">IHBB", length, 0, 0, protocol)


def of_segment(protocol: int, src: bytes, dst: bytes, segment: bytes, field: int) -> Checksum:
    """The state of a TCP, UDP or ICMPv6 checksum; `field` is the checksum as it stands in the whole `segment`."""
    if protocol == UDP and field == 0:
        return "none" if len(src) == 4 else "missing"
    if len(src) == 4 and len(segment) > 0xFFFF:  # merged by the kernel or its card: there is no such length to sum
        return "unknown"
    pseudo = remainder(pseudo_header(protocol, src, dst, len(segment)))
    if (pseudo + remainder(segment)) % 0xFFFF == 0:
        return "ok"
    # Where the card is to cut a segment up, the length isn't summed: it is another one for each piece.
    left = {pseudo, (pseudo - len(segment)) % 0xFFFF}
    return "partial" if field % 0xFFFF in left or (protocol == TCP and field == 0) else "bad"


def wanted_of_segment(protocol: int, src: bytes, dst: bytes, segment: bytes, field: int) -> int:
    """What would be right in the place of a segment's checksum."""
    found = wanted(pseudo_header(protocol, src, dst, len(segment)) + segment, field)
    return 0xFFFF if protocol == UDP and not found else found
