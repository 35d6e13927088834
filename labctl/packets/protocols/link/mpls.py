"""MPLS: a stack of labels (RFC 3032)."""

from __future__ import annotations

import struct

from labctl.packets.model import Record
from labctl.packets.protocols.kind import Tag
from labctl.packets.protocols.link import by_version
from labctl.packets.protocols.link.walked import Walked


def _step(record: Record, found: Walked) -> None:
    """Nothing says what is inside; IP tells by its version."""
    while True:
        (entry,) = struct.unpack_from(">I", record.data, found.offset)
        is_last = entry >> 8 & 1
        found.tell("MPLS label", str(entry >> 12), 4, f"time to live {entry & 0xFF}{', the last' if is_last else ''}")
        if is_last:
            break
    found.ethertype = by_version(record.data, found.offset) if found.offset < len(record.data) else 0
    found.protocol = "mpls"


PROTOCOLS = (
    Tag(name="mpls", words="MPLS", ethertypes={0x8847: "MPLS", 0x8848: "MPLS, label of upstream"}, step=_step),
)
