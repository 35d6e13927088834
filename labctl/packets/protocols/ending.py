"""Where a header ends early: by a fault of the packet, or only because the capture didn't keep all of it."""

from __future__ import annotations

from labctl.packets.model import Record


def early(what: str, need: int, end: int, record: Record) -> dict[str, str]:
    """The remark on a header, `its TCP header`, that would go on to the byte `need`; what holds it goes on to `end`, as
    its own header says."""
    if is_cut(record) and need <= end:
        return {"unread": f"{held(record)}, which end inside {what}"}
    return {"malformed": f"ends inside {what}"}


def is_cut(record: Record) -> bool:
    """The capture has a limit of bytes for a packet, and kept no more of this one."""
    return len(record.data) < record.original_length


def held(record: Record) -> str:
    return f"the capture holds {len(record.data)} of its {record.original_length} bytes"
