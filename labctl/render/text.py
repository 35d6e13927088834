"""Text for a terminal: safe to print, as wide as it looks, in colour where that is wanted."""

from __future__ import annotations

import json
import unicodedata
from functools import lru_cache
from zlib import crc32

# Colours that can be read on black and on white; red is kept for errors.
PALETTE = (36, 33, 32, 35, 34, 96, 93, 92, 95, 94)
RED, DIM, BOLD = 31, 2, 1


def quoted(text: str) -> str:
    """The text in double quotes, with everything that a terminal would act on escaped as JSON does."""
    return printable(json.dumps(text, ensure_ascii=False))


def printable(text: str) -> str:
    """The text as it is, but for what a terminal would act on: that is escaped as in `quoted`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(character if _is_printable(character) else _escaped(character) for character in text)


def _is_printable(character: str) -> bool:
    # Cc: control; Cf: format, among them those that turn the direction of text around; Cs, Co, Cn: no characters.
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") or character == "\u200d"


def _escaped(character: str) -> str:
    number = ord(character)
    if number <= 0xFFFF:
        return f"\\u{number:04x}"
    number -= 0x10000
    return f"\\u{0xD800 + (number >> 10):04x}\\u{0xDC00 + (number & 0x3FF):04x}"


def width(text: str) -> int:
    """Columns that the text takes: two for a wide character, none for a combining one."""
    if text.isascii():
        return len(text)
    return sum(_cell(character) for character in text)


@lru_cache(maxsize=4096)
def _cell(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def fitted(text: str, columns: int) -> str:
    """The text cut to some columns, with an ellipsis where something is left out."""
    if width(text) <= columns:
        return text
    out, used = [], 1
    for character in text:
        used += _cell(character)
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
