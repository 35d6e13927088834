"""Says labctl's own words in another language, by a table of phrases; for the terminal, and for the page.

The page has a file of its own, which this writes anew:
`python -m labctl.render.phrases.saying > labctl/page/static/phrases.js`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cache

from labctl.render.phrases import zh

Say = Callable[[str], str]  # what is said for a text; the text itself where no table has it

LANGUAGES = {"zh": zh.PAIRS}
_BETWEEN = (": ", ", ")  # parts that are said by themselves, where the whole isn't known
_FILLED = re.compile(r"\{(\w+)\}")

_HEAD = """\
// What labctl says of packets, layers and rules in English, in the other languages of the page: {words} stand for any
// text. What isn't here stays as it is; a test holds what has to be.
"""


def as_it_is(text: str) -> str:
    return text


@cache
def in_language(language: str) -> Say:
    """The same rules as the page's (labctl/page/static/words.js)."""
    pairs = LANGUAGES.get(language)
    return _Table(pairs).said if pairs else as_it_is


class _Table:
    def __init__(self, pairs: tuple[tuple[str, str], ...]) -> None:
        self._exact = {text: other for text, other in pairs if "{" not in text}
        patterns = [(text, _regex(text), other) for text, other in pairs if "{" in text]
        self._whole = [(regex, other) for text, regex, other in patterns if any(mark in text for mark in _BETWEEN)]
        self._parts = [(regex, other) for text, regex, other in patterns if not any(mark in text for mark in _BETWEEN)]

    def said(self, text: str) -> str:
        found = self._exact.get(text) or self._filled(self._whole, text)
        if found is not None:
            return found
        for between in _BETWEEN:
            first, found_it, rest = text.partition(between)
            if found_it and first:
                return f"{self.said(first)}{between}{self.said(rest)}"
        return self._filled(self._parts, text) or text

    def _filled(self, patterns: list[tuple[re.Pattern[str], str]], text: str) -> str | None:
        for regex, other in patterns:
            if found := regex.fullmatch(text):
                values = found.groupdict()
                return _FILLED.sub(lambda blank, values=values: self.said(values[blank[1]]), other)  # type: ignore[misc]
        return None


def _regex(text: str) -> re.Pattern[str]:
    pieces = _FILLED.split(text)  # texts, and between two of them a name
    return re.compile(
        "".join(f"(?P<{one}>.+)" if place % 2 else re.escape(one) for place, one in enumerate(pieces)), re.DOTALL
    )


def script() -> str:
    """phrases.js: a pair a line."""
    tables = ",\n".join(f'  "{name}": [\n{_rows(pairs)}\n  ]' for name, pairs in LANGUAGES.items())
    return f"{_HEAD}export const PHRASES = {{\n{tables}\n}};"


def _rows(pairs: tuple[tuple[str, str], ...]) -> str:
    return ",\n".join(f"    {json.dumps(pair, ensure_ascii=False)}" for pair in pairs)


if __name__ == "__main__":
    print(script())
