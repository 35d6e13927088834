"""Every error that labctl explains.

One table (labctl/error_codes.py) feeds the messages, `--json` and docs/errors.md. Exit status: 1 for all of these,
2 for wrong usage, 3 for a bug, 130 when interrupted.
"""

from __future__ import annotations

from collections.abc import Iterable

from labctl.error_codes import ERRORS


class LabError(Exception):
    """An error that labctl explains: a code of ERRORS and the values for its message."""

    def __init__(self, code: str, /, **values: object) -> None:
        kind = ERRORS[code]
        self.code = code
        self.values = values
        self.message = kind.message.format(**values)
        self.hint = kind.hint.format(**values)
        super().__init__(self.message)


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean alice?`, or nothing where no known name is near."""
    import difflib

    close = difflib.get_close_matches(name[:100], list(known), n=3, cutoff=0.5)
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
