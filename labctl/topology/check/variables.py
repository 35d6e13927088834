"""Variables that are not set, where they stand: Compose tells their names, and no more."""

from __future__ import annotations

import re
from collections.abc import Iterable

from labctl.topology.check.problems import Problems
from labctl.topology.check.source import Source, shorten

_USE = r"\$(?:{0}(?![A-Za-z0-9_])|\{{{0}\}})"
_ANY_USE = r"\$\{{?{0}(?![A-Za-z0-9_])"


def check_variables(source: Source, unset: Iterable[str]) -> Problems:
    """`unset` are the variables in whose place Compose put nothing."""
    found = Problems()
    for name in unset:
        plain = re.compile(_USE.format(re.escape(name)))
        uses = [(path, value) for path, value in source.walk() if plain.search(value.text)]
        if not uses:  # inside of another variable's default, say
            some = re.compile(_ANY_USE.format(re.escape(name)))
            uses = [(path, value) for path, value in source.walk() if some.search(value.text)]
        for path, value in uses:
            read = shorten(plain.sub("", value.text))
            found.add("unset-variable", path, value.place, name=name, text=shorten(value.text), read=read)
        if not uses:
            key = next((key for key in ("include", "services") if key in source.root.entries), None)
            place = source.root.entries[key].key.place if key else source.root.place
            text, read = f"${{{name}}} in another file", "nothing"
            found.add("unset-variable", (), place, name=name, text=text, read=read)
    return found
