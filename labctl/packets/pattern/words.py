"""The words of a line, each with its column."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    r'\s*(?:(?P<end>#|\Z)|(?P<text>"(?:[^"\\]|\\.)*"(?:\.\.\.)?)|(?P<options><[^>]*>)|(?P<word>[^\s"<]+|<))'
)
_ESCAPES = {"n": b"\n", "r": b"\r", "t": b"\t", "0": b"\0", '"': b'"', "\\": b"\\"}
_DIGITS = 20  # no field of a packet has as many: it has 64 bits at most
_ENDLESS = re.compile(rf"(?<![A-Za-z0-9_.])[0-9]{{{_DIGITS},}}")
_HEX = re.compile(r"\\x([0-9A-Fa-f]{2})")


class BadPattern(ValueError):
    """A pattern can't be read: `row` and `column` count from 1; the text is one sentence."""

    def __init__(self, row: int, column: int, why: str) -> None:
        super().__init__(why)
        self.row, self.column, self.why = row, column, why


@dataclass(frozen=True, slots=True)
class Word:
    """`kind`: text (in quotation marks), options (in angle brackets), or word."""

    text: str
    kind: str
    row: int
    column: int

    def bad(self, why: str) -> BadPattern:
        return BadPattern(self.row, self.column, why)


def split(line: str, row: int) -> list[Word]:
    """The words of a line, without its comment. Raises BadPattern."""
    out: list[Word] = []
    at = 0
    while True:
        found = _TOKEN.match(line, at)
        if found is None:
            begin = line.index('"', at)
            raise BadPattern(row, begin + 1, "a text has no end: its closing quotation mark is missing")
        kind = found.lastgroup or "word"
        if kind == "end":
            return out
        text, column = found.group(kind), found.start(kind) + 1
        if text == "<":
            raise BadPattern(row, column, "options have no end: > is missing")
        if kind != "text" and len(text) >= _DIGITS and (number := _ENDLESS.search(text)):
            why = f"{number[0][:_DIGITS]}... is no number that a packet can hold"
            raise BadPattern(row, column + number.start(), why)
        out.append(Word(text, kind, row, column))
        at = found.end()


def bytes_of(word: Word) -> bytes:
    """What a text in quotation marks stands for. Raises BadPattern."""
    inner = word.text.removesuffix("...")[1:-1]
    out, at = bytearray(), 0
    while at < len(inner):
        if inner[at] != "\\":
            end = inner.find("\\", at)
            end = len(inner) if end < 0 else end
            out += inner[at:end].encode("utf-8", "surrogateescape")
            at = end
        elif found := _HEX.match(inner, at):
            out += bytes.fromhex(found[1])
            at = found.end()
        elif inner[at + 1] in _ESCAPES:
            out += _ESCAPES[inner[at + 1]]
            at += 2
        else:
            why = f'\\{inner[at + 1]} is no escape; these are: \\n \\r \\t \\0 \\" \\\\ \\xHH'
            raise BadPattern(word.row, word.column + at + 1, why)
    return bytes(out)


def text_of(data: bytes) -> str:
    """The bytes as a text in quotation marks, which `bytes_of` takes back; what can't be seen stands as escapes."""
    return f'"{_UNPLAIN.sub(_seen, data.decode("utf-8", "surrogateescape"))}"'


def _seen(found: re.Match[str]) -> str:
    character = found[0]
    if character in _NAMED:
        return _NAMED[character]
    if 0xDC80 <= ord(character) <= 0xDCFF:
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character if character.isprintable() else "".join(f"\\x{byte:02x}" for byte in character.encode())


_UNPLAIN = re.compile(r"[^ !#-\[\]-~]")  # all but ASCII that stands for itself
_NAMED = {value.decode(): f"\\{name}" for name, value in _ESCAPES.items()}
