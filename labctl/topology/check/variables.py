"""Variables that are not set, where they stand: Compose tells their names, and no more."""

from __future__ import annotations

import re
from collections.abc import Iterable

from labctl.topology.check.problems import Path, Problems
from labctl.topology.check.reading.source import Scalar, Source, shorten

# `$NAME` or `${NAME}`; or the head of one with a default, which may hold further ones. `$$` is a dollar sign.
_USE = re.compile(r"\$(?:\$|(?P<bare>[A-Za-z_]\w*)|\{(?P<braced>[A-Za-z_]\w*)\}|\{(?P<other>[A-Za-z_]\w*))", re.A)

_Uses = dict[str, list[tuple[Path, Scalar]]]


def check_variables(source: Source, unset: Iterable[str]) -> Problems:
    """`unset` are the variables in whose place Compose put nothing."""
    found = Problems()
    names = tuple(unset)
    plain, other = _uses(source) if names else ({}, {})
    for name in names:
        uses = plain.get(name) or other.get(name) or []
        for path, value in uses:
            read = shorten(_without(name, value.text))
            found.add("unset-variable", path, value.place, name=name, text=shorten(value.text), read=read)
        if not uses:
            key = next((key for key in ("include", "services") if key in source.root.entries), None)
            place = source.root.entries[key].key.place if key else source.root.place
            text, read = f"${{{name}}} in another file", "nothing"
            found.add("unset-variable", (), place, name=name, text=text, read=read)
    return found


def _uses(source: Source) -> tuple[_Uses, _Uses]:
    """The values that each variable stands in: plainly, and with a default or an error of its own."""
    plain: _Uses = {}
    other: _Uses = {}
    for path, value in source.walk():
        found = [use.groupdict() for use in _USE.finditer(value.text)]
        for name in dict.fromkeys(use["bare"] or use["braced"] for use in found):
            if name:
                plain.setdefault(name, []).append((path, value))
        for name in dict.fromkeys(use["other"] for use in found):
            if name:
                other.setdefault(name, []).append((path, value))
    return plain, other


def _without(name: str, text: str) -> str:
    """A text with nothing in a variable's place."""
    return _USE.sub(lambda use: "" if name in (use["bare"], use["braced"]) else use[0], text)
