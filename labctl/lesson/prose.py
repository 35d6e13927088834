"""A lesson's Markdown on a terminal: lines of at most so many columns, wide characters counted as two."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from labctl.render.text import BOLD, DIM, paint, width

if TYPE_CHECKING:
    from markdown_it.token import Token

_UNDERLINE = 4
# Of Chinese text, these stand at no line's beginning (Requirements for Chinese Text Layout, 3.1.2).
_CLOSING = frozenset("，。、；：？！）》」』】”’…,.;:?!)]}%")
_OPENING = frozenset("（《「『【“‘([{")
# A shell's word, with what is quoted in it.
_WORD = re.compile(r"""(?:[^\s'"]|'[^']*'|"(?:[^"\\]|\\.)*"|['"])+""")


def rendered(markdown: str, *, columns: int, colour: bool) -> str:
    """Paragraphs, headings, lists, tables, quotes and blocks of code; all else as the text that it is."""
    from markdown_it import MarkdownIt

    if not markdown.strip():
        return ""
    tokens = MarkdownIt("commonmark").enable("table").parse(markdown)
    return "\n".join(_Writer(columns, colour).lines(tokens))


class _Writer:
    def __init__(self, columns: int, colour: bool) -> None:
        self._columns, self._colour = columns, colour
        self._out: list[str] = []
        self._indents: list[str] = []
        self._marks: list[str] = []  # of the list's item that has not been written yet
        self._numbers: list[int | None] = []
        self._row: list[str] = []
        self._rows: list[list[str]] = []

    def lines(self, tokens: list[Token]) -> list[str]:
        for place, token in enumerate(tokens):
            handler = getattr(self, f"_{token.type}", None)
            if handler is not None:
                handler(token)
            elif token.type == "inline" and tokens[place - 1].type == "heading_open":
                self._text(token, BOLD)
            elif token.type == "inline" and tokens[place - 1].type in ("th_open", "td_open"):
                self._row.append(_plain(token))
            elif token.type == "inline":
                self._text(token, None)
        while self._out and not self._out[-1]:
            self._out.pop()
        return self._out

    def _gap(self) -> None:
        if self._out and self._out[-1]:
            self._out.append("")

    def _text(self, token: Token, code: int | None) -> None:
        indent = "".join(self._indents)
        first = indent
        if self._marks:
            mark = self._marks.pop()
            first = indent[: len(indent) - len(mark)] + mark
        for number, line in enumerate(broken(_plain(token), self._columns - width(indent))):
            self._out.append((first if number == 0 else indent) + paint(line, code or 0, self._colour and bool(code)))

    def _paragraph_close(self, token: Token) -> None:
        if not token.hidden:
            self._gap()

    def _heading_open(self, _: Token) -> None:
        self._gap()

    def _heading_close(self, _: Token) -> None:
        self._gap()

    def _bullet_list_open(self, _: Token) -> None:
        self._numbers.append(None)

    def _ordered_list_open(self, token: Token) -> None:
        self._numbers.append(int(token.attrGet("start") or 1))

    def _bullet_list_close(self, _: Token) -> None:
        self._numbers.pop()
        if not self._numbers:
            self._gap()

    _ordered_list_close = _bullet_list_close

    def _list_item_open(self, _: Token) -> None:
        number = self._numbers[-1]
        mark = "- " if number is None else f"{number}. "
        if number is not None:
            self._numbers[-1] = number + 1
        self._marks = [mark]
        self._indents.append(" " * len(mark))

    def _list_item_close(self, _: Token) -> None:
        self._indents.pop()

    def _blockquote_open(self, _: Token) -> None:
        self._indents.append("| ")

    def _blockquote_close(self, _: Token) -> None:
        self._indents.pop()

    def _fence(self, token: Token) -> None:
        self._gap()
        indent = "".join(self._indents)
        for line in token.content.rstrip("\n").split("\n"):
            self._out.append(f"{indent}    {paint(line, DIM, self._colour)}".rstrip())
        self._gap()

    _code_block = _fence

    def _hr(self, _: Token) -> None:
        self._gap()

    def _tr_open(self, _: Token) -> None:
        self._row = []

    def _tr_close(self, _: Token) -> None:
        self._rows.append(self._row)

    def _table_close(self, _: Token) -> None:
        from labctl.render.cells import laid_out

        head, *rows = self._rows
        self._out += laid_out(tuple(head), [tuple(row) for row in rows], self._columns, self._colour).split("\n")
        self._rows = []
        self._gap()


def _plain(token: Token) -> str:
    out = ""
    for child in token.children or ():
        if child.type in ("softbreak", "hardbreak"):
            # Between two wide characters a line's end in the source is no blank.
            out += "\n" if child.type == "hardbreak" else "" if out and width(out[-1]) == 2 else " "
        elif child.type == "code_inline":
            out += f"`{child.content}`"
        elif child.type == "image":
            out += child.content
        else:
            out += child.content
    return out


def broken(text: str, columns: int) -> list[str]:
    """Lines of at most so many columns, broken at blanks and, of wide characters, between any two."""
    out: list[str] = []
    for part in text.split("\n"):
        line = ""
        for piece in _pieces(part):
            if width(line + piece.rstrip()) > columns and line.strip():
                out.append(line.rstrip())
                line = piece.lstrip()
            else:
                line += piece
        out.append(line.rstrip())
    return out


def _pieces(text: str) -> list[str]:
    """What a line may not be broken within: words with the blanks after them, and single wide characters with the
    punctuation that belongs to them."""
    out: list[str] = []
    for character in text:
        glued = bool(out) and (
            character in _CLOSING
            or (out[-1][-1] in _OPENING)
            or (character == " ")
            or (width(character) == 1 and width(out[-1][-1]) == 1 and out[-1][-1] != " ")
        )
        if glued:
            out[-1] += character
        else:
            out.append(character)
    return out


def typed_lines(line: str, columns: int) -> list[str]:
    """A command line as it may be typed over several lines, none of which cuts a word, also a quoted one, in two."""
    out = ["$"]
    for word in _WORD.findall(line):
        if out[-1] != "$" and width(f"{out[-1]} {word} \\") > columns:
            out[-1] += " \\"
            out.append(f"   {word}")
        else:
            out[-1] += f" {word}"
    return out
