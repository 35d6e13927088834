"""PPP over Ethernet (RFC 2516, section 4)."""

from __future__ import annotations

import struct

from labctl.packets.model import Record
from labctl.packets.protocols.kind import Link, Names, Tag
from labctl.packets.protocols.link import PPP_ETHERNET, PPPOE_DISCOVERY, PPPOE_SESSION, ppp
from labctl.packets.protocols.link.walked import Walked
from labctl.packets.protocols.reader import Reader

_CODES = {0x09: "PADI", 0x07: "PADO", 0x19: "PADR", 0x65: "PADS", 0xA7: "PADT", 0x00: "session"}


def _begin(record: Record) -> Walked:
    return Walked(PPPOE_SESSION, 0, len(record.data))


def _discovery(record: Record, found: Walked) -> None:
    _header(record, found)
    found.ethertype, found.protocol = 0, "pppoed"


def _session(record: Record, found: Walked) -> None:
    _header(record, found)
    ppp.step(record, found)


def _header(record: Record, found: Walked) -> None:
    code, session, length = struct.unpack_from(">xBHH", record.data, found.offset)
    found.tell("PPPoE version, type", f"{record.data[found.offset] >> 4}, {record.data[found.offset] & 15}", 1)
    found.tell("PPPoE code", f"0x{code:02x}", 1, _CODES.get(code, ""))
    found.tell("PPPoE session", f"0x{session:04x}", 2)
    found.tell("PPPoE length", str(length), 2, "bytes")
    found.end = min(found.end, found.offset + length)


def _fields(reader: Reader, record: Record, names: Names) -> None:
    """There are none before PPPoE's own."""


PROTOCOLS = (
    Link(name="pppoe", words="PPPoE", link_types={PPP_ETHERNET: "PPPoE"}, begin=_begin, fields=_fields),
    Tag(name="pppoed", words="PPPoE", ethertypes={PPPOE_DISCOVERY: "PPPoE discovery"}, step=_discovery),
    Tag(name="pppoe", words="PPPoE", ethertypes={PPPOE_SESSION: "PPPoE session"}, step=_session),
)
