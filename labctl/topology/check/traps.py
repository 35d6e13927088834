"""Words that not every reader of YAML takes for the same. Errors where Compose goes wrong, else warnings."""

from __future__ import annotations

import json

from labctl.topology.check.problems import Path, Problems
from labctl.topology.check.reading.keys import Shape
from labctl.topology.check.reading.scalars import WORDS, is_old_boolean, number, rewritten, sixties, type_of
from labctl.topology.check.reading.source import Scalar

_TRUE = {"y", "yes", "on"}


def check_key(key: Scalar, path: Path, found: Problems) -> None:
    """A name that somebody chose: of a service, a network, a variable."""
    kind = type_of(key)
    if kind != "str":
        what = WORDS[kind]
        found.add("trap-type", path, key.place, key="a name", text=key.text, what=what, quoted=_quoted(key.text))
    elif is_old_boolean(key):
        found.add("trap-boolean", path, key.place, text=key.text, mend=f"put it in quotes: {_quoted(key.text)}")


def check_flag(value: Scalar, path: Path, found: Problems) -> bool:
    """True where Compose takes the text for a boolean."""
    if is_old_boolean(value):
        plain = "true" if value.text.lower() in _TRUE else "false"
        found.add("trap-boolean", path, value.place, text=value.text, mend=f"write {plain}")
        return True
    return value.text.lower() in ("true", "false", "1", "0", "t", "f", *_TRUE, "n", "no", "off")


def check_word(value: Scalar, shape: Shape, path: Path, found: Problems) -> None:
    """A value where text is wanted, or a number."""
    if shape.word == "mode":
        _mode(value, path, found)
        return
    kind = type_of(value)
    seconds = sixties(value)
    if shape.word == "text" and kind not in ("str", "null"):
        quoted = _quoted(value.text)
        found.add("trap-type", path, value.place, key="this", text=value.text, what=WORDS[kind], quoted=quoted)
    elif shape.word == "any-text" and kind in ("int", "float", "date") and rewritten(value) != value.text:
        read, quoted = rewritten(value), _quoted(value.text)
        found.add("trap-rewritten", path, value.place, text=value.text, what=WORDS[kind], read=read, quoted=quoted)
    elif shape.word in ("text", "any-text") and is_old_boolean(value):
        mend = f"put it in quotes: {_quoted(value.text)}"
        found.add("trap-boolean", path, value.place, text=value.text, mend=mend)
    elif seconds is not None and shape.word != "amount":
        quoted = _quoted(value.text)
        found.add("trap-sexagesimal", path, value.place, text=value.text, read=seconds, quoted=quoted)


def _mode(value: Scalar, path: Path, found: Problems) -> None:
    """A file's mode: 0644 is octal to Compose, 644 and "0644" are decimal (the latter up to Compose 2.26 at least)."""
    digits = value.text
    if not digits.isascii() or not digits.isdigit() or len(digits) > 6 or set(digits) & {"8", "9"}:
        return
    if value.plain and digits.startswith("0") and len(digits) > 1:
        found.add("trap-octal", path, value.place, text=digits)
    elif int(digits) >= 100 and int(digits, 8) <= 0o7777:
        mend = f"write it without quotes and with a leading zero: 0{digits.lstrip('0')}"
        read = int(digits) if not value.plain else number(digits)
        found.add("trap-mode", path, value.place, text=_shown(value), read=read, octal=f"{read:o}", mend=mend)


def _shown(value: Scalar) -> str:
    return value.text if value.plain else _quoted(value.text)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
