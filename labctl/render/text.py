"""Text for a terminal: safe to print, as wide as it looks, in colour where that is wanted."""

from __future__ import annotations

import codecs
import json
import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from zlib import crc32

# Colours that can be read on black and on white; red is kept for errors.
PALETTE = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)
RED, DIM, BOLD = 31, 2, 1

_EMOJI = "\ufe0f"  # VARIATION SELECTOR-16: the character before it as an emoji
_MARK = "\u200e"  # LEFT-TO-RIGHT MARK: takes no column on any terminal, also where isolates (U+2068) take one
# A quoted text, up to where it is cut; or what two spaces, a quote or a line of a ladder end.
_PIECE = re.compile(r'"(?:[^"\\…│]|\\.)*["…]?|[^"│─┄ ]+(?: [^"│─┄ ]+)*')


# What labctl draws with, for outputs that have no such characters, or have them two columns wide (GBK, Shift JIS).
_DRAWING = {
    **dict.fromkeys("─┄", "-"),
    **dict.fromkeys("│║", "|"),
    **dict.fromkeys("┌┐└┘├┤┬┴┼╔╗╙╚╝╟╠╢╣╤╧╪╫", "+"),
    **{"═": "=", "■": "#", "●": "*", "·": ".", "…": "~", "→": ">", "←": "<", "↔": "=", "⋮": ":", _MARK: ""},
}
_ASCII = str.maketrans(_DRAWING)
# What a terminal acts on, or shows nothing of; and colours, which labctl itself prints.
_RISKY = re.compile(
    "\x1b\\[[0-9;]*m|[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200c\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f]"
)


class Output:
    """What the output takes: `encoding` is None where that is all of Unicode, else only its characters are printed."""

    encoding: str | None = None


def limit_to(encoding: str | None) -> None:
    """From now on, what is printable is what this encoding has; drawings are ASCII where it isn't UTF-8 or UTF-16."""
    name = codecs.lookup(encoding or "utf-8").name
    Output.encoding = None if name.startswith("utf") else name
    _is_printable.cache_clear()


def outgoing(text: str, *, colour: bool) -> str:
    """Rendered text as it may go to a terminal: nothing in it acts but, with `colour`, colours.

    The last gate, for all that is printed: what others wrote was escaped when it was rendered (`printable`, `quoted`).
    """
    if Output.encoding:
        text = text.translate(_ASCII)
    return _RISKY.sub(lambda found: found[0] if colour and len(found[0]) > 1 else _escaped_all(found[0]), text)


def json_safe(text: str) -> str:
    """A JSON text in which each character that a terminal acts on, or the output has not, is a JSON escape."""
    if Output.encoding:
        return "".join(
            character if character.isascii() and character != "\x7f" else _escaped(character) for character in text
        )
    return _RISKY.sub(lambda found: _escaped_all(found[0]), text)


def _escaped_all(text: str) -> str:
    """One character, or a colour, of which the first one is what acts."""
    return _escaped(text[0]) + text[1:]


def quoted(text: str) -> str:
    """The text in double quotes, with everything that a terminal would act on escaped as JSON does."""
    return printable(json.dumps(text, ensure_ascii=False))


def printable(text: str) -> str:
    """The text as it is, but for what a terminal would act on: that is escaped as in `quoted`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(character if _is_printable(character) else _escaped(character) for character in text)


def for_terminal(text: str) -> str:
    """A text of many lines, with its lines and tabs, and with all else escaped that a terminal would act on."""
    lines = (line.removesuffix("\r") for line in text.split("\n"))
    return "\n".join("\t".join(printable(part) for part in line.split("\t")) for line in lines)


@lru_cache(maxsize=4096)
def _is_printable(character: str) -> bool:
    if Output.encoding and not _has(Output.encoding, character):
        return False
    # Cc: control; Cf: format, among them those that turn the direction of text around; Cs, Co, Cn: no characters.
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") or character == "\u200d"


def _has(encoding: str, character: str) -> bool:
    """Whether an output has a character, and doesn't draw something with it."""
    if character in _DRAWING:
        return False
    try:
        character.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True


def _escaped(character: str) -> str:
    number = ord(character)
    if number <= 0xFFFF:
        return f"\\u{number:04x}"
    number -= 0x10000
    return f"\\u{0xD800 + (number >> 10):04x}\\u{0xDC00 + (number & 0x3FF):04x}"


def left_to_right(line: str) -> str:
    """The line with its words where they are put, also on terminals that write some from right to left.

    There a word of Hebrew or Arabic takes along what stands between it and the next number: the arrow of a ladder, and
    the lifeline behind it. A mark behind such a text ends that; one at the line's beginning keeps the line's own
    direction. For lines that are as they will be printed: marks are no part of a text that is cut or escaped.
    """
    if line.isascii() or not _has_right_to_left(line):
        return line
    return _MARK + _PIECE.sub(lambda piece: piece[0] + _MARK * _has_right_to_left(piece[0]), line)


def _has_right_to_left(text: str) -> bool:
    return any(unicodedata.bidirectional(character) in ("R", "AL", "AN") for character in text)


def width(text: str) -> int:
    """Columns that the text takes: two for a wide character, none for a combining one."""
    if text.isascii():
        return len(text)
    return sum(_cells(text))


def _cells(text: str) -> Iterator[int]:
    """The columns of each character. A narrow one becomes wide by the selector behind it, which has the second."""
    before = ""
    for character in text:
        yield 1 if character == _EMOJI and _may_be_emoji(before) else _cell(character)
        before = character


def _may_be_emoji(character: str) -> bool:
    """A narrow one that is one with the selector behind it (Unicode's emoji-variation-sequences.txt, roughly)."""
    if not character or _cell(character) != 1:
        return False
    is_line = "\u2500" <= character <= "\u259f"
    is_symbol = character >= "\u2000" and unicodedata.category(character) in ("So", "Sm") and not is_line
    return is_symbol or character in "#*0123456789©®\u2139\u203c\u2049"


@lru_cache(maxsize=4096)
def _cell(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    # Vowels and final consonants of Hangul join the consonant before them to one syllable.
    if "\u1160" <= character <= "\u11ff" or "\ud7b0" <= character <= "\ud7fb":
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def fitted(text: str, columns: int) -> str:
    """The text cut to some columns, with an ellipsis where something is left out."""
    if width(text) <= columns:
        return text
    out, used = [], 1
    for character, cells in zip(text, _cells(text), strict=True):
        used += cells
        if used > columns:
            break
        out.append(character)
    return "".join(out) + "…"


def padded(text: str, columns: int) -> str:
    return text + " " * max(0, columns - width(text))


def wrapped(text: str, columns: int) -> list[str]:
    """The text in lines of at most some columns, cut between words, and inside one only where it is longer itself."""
    lines = [""]
    for word in text.split():
        gap = " " if lines[-1] else ""
        if width(lines[-1] + gap + word) <= columns:
            lines[-1] += gap + word
            continue
        if lines[-1]:
            lines.append("")
        for character in word:
            if lines[-1] and width(lines[-1] + character) > columns:
                lines.append("")
            lines[-1] += character
    return lines


def folded(text: str, columns: int, least: int | None = None) -> list[str]:
    """The text in lines of at most some columns, cut behind spaces where there are any in reach; the others stay.

    `least`: how many characters a line has that ends there, half of the columns where nothing is said.
    """
    least = columns // 2 if least is None else least
    cells = list(_cells(text))
    lines, begin, used, at = [], 0, 0, 0
    while at < len(text):
        if used + cells[at] > columns and at > begin:
            space = text.rfind(" ", begin + least, at + 1)
            end = space + 1 if space > 0 and text[begin:space].strip() else at
            while end > space > 0 and text[end : end + 1] == " ":
                end += 1
            lines.append(text[begin:end].rstrip() or text[begin:end])
            begin = at = end
            used = 0
        else:
            used += cells[at]
            at += 1
    return [*lines, text[begin:]] if begin < len(text) or not lines else lines


def colour_of(name: str) -> int:
    """The same colour for the same name, always."""
    return PALETTE[crc32(name.encode()) % len(PALETTE)]


def paint(text: str, code: int | None, on: bool) -> str:
    return f"\x1b[{code}m{text}\x1b[0m" if on and code is not None else text


def address(value: tuple[str, int] | None) -> str:
    """10.77.0.5:12345, or [fd00::5]:12345 (RFC 3986, section 3.2.2)."""
    if value is None:
        return "?"
    host, port = value
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
