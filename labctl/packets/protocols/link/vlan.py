"""VLAN tags (IEEE 802.1Q)."""

from __future__ import annotations

import struct

from labctl.packets.model import Record
from labctl.packets.protocols.kind import Tag
from labctl.packets.protocols.link import LONGEST_802_3
from labctl.packets.protocols.link.walked import Walked


def _step(record: Record, found: Walked) -> None:
    tag, found.ethertype = struct.unpack_from(">HH", record.data, found.offset)
    found.vlans = (*found.vlans, tag & 0xFFF)
    found.tell("VLAN", str(tag & 0xFFF), 2, f"priority {tag >> 13}")
    if found.ethertype <= LONGEST_802_3:
        found.tell("length", str(found.ethertype), 2, "bytes")
    else:
        found.tell("type", f"0x{found.ethertype:04x}", 2, ethertype=found.ethertype)


PROTOCOLS = (
    Tag(
        name="vlan",
        words="VLAN",
        ethertypes={0x8100: "VLAN", 0x88A8: "service VLAN", 0x9100: "VLAN, old double tag"},
        step=_step,
    ),
)
