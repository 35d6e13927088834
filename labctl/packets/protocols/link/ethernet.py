"""Ethernet (IEEE 802.3)."""

from __future__ import annotations

from labctl.packets.model import Record
from labctl.packets.protocols.kind import Link, Names
from labctl.packets.protocols.link import ETHERNET
from labctl.packets.protocols.link.walked import Walked
from labctl.packets.protocols.reader import Reader


def _begin(record: Record) -> Walked:
    data = record.data
    return Walked(data[12] << 8 | data[13], 14, len(data))


def _fields(reader: Reader, record: Record, names: Names) -> None:
    reader.mac("target")
    reader.mac("source")
    names.type_or_length(reader)


PROTOCOLS = (Link(name="ethernet", words="Ethernet", link_types={ETHERNET: "Ethernet"}, begin=_begin, fields=_fields),)
