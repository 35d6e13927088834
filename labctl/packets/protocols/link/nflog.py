"""NFLOG: four bytes, then attributes whose length and type are in the byte order of the capturing machine."""

from __future__ import annotations

import struct

from labctl.packets.model import Record
from labctl.packets.protocols.kind import Link
from labctl.packets.protocols.link import IP4, IP6, NFLOG, by_version
from labctl.packets.protocols.link.walked import Walked

_PAYLOAD = 9  # NFULA_PAYLOAD


def _begin(record: Record) -> Walked:
    data, order = record.data, record.interface.order
    family = data[0]
    data[3]  # the header is whole
    for each in (order, "<" if order == ">" else ">"):
        place = _payload(data, each)
        if place is not None:
            ethertype = {2: IP4, 10: IP6}.get(family) or by_version(data, place[0])
            return Walked(ethertype, place[0], place[1])
    return Walked(0, 4, len(data), unread="a netfilter log message without a packet")


def _payload(data: bytes, order: str) -> tuple[int, int] | None:
    at = 4
    while at + 4 <= len(data):
        length, kind = struct.unpack_from(order + "HH", data, at)
        if length < 4:
            return None
        if kind & 0x7FFF == _PAYLOAD:
            return at + 4, min(at + length, len(data))
        at += length + -length % 4
    return None


PROTOCOLS = (Link(name="nflog", words="Linux netfilter log", link_types={NFLOG: "Linux netfilter log"}, begin=_begin),)
