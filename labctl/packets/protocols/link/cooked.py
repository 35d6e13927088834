"""Linux's cooked captures, of an interface that is none or all of them (SLL and SLL2)."""

from __future__ import annotations

import struct

from labctl.packets.model import Record
from labctl.packets.protocols.kind import Link, Names
from labctl.packets.protocols.link import LEAST_ETHERTYPE, SLL, SLL2
from labctl.packets.protocols.link.llc import header
from labctl.packets.protocols.link.walked import Walked
from labctl.packets.protocols.network.arp import HARDWARE
from labctl.packets.protocols.reader import Reader

_SORTS = ("to us", "broadcast", "multicast", "to others", "from us")
_OTHER_HARDWARE = {824: "netlink", 803: "802.11", 802: "802.11"}


def _begin(record: Record) -> Walked:
    data = record.data
    hardware, protocol = struct.unpack_from(">2xH10xH", data, 0)
    return _inside(record, protocol, 16, hardware)


def _begin_2(record: Record) -> Walked:
    data = record.data
    protocol, hardware = struct.unpack_from(">H6xH10x", data, 0)
    return _inside(record, protocol, 20, hardware)


def _inside(record: Record, protocol: int, at: int, hardware: int) -> Walked:
    """Linux's own numbers below 1,536 are no lengths: 1 is IPX without LLC, 4 LLC (packet(7), if_ether.h). Some kinds
    of hardware have something else altogether there."""
    if name := _OTHER_HARDWARE.get(hardware):
        return Walked(0, at, len(record.data), protocol=name, unread=f"{name} isn't decoded")
    if protocol == 4:
        found = Walked(0, at, len(record.data))
        header(record, found)
        return found
    if protocol < LEAST_ETHERTYPE:
        name = {1: "ipx", 12: "can", 13: "can-fd"}.get(protocol, f"0x{protocol:04x}")
        return Walked(0, at, len(record.data), protocol=name)
    return Walked(protocol, at, len(record.data))


def _fields(reader: Reader, record: Record, names: Names) -> None:
    data = record.data
    sort = int.from_bytes(data[0:2], "big")
    reader.number("packet type", 2, _SORTS[sort] if sort < len(_SORTS) else "")
    reader.number("hardware", 2, HARDWARE.get(int.from_bytes(data[2:4], "big"), ""))
    size = int.from_bytes(data[4:6], "big")
    reader.number("address length", 2)
    reader.text("source", 8, data[6 : 6 + min(size, 8)].hex(":"))
    names.type_alone(reader)


def _fields_2(reader: Reader, record: Record, names: Names) -> None:
    data = record.data
    names.type_alone(reader)
    reader.number("reserved", 2)
    reader.number("interface", 4)
    reader.number("hardware", 2)
    reader.number("packet type", 1)
    size = data[11] if len(data) > 11 else 0
    reader.number("address length", 1)
    reader.text("source", 8, data[12 : 12 + min(size, 8)].hex(":"))


PROTOCOLS = (
    Link(name="sll", words="Linux cooked", link_types={SLL: "Linux cooked"}, begin=_begin, fields=_fields),
    Link(name="sll2", words="Linux cooked v2", link_types={SLL2: "Linux cooked v2"}, begin=_begin_2, fields=_fields_2),
)
