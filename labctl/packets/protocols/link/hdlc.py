"""Cisco's HDLC, which is also written under the link types of PPP (RFC 1547, section 4.3.1)."""

from __future__ import annotations

import struct

from labctl.packets.model import Record
from labctl.packets.protocols.kind import Link, Names
from labctl.packets.protocols.link import C_HDLC
from labctl.packets.protocols.link.walked import Walked
from labctl.packets.protocols.reader import Reader

_FIRST = (b"\x0f", b"\x8f")  # the first byte of its framing, where PPP's has 0xff


def is_framed_so(record: Record) -> bool:
    """A record under one of PPP's link types is framed as Cisco's HDLC."""
    return record.data[:1] in _FIRST


def begin(record: Record) -> Walked:
    (ethertype,) = struct.unpack_from(">H", record.data, 2)
    return Walked(ethertype, 4, len(record.data))


def fields(reader: Reader, record: Record, names: Names) -> None:
    reader.number("address", 1, text="0x{:02x}")
    reader.number("control", 1, text="0x{:02x}")
    names.type_or_length(reader)


PROTOCOLS = (Link(name="hdlc", words="Cisco HDLC", link_types={C_HDLC: "Cisco HDLC"}, begin=begin, fields=fields),)
