"""Where a pattern and the wire part, for people."""

from __future__ import annotations

from collections.abc import Sequence

from labctl.packets.pattern.compare import Difference, differences
from labctl.packets.pattern.match import Found
from labctl.packets.pattern.model import Line, Pattern
from labctl.packets.pattern.seen import Seen
from labctl.packets.pattern.write import line_of

_BEFORE, _AFTER = 6, 6  # packets that are shown before the first that doesn't fit, and from it on


def explained(pattern: Pattern, found: Found) -> str:
    """A sentence, and both side by side from there: `-` is wanted, `+` is what the wire shows."""
    rows = [f"  {line_of(pair.packet)}" for pair in found.pairs]
    if len(rows) > _BEFORE:
        rows = [f"  ... {len(rows) - _BEFORE} packets that fit", *rows[-_BEFORE:]]
    texts = pattern.text.splitlines()
    rows += [f"- {texts[line.row - 1].strip()}" for line in found.open]
    rows += [f"+ {line_of(one)}" for one in found.left[:_AFTER]]
    if len(found.left) > _AFTER:
        rows.append(f"+ ... and {len(found.left) - _AFTER} more")
    return "\n".join([why(found), *rows])


def why(found: Found) -> str:
    """The sentence alone: the first line that can't fit, and how the nearest packet differs from it."""
    if not found.open:
        rest = len(found.left)
        more = "one packet more" if rest == 1 else f"{rest} packets more"
        return f"the pattern ends, and the wire shows {more}"
    rows = [str(line.row) for line in found.open]
    lines = f"line {rows[0]} fits" if len(rows) == 1 else f"lines {', '.join(rows)}: one of them fits"
    if not found.left:
        return f"{lines} nothing: no packet came any more"
    near = _nearest(found)
    if near is None:
        return f"{lines} none of the packets that came"
    _, seen, found_differences = near
    if not found_differences:
        last = max((pair.packet.at_ns for pair in found.pairs if pair.line is not None), default=seen.at_ns)
        late = (seen.at_ns - last) / 1e6
        return f"{lines} no packet in time: it came {late:.1f} ms after the one before, {line_of(seen)}"
    return f"{lines} no packet: the nearest {_told(found_differences[:3])}"


def _told(parts: Sequence[Difference]) -> str:
    """What it has, is and says instead; each verb once for what comes together."""
    out, verb = [], ""
    for part in parts:
        text, verb = part.told(verb)
        out.append(text)
    return ", ".join(out)


def _nearest(found: Found) -> tuple[Line, Seen, list[Difference]] | None:
    best: tuple[Line, Seen, list[Difference]] | None = None
    candidates: Sequence[Seen] = (found.next or found.left)[:200]
    for line in found.open:
        for one in candidates:
            parts = differences(line, one, found.values)
            if best is None or _weight(parts) < _weight(best[2]):
                best = (line, one, parts)
    return best


def _weight(parts: list[Difference]) -> int:
    """How far a packet is from a line: another direction is further than another number."""
    heavy = {"direction": 8, "protocol": 8, "flags": 3}
    return sum(heavy.get(part.what, 1) for part in parts)
