"""Variables in a Compose file's texts: `$NAME`, `${NAME}`, and `${NAME:-x}` with its kin; `$$` is one dollar sign."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_VARIABLE = re.compile(
    r"\$(?:(\$)|(?P<bare>[A-Za-z_]\w*)|\{(?P<name>[A-Za-z_]\w*)(?:(?P<how>:?[-+?])(?P<word>[^${}]*))?\})"
)
_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_]\w*)\s*=\s*(.*?)\s*")


class Unreadable(Exception):
    """Why a text can't be read, in a few words."""


class Variables:
    """`unset` holds the names of those that were asked for, have no value and no word in its place."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self.unset: dict[str, None] = {}

    def fill(self, value: Any) -> Any:
        """A value with all texts in it filled in; keys stay as they are. Raises Unreadable."""
        if isinstance(value, str):
            return self._text(value) if "$" in value else value
        if isinstance(value, dict):
            return {key: self.fill(item) for key, item in value.items()}
        return [self.fill(item) for item in value] if isinstance(value, list) else value

    def _text(self, text: str) -> str:
        left = _VARIABLE.sub("", text)
        if "$" in left:
            raise Unreadable(
                f"{text!r}: the engine in memory knows $NAME, ${{NAME}} and ${{NAME:-word}}, no variable in another"
            )
        return _VARIABLE.sub(self._value, text)

    def _value(self, found: re.Match[str]) -> str:
        if found[1]:
            return "$"
        name, how, word = found["bare"] or found["name"], found["how"] or "", found["word"] or ""
        value = self._values.get(name)
        missing = not value if ":" in how else value is None
        if how.endswith("+"):
            return "" if missing else word
        if not missing:
            return value or ""
        if how.endswith("?"):
            raise Unreadable(f"required variable {name} is missing a value: {word}".removesuffix(": "))
        if not how:
            self.unset[name] = None
        return word


def of_file(path: Path) -> dict[str, str]:
    """The variables of an env file; nothing where there is none."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return {}
    lines = (_LINE.fullmatch(line) for line in text.splitlines() if not line.lstrip().startswith("#"))
    return {found[1]: found[2].strip("\"'") for found in lines if found}
