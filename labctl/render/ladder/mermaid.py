"""A ladder as a Mermaid sequence diagram, for a fence of Markdown or a .mmd file."""

from __future__ import annotations

from collections.abc import Iterator

from labctl.packets.ladder.ladder import Arrow, Ladder, Lifeline, Moment
from labctl.packets.tcp.segment import milliseconds
from labctl.render.text import fitted, printable, quoted

# To the other end and open (`)`) where nobody could see the arrival, with a cross where the packet was lost.
_ARROWS = {"delivered": "->>", "seen": "->>", "lost": "-x", "unknown": "--)", "elsewhere": "-->>"}
# What means nothing to Mermaid's sequence diagrams behind a message's first colon, nor to HTML; `#` and `;` do.
_PLAIN = frozenset(" .,_-()/:=!?'*+\"[]…")
_TEXT = 40  # columns
MOST = 48_000  # characters: Mermaid draws nothing of a text that is longer than its maxTextSize, 50,000 by default


def draw(ladder: Ladder) -> str:
    """The ladder as Mermaid text."""
    title = f"{ladder.left.name} and {ladder.right.name}"
    lines = ["sequenceDiagram", f"  accTitle: {_escaped(title)}"]
    lines += [f"  participant A as {_participant(ladder.left)}", f"  participant B as {_participant(ladder.right)}"]
    foot = _foot(ladder)
    room = MOST - _size([*lines, *foot, _too_long(ladder, 0)])
    for drawn, rows in enumerate(_rows(ladder)):
        room -= _size(rows)
        if room < 0:
            return "\n".join([*lines, _too_long(ladder, drawn), *foot])
        lines += rows
    return "\n".join([*lines, *foot])


def _rows(ladder: Ladder) -> Iterator[list[str]]:
    """The lines of each arrow and each moment."""
    flow = phase = ""
    for arrow in ladder.rows:
        if isinstance(arrow, Moment):
            yield [f"  {_note(arrow, ladder.begin_ns)}"]
            continue
        lines = []
        if not arrow.copy and (arrow.flow, arrow.label.phase) != (flow, phase):
            flow, phase = arrow.flow, arrow.label.phase
            words = f"{flow}, {phase}" if arrow.segment else flow
            lines.append(f"  Note over A,B: {_escaped(words)}")
        start, end = ("A", "B") if arrow.rightwards else ("B", "A")
        yield [
            *lines,
            f"  {start}{_ARROWS[arrow.fate]}{end}: {_message(arrow, ladder.begin_ns, ladder.clock_error_ns)}",
        ]


def _too_long(ladder: Ladder, drawn: int) -> str:
    more = len(ladder.rows) - drawn
    return (
        f"  Note over A,B: cut here: {more} more would be too long for Mermaid, which draws {MOST} characters at most"
    )


def _foot(ladder: Ladder) -> list[str]:
    lines = []
    if not ladder.arrows:
        lines.append("  Note over A,B: no packet between the two")
    if ladder.cut:
        lines.append(f"  Note over A,B: cut here: {ladder.cut} more beyond the limit of {len(ladder.arrows)}")
    if ladder.hidden:
        lines.append(f"  Note over A,B: {ladder.hidden} pure acknowledgements not shown")
    return lines + [f"  Note over A,B: {_escaped(note)}" for note in ladder.notes]


def _size(lines: list[str]) -> int:
    """Characters as JavaScript counts them, with the ends of lines."""
    return sum(len(line.encode("utf-16-le")) // 2 + 1 for line in lines)


def _participant(line: Lifeline) -> str:
    return "<br/>".join(map(_escaped, (line.name, *line.addresses[:3])))


def _note(moment: Moment, begin: int) -> str:
    place = "right of B" if moment.on_right else "left of A"
    text = fitted(moment.text, 2 * _TEXT)
    return f"Note {place}: {_escaped(f'{(moment.at_ns - begin) / 1e9:.6f}  {text}')}"


def _message(arrow: Arrow, begin: int, error: int) -> str:
    clock = f"{(arrow.at_ns - begin) / 1e9:.6f}"
    text = [fitted(quoted(arrow.label.text), _TEXT)] if arrow.label.text else []
    latency = arrow.took(error)
    took = [] if latency is None else [f"({milliseconds(latency)})"]
    first = "  ".join((clock, arrow.label.head, *arrow.label.parts, *text, *took))
    return "<br/>".join(map(_escaped, (first, *map(str, arrow.marks))))


def _escaped(text: str) -> str:
    """Everything that could mean something to Mermaid or to HTML as the number of its character."""
    return "".join(
        character if character.isalnum() or character in _PLAIN else f"#{ord(character)};"
        for character in printable(text)
    )
