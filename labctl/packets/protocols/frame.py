"""From the beginning of a record to its network layer."""

from __future__ import annotations

import struct

from labctl.packets.model import Record
from labctl.packets.protocols import numbers, table
from labctl.packets.protocols.ending import early
from labctl.packets.protocols.kind import Tag
from labctl.packets.protocols.link.walked import Walked

_TABLE = table()
_MOST_TAGS = 64


def unwrapped(record: Record) -> Walked:
    """The link layer of a record, with all that stands between it and the network layer. Never raises."""
    number = record.interface.link_type
    row = _TABLE.links.get(number)
    if row is None:
        name = numbers.LINK_TYPES.get(number)
        remark = f"{name} (link type {number}) isn't decoded" if name else f"link type {number} isn't known"
        return Walked(0, 0, len(record.data), protocol=name.lower() if name else "", unread=remark)
    try:
        found = row.begin(record)
    except (struct.error, IndexError):
        size = len(record.data)
        remarks = early(f"its {row.link_types[number]} header", size + 1, record.original_length, record)
        return Walked(0, size, size, malformed=remarks.get("malformed", ""), unread=remarks.get("unread", ""))
    steps = 0
    while steps < _MOST_TAGS and (tag := _TABLE.tag(found.ethertype)) is not None:
        steps += 1
        if not _stepped(tag, record, found):
            break
    return found


def _stepped(tag: Tag, record: Record, found: Walked) -> bool:
    """Whether the walk went on over one tag; if not, it is said why."""
    kind = found.ethertype
    try:
        tag.step(record, found)
        if found.offset > found.end:
            raise IndexError
    except (struct.error, IndexError):
        # Where a length before it ends it, it is no matter what the capture has kept.
        room = record.original_length if found.end == len(record.data) else 0
        remarks = early(f"its {tag.ethertypes.get(kind, tag.words)} header", len(record.data) + 1, room, record)
        found.malformed, found.unread = remarks.get("malformed", ""), remarks.get("unread", "")
        found.offset = min(found.offset, found.end)
        found.protocol, found.ethertype = tag.name, 0
        return False
    return True
