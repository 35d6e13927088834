"""Two runs side by side, from a little before the place where they part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Any

from labctl.bundle.diff import Difference, Line, Parting
from labctl.render.text import RED, fitted, padded, paint, printable, width

BEFORE, ROWS = 4, 24  # lines before the parting, and lines in all
COLUMNS = 100
GREEN = 32  # SGR (ECMA-48, 8.3.117)
_SAME, _OTHER, _ONLY_A, _ONLY_B = "  ", " |", " <", " >"


def drawn(found: Difference, *, columns: int = COLUMNS, colour: bool = False, rows: int = ROWS) -> str:
    """The first parting in words and as two columns, and how many more there are."""
    if found.same:
        return "\n".join(["the two runs are the same", *_left_out(found)])
    first, *more = found.partings
    lines = [f"the two runs part first in {printable(first.words)}", ""]
    lines += _two(first, columns, colour, rows)
    if more:
        lines += ["", f"after that, {len(more)} more:"]
        lines += [f"  {fitted(printable(one.words), columns - 2)}" for one in more]
    return "\n".join([*lines, "", *_left_out(found)])


def _left_out(found: Difference) -> list[str]:
    return ["left out of both, as it can't be the same:", *(f"  {printable(one)}" for one in found.left_out)]


def _two(parting: Parting, columns: int, colour: bool, rows: int) -> Iterator[str]:
    room = max(20, (columns - 5) // 2)
    yield f"{padded('A', room)}    B"
    for count, (one, other, mark) in enumerate(aligned(parting)):
        if count >= rows:
            yield "..."
            return
        left, right = (fitted(printable(text), room) for text in (one, other))
        if mark != _SAME:
            left, right = paint(left, RED, colour and bool(left)), paint(right, GREEN, colour and bool(right))
        gap = " " * max(0, room - width(fitted(printable(one), room)))
        yield f"{left}{gap}{mark}  {right}".rstrip()


def aligned(parting: Parting) -> Iterator[tuple[str, str, str]]:
    """The rows from a little before the parting on: A's line, B's line, and how these are to each other."""
    begin = max(0, parting.place - BEFORE)
    a, b = _texts(parting.a[begin:]), _texts(parting.b[begin:])
    for kind, a1, a2, b1, b2 in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        mine, theirs = a[a1:a2], b[b1:b2]
        for place in range(max(len(mine), len(theirs))):
            one = mine[place] if place < len(mine) else ""
            other = theirs[place] if place < len(theirs) else ""
            mark = _SAME if kind == "equal" else _OTHER if one and other else _ONLY_A if one else _ONLY_B
            yield one, other, mark


def _texts(lines: Sequence[Line]) -> list[str]:
    return [line.text for line in lines[:1000]]


def document(found: Difference) -> dict[str, Any]:
    """The same as data."""
    partings = [
        {
            "what": one.what,
            "words": one.words,
            "rows": [{"a": a or None, "b": b or None, "same": mark == _SAME} for a, b, mark in aligned(one)],
        }
        for one in found.partings
    ]
    return {"same": found.same, "partings": partings, "left_out": list(found.left_out)}
