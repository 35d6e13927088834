"""The loopback interfaces of BSD and macOS: the address family in four bytes."""

from __future__ import annotations

import struct

from labctl.packets.model import Record
from labctl.packets.protocols.kind import Link
from labctl.packets.protocols.link import IP4, IP6, LEAST_ETHERTYPE, LOOP, NULL
from labctl.packets.protocols.link.walked import Walked

_FAMILIES_6 = (10, 24, 28, 30)  # AF_INET6 of Linux, NetBSD and OpenBSD, FreeBSD, macOS


def _begin(record: Record) -> Walked:
    data, order = record.data, record.interface.order if record.interface.link_type == NULL else ">"
    (family,) = struct.unpack_from(order + "I", data, 0)
    if family > 0xFFFF:  # written on a machine of the other byte order
        (family,) = struct.unpack(">I" if order == "<" else "<I", data[:4])
    if family == 2:
        return Walked(IP4, 4, len(data))
    if family in _FAMILIES_6:
        return Walked(IP6, 4, len(data))
    # Some write an EtherType there, in network order behind two bytes of their own, or as the others write a family.
    for kind in (int.from_bytes(data[2:4], "big"), family):
        if LEAST_ETHERTYPE < kind <= 0xFFFF:
            return Walked(kind, 4, len(data))
    return Walked(0, 4, len(data), unread=f"address family {family} isn't known")


PROTOCOLS = (
    Link(name="loopback", words="loopback", link_types={NULL: "BSD loopback", LOOP: "OpenBSD loopback"}, begin=_begin),
)
