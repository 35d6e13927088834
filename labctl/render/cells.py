"""Tables: cells of several lines and colours, which wrap between words where a terminal is too narrow."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby, zip_longest

from labctl.named import NamedTuple
from labctl.render.text import BOLD, padded, paint, printable, width

GAP = 2  # columns between two columns of a table
_WORD = re.compile(" *[^ ]+")
Line = list[tuple[str, int | None]]  # pieces with their codes


class Cell(NamedTuple):
    """`code` is the colour or weight of its text (SGR: ECMA-48, 8.3.117); `rest` follows behind that, with a code of
    its own."""

    text: str
    code: int | None = None
    rest: str = ""
    rest_code: int | None = None

    @property
    def plain(self) -> str:
        return self.text + self.rest

    def lines(self, columns: int) -> list[Line]:
        """In lines of at most so many columns; no word is cut for that."""
        out: list[Line] = [[]]
        used = 0
        for text, code in ((self.text, self.code), (self.rest, self.rest_code)):
            for number, line in enumerate(text.split("\n")):
                if number:
                    out.append([])
                    used = 0
                for word in _WORD.findall(line):
                    if used and used + width(word) > columns:
                        out.append([])
                        used, word = 0, word.lstrip(" ")
                    out[-1].append((word, code))
                    used += width(word)
        return out


def cell(text: str, code: int | None = None, rest: str = "", rest_code: int | None = None) -> Cell:
    """Safe to print, line by line: roles, titles and reasons may be anybody's words."""
    return Cell(_lines(text), code, _lines(rest), rest_code)


def _lines(text: str) -> str:
    return "\n".join(map(printable, text.split("\n")))


def laid_out(heads: Sequence[str], rows: Iterable[Sequence[str | Cell]], columns: int | None, colour: bool) -> str:
    """A table. Where it is wider than the terminal, cells wrap between words; where that isn't enough, each row is a
    list of its own: a name or an address that is cut in the middle can neither be read nor copied."""
    cells = [tuple(one if isinstance(one, Cell) else cell(one) for one in row) for row in rows]
    widest = [max(map(width, lines)) for lines in _by_column(heads, cells, lambda text: text.split("\n"))]
    least = [max(map(width, words)) for words in _by_column(heads, cells, str.split)]
    gap = GAP
    if columns and sum(least) + GAP * (len(heads) - 1) > columns:
        gap = 1
        if sum(least) + len(heads) - 1 > columns:
            return _listed(heads, cells, columns, colour)
    gaps = gap * (len(heads) - 1)
    while columns and sum(widest) + gaps > columns:
        at = max((index for index in range(len(heads)) if widest[index] > least[index]), key=lambda at: widest[at])
        widest[at] -= 1
    head = _row([Cell(head, BOLD) for head in heads], widest, gap, colour, low=True)
    return "\n".join([*head, *(line for row in cells for line in _row(row, widest, gap, colour))])


def _by_column(
    heads: Sequence[str], rows: Sequence[Sequence[Cell]], parts: Callable[[str], list[str]]
) -> list[list[str]]:
    """What each column's head and cells consist of; of nothing, an empty piece."""
    found = [[*parts(head), ""] for head in heads]
    for row in rows:
        for pieces, one in zip(found, row, strict=True):
            pieces += parts(one.plain)
    return found


def _row(row: Sequence[Cell], widths: Sequence[int], gap: int, colour: bool, *, low: bool = False) -> list[str]:
    """As many lines as its longest cell has; `low`: the others' lines are the last ones."""
    columns = [one.lines(room) for one, room in zip(row, widths, strict=True)]
    if low:
        most = max(map(len, columns))
        columns = [[*[[] for _ in range(most - len(lines))], *lines] for lines in columns]
    out = []
    for line in zip_longest(*columns, fillvalue=()):
        shown = [
            padded("".join(word for word, _ in pieces), room + gap) if not colour else _painted(pieces, room + gap)
            for pieces, room in zip(line, widths, strict=True)
        ]
        out.append("".join(shown).rstrip())
    return out


def _painted(pieces: Sequence[tuple[str, int | None]], columns: int) -> str:
    words = "".join(word for word, _ in pieces)
    runs = groupby(pieces, key=lambda piece: piece[1])
    coloured = "".join(paint("".join(word for word, _ in run), code, on=True) for code, run in runs)
    return coloured + " " * (columns - width(words))


def _listed(heads: Sequence[str], rows: Sequence[Sequence[Cell]], columns: int, colour: bool) -> str:
    """Each row below the other: what a column holds, behind its head."""
    label = max(map(width, heads))
    longest = max((width(word) for row in rows for one in row for word in one.plain.split()), default=1)
    room = max(columns - label - GAP, longest)
    shown = [
        "\n".join(
            line
            for head, one in zip(heads, row, strict=True)
            for line in _row((Cell(head, BOLD), one), (label, room), GAP, colour)
        )
        for row in rows
    ]
    return "\n\n".join(shown)
