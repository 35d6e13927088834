"""Who listens to which multicast group: IGMP (RFC 1112, 2236, 3376), and MLD in ICMPv6 (RFC 2710, 3810)."""

from __future__ import annotations

import struct
from socket import AF_INET, AF_INET6, inet_ntop

from labctl.packets.model import Igmp

QUERY, REPORT_1, REPORT_2, LEAVE, REPORT_3 = 0x11, 0x12, 0x16, 0x17, 0x22
NAMES = {
    QUERY: "membership query",
    REPORT_1: "membership report",
    0x13: "DVMRP",
    0x14: "PIM, version 1",
    0x15: "Cisco trace",
    REPORT_2: "membership report v2",
    LEAVE: "leave group",
    0x1E: "multicast traceroute response",
    0x1F: "multicast traceroute",
    REPORT_3: "membership report v3",
    0x30: "multicast router advertisement",
    0x31: "multicast router solicitation",
    0x32: "multicast router termination",
}
_WITH_GROUP = (QUERY, REPORT_1, REPORT_2, LEAVE)
_MLD_QUERY, _MLD_REPORT, _MLD_DONE, MLD_REPORT_2 = 130, 131, 132, 143
MLD = (_MLD_QUERY, _MLD_REPORT, _MLD_DONE, MLD_REPORT_2)


def igmp(data: bytes, length: int) -> Igmp:
    """A message of which at least the first byte is there; `length` is that of all of it."""
    kind = data[0]
    if kind == REPORT_3:
        return Igmp(kind, 3, _records(data, 4))
    # RFC 3376, section 7.1: queries of the three versions are told apart by their length and second byte.
    version = {REPORT_1: 1, QUERY: 3 if length >= 12 else 2 if data[1:2] != b"\0" else 1}.get(kind, 2)
    groups = (inet_ntop(AF_INET, data[4:8]),) if kind in _WITH_GROUP and len(data) >= 8 else ()
    return Igmp(kind, version, groups)


def mld(kind: int, data: bytes) -> tuple[str, ...]:
    """The groups in an ICMPv6 message of such a kind."""
    if kind == MLD_REPORT_2:
        return _records(data, 16)
    return (inet_ntop(AF_INET6, data[8:24]),) if len(data) >= 24 else ()


def _records(data: bytes, size: int) -> tuple[str, ...]:
    """The groups of a report's records, as far as they are there (RFC 3376, section 4.2; RFC 3810, section 5.2)."""
    if len(data) < 8:
        return ()
    (count,) = struct.unpack_from(">H", data, 6)
    at = 8
    out: list[str] = []
    while len(out) < count and at + 4 + size <= len(data):
        extra, sources = struct.unpack_from(">xBH", data, at)
        out.append(inet_ntop(AF_INET if size == 4 else AF_INET6, data[at + 4 : at + 4 + size]))
        at += 4 + size + sources * size + extra * 4
    return tuple(out)
