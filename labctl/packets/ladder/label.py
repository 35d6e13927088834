"""What stands on an arrow, in parts, and what is to be remarked of it."""

from __future__ import annotations

from dataclasses import dataclass

from labctl.faults.kinds.kind import Finding
from labctl.packets.crossings import Crossing, Verdict
from labctl.packets.model import Packet
from labctl.packets.protocols import table
from labctl.packets.protocols.application.text import beginning
from labctl.packets.protocols.kind import Label
from labctl.packets.protocols.words import end
from labctl.packets.tcp.segment import Segment, milliseconds

_TABLE = table()


@dataclass(frozen=True, slots=True)
class Mark:
    """A remark on an arrow: a word that stands for its kind, and what there is to add."""

    word: str
    detail: str = ""

    def __str__(self) -> str:
        if not self.detail:
            return self.word
        return f"{self.word}{' ' if self.detail.startswith(('by ', '#', 'after ', 'of ')) else ': '}{self.detail}"


def label(packet: Packet, segment: Segment | None) -> Label:
    """The label of a packet; a TCP segment's with numbers relative to its conversation, where that is known."""
    if packet.fragment_offset:
        parts = (f"offset {packet.fragment_offset}", f"len {packet.payload_length}", f"id {packet.ip_id}")
        return Label(f"{packet.protocol.upper()} fragment", parts, phase="data")
    row = _TABLE.named.get(packet.protocol)
    found = row.label(packet, segment) if row is not None and row.label is not None else None
    return found or _by_length(packet)


def _by_length(packet: Packet) -> Label:
    """Of a packet of which there is no more to say than its protocol and its length, and what is inside."""
    pieces = [f"len {packet.payload_length}"]
    if packet.more_fragments:
        pieces += ["first fragment", f"id {packet.ip_id}"]
    for row in _TABLE.inside(packet):
        if row.label is not None and (said := row.label(packet)) is not None:
            head, part = said
            return Label(head, (*pieces, part), phase="data")
    return Label(packet.protocol.upper(), tuple(pieces), beginning(packet), "data")


def marks(crossing: Crossing, segment: Segment | None, copy: Packet | None = None) -> tuple[Mark, ...]:
    """All remarks on a crossing, or on the arrow of one of its copies."""
    packet, faults = crossing.packet, crossing.faults
    out: list[Mark] = []
    if copy is not None:
        out.append(Mark("duplicate", f"{_by(faults, 'duplicated')}, {_after(crossing, copy)}".lstrip(", ")))
    if crossing.fate == "lost":
        causes = [f"{one.kind.done} by {one.rule}" for one in faults if _is_cause(one)]
        out.append(Mark("lost", ", ".join(causes)))
    elif crossing.fate == "unknown":
        out.append(Mark("not captured", crossing.why))
    elif crossing.fate == "elsewhere":
        by = f"sent by {faults[0].rule}" if faults else "none of the captured nodes sent it"
        out.append(Mark("from elsewhere", by))
    if copy is None:
        out += _disturbed(crossing, faults)
        out += [Mark(note.word, note.detail) for note in (segment.notes if segment else ())]
    if crossing.rewritten is not None:
        new = crossing.rewritten
        out.append(Mark("rewritten", f"arrives as {end(*new.new_source)} > {end(*new.new_target)}"))
    if packet.malformed:
        out.append(Mark("malformed", packet.malformed))
    if packet.unread:
        out.append(Mark("unread", packet.unread))
    return tuple(out)


def _disturbed(crossing: Crossing, faults: tuple[Verdict, ...]) -> list[Mark]:
    out = []
    if crossing.delayed:
        over = milliseconds(crossing.late_ns or 0)
        out.append(Mark("delayed", f"{_by(faults, 'delayed')}, {over} over the usual".lstrip(", ")))
    if crossing.reordered:
        cause = _by(faults, "reordered")
        out.append(Mark("out of order", f"{cause}, arrived after what was sent later".lstrip(", ")))
    if crossing.corrupted:
        out.append(Mark("corrupted", _by(faults, "corrupted") or "it arrived with other bytes"))
    # What the wire shows by itself is said above, and why a packet is lost with its loss.
    if not faults:
        return out
    untold = [one for one in faults if not (_is_cause(one) if crossing.fate == "lost" else _is_seen(one, crossing))]
    out += [Mark(one.kind.done, f"by {one.rule}") for one in untold]
    return out


def _is_cause(verdict: Verdict) -> bool:
    """Whether a lost packet is lost by it."""
    return verdict.kind.arrives in ("never", "replaced")


def _is_seen(verdict: Verdict, crossing: Crossing) -> bool:
    return verdict.kind.seen_as is not None and bool(getattr(crossing, verdict.kind.seen_as))


def _by(faults: tuple[Verdict, ...], finding: Finding) -> str:
    rules = dict.fromkeys(one.rule for one in faults if one.kind.seen_as == finding)
    return f"by {', '.join(rules)}" if rules else ""


def _after(crossing: Crossing, copy: Packet) -> str:
    assert crossing.arrived is not None
    return f"{milliseconds(copy.ts_ns - crossing.arrived.ts_ns)} after the first"
