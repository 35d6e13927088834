"""Every error that labctl explains.

One table (labctl/error_codes.py) feeds the messages, `--json` and docs/errors.md. Exit status: 1 for all of these,
2 for wrong usage, 3 for a bug, 130 when interrupted.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from labctl.error_codes import ERRORS

LONG = ("why", "mend", "reason", "listing", "seen", "problems", "lines", "step")  # values that may have several lines


def one_line(value: object) -> object:
    """A name as an error repeats it: one that holds a newline doesn't make a line that looks like our own."""
    if not isinstance(value, (str, os.PathLike)):
        return value
    text = os.fspath(value)
    if not isinstance(text, str):
        return value
    return text.replace("\n", "\\u000a") if "\n" in text else text


class LabError(Exception):
    """An error that labctl explains: a code of ERRORS and the values for its message."""

    def __init__(self, code: str, /, **values: object) -> None:
        kind = ERRORS[code]
        self.code = code
        self.values = values
        words = {key: one_line(value) if key not in LONG else value for key, value in values.items()}
        self.message = kind.message.format(**words)
        self.hint = kind.hint.format(**words)
        super().__init__(self.message)


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean alice?`, or nothing where no other known name is near."""
    import difflib

    others = [other for other in known if other != name]
    close = difflib.get_close_matches(name[:100], others, n=3, cutoff=0.5)
    return f"; did you mean {' or '.join(close)}?" if close else ""


def as_markdown() -> str:
    """docs/errors.md."""
    parts = [
        "# Errors\n\nEvery error that labctl explains, by its code (the `code` of the error document under `--json`). "
        "Words in braces stand for what the error is about. Exit status 1.\n"
    ]
    for code, kind in sorted(ERRORS.items()):
        hint = f"\n{kind.hint}\n" if kind.hint else ""
        parts.append(
            f"### {code}\n\n{kind.meaning}\n\n    {kind.message}\n{hint}".replace("{{", "{").replace("}}", "}")
        )
    return "\n".join(parts)
