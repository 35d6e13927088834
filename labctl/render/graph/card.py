"""The text in a node's frame, and the room that it takes."""

from __future__ import annotations

from dataclasses import dataclass

from labctl.lab.drawing.picture import DrawnNode
from labctl.render.graph.metrics import ADDRESS, LINK, NAME, PORT, ROLE, STATE, Style
from labctl.render.graph.shapes import Box, Drawing, Label
from labctl.render.text import printable, width

NAME_COLUMNS = 24  # a longer name takes several lines
SIDE, TOP, BOTTOM = 14.0, 9.0, 9.0  # pixels around the text
LEAST = 96.0
ICON = 26.0  # a router's sign, with the gap beside it


@dataclass(frozen=True)
class Card:
    """A node's frame, wherever it will be placed."""

    node: DrawnNode
    lines: tuple[tuple[Style, str], ...]
    width: float
    height: float

    def place(self, drawing: Drawing, x: float, y: float, width: float) -> None:
        """Adds the frame, `width` wide, with its text."""
        icon = None
        middle = x + width / 2
        if self.node.is_router:
            icon = (x + SIDE + ICON / 2 - 3, y + self.height / 2)
            middle += ICON / 2
        router, name = self.node.is_router, self.node.name
        drawing.boxes.append(Box(x, y, width, self.height, router, bool(self.node.note), icon, name))
        at = y + TOP
        for style, text in self.lines:
            at += style.pitch
            drawing.labels.append(
                Label(text, style, middle, at - (style.pitch - style.ascent + style.descent) / 2, True)
            )


def card(node: DrawnNode, addresses: tuple[str, ...], links: list[int]) -> Card:
    """The card of a node; `links` are the numbers of the conditions that concern it."""
    lines: list[tuple[Style, str]] = [(NAME, part) for part in pieces(printable(node.name), NAME_COLUMNS)]
    if node.kind:
        lines.append((ROLE, printable(node.kind)))
    if node.note:
        lines.append((STATE, printable(node.note)))
    lines += [(ADDRESS, printable(text)) for text in addresses]
    lines += [(PORT, printable(text).replace("->", "→")) for text in node.published]
    lines += [(LINK, text) for text in _numbers(links)]
    inner = max(style.extent(text) for style, text in lines)
    height = TOP + sum(style.pitch for style, _ in lines) + BOTTOM
    extra = ICON if node.is_router else 0
    return Card(node, tuple(lines), max(LEAST, inner + 2 * SIDE) + extra, height)


def pieces(name: str, columns: int) -> list[str]:
    """A name in lines of at most some columns, cut after a separator where there is one in the line's second half."""
    out = []
    while width(name) > columns:
        end = 1
        while width(name[: end + 1]) <= columns:
            end += 1
        good = max(name.rfind(mark, end // 2, end) for mark in "-_. ") + 1
        out.append(name[: good or end])
        name = name[good or end :]
    return [*out, name]


def _numbers(links: list[int]) -> list[str]:
    """`link 1, 2` in lines of a few numbers each."""
    rows = [links[at : at + 5] for at in range(0, len(links), 5)]
    return [("link " if row is rows[0] else "") + ", ".join(map(str, row)) for row in rows]
