"""A ladder as a Mermaid sequence diagram, for a fence of Markdown or a .mmd file."""

from __future__ import annotations

from labctl.packets.ladder import Arrow, Ladder, Lifeline, Moment
from labctl.packets.tcp import milliseconds
from labctl.render.text import fitted, printable, quoted

# To the other end and open (`)`) where nobody could see the arrival, with a cross where the packet was lost.
_ARROWS = {"delivered": "->>", "seen": "->>", "lost": "-x", "unknown": "--)", "elsewhere": "-->>"}
_PLAIN = frozenset(" .,_-()/")
_TEXT = 40  # columns


def draw(ladder: Ladder) -> str:
    """The ladder as Mermaid text."""
    title = f"{ladder.left.name} and {ladder.right.name}"
    lines = ["sequenceDiagram", f"  accTitle: {_escaped(title)}"]
    lines += [f"  participant A as {_participant(ladder.left)}", f"  participant B as {_participant(ladder.right)}"]
    flow = phase = ""
    for arrow in ladder.rows:
        if isinstance(arrow, Moment):
            lines.append(f"  {_note(arrow, ladder.begin_ns)}")
            continue
        if not arrow.copy and (arrow.flow, arrow.label.phase) != (flow, phase):
            flow, phase = arrow.flow, arrow.label.phase
            words = f"{flow}, {phase}" if arrow.segment else flow
            lines.append(f"  Note over A,B: {_escaped(words)}")
        start, end = ("A", "B") if arrow.rightwards else ("B", "A")
        lines.append(f"  {start}{_ARROWS[arrow.fate]}{end}: {_message(arrow, ladder.begin_ns)}")
    if not ladder.arrows:
        lines.append("  Note over A,B: no packet between the two")
    if ladder.cut:
        lines.append(f"  Note over A,B: cut here#58; {ladder.cut} more beyond the limit of {len(ladder.arrows)}")
    if ladder.hidden:
        lines.append(f"  Note over A,B: {ladder.hidden} pure acknowledgements not shown")
    lines += [f"  Note over A,B: {_escaped(note)}" for note in ladder.notes]
    return "\n".join(lines)


def _participant(line: Lifeline) -> str:
    return "<br/>".join(map(_escaped, (line.name, *line.addresses[:3])))


def _note(moment: Moment, begin: int) -> str:
    place = "right of B" if moment.on_right else "left of A"
    text = fitted(moment.text, 2 * _TEXT)
    return f"Note {place}: {_escaped(f'{(moment.at_ns - begin) / 1e9:.6f}  {text}')}"


def _message(arrow: Arrow, begin: int) -> str:
    clock = f"{(arrow.at_ns - begin) / 1e9:.6f}"
    text = [fitted(quoted(arrow.label.text), _TEXT)] if arrow.label.text else []
    took = [] if arrow.latency_ns is None else [f"({milliseconds(arrow.latency_ns)})"]
    first = "  ".join((clock, arrow.label.head, *arrow.label.parts, *text, *took))
    return "<br/>".join(map(_escaped, (first, *map(str, arrow.marks))))


def _escaped(text: str) -> str:
    """Everything that could mean something to Mermaid or to HTML as the number of its character."""
    return "".join(
        character if character.isalnum() or character in _PLAIN else f"#{ord(character)};"
        for character in printable(text)
    )
