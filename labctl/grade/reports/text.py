"""A grade for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from labctl.grade.model import Grade, Outcome, Verdict
from labctl.render.text import RED, paint, printable, wrapped

WORDS: dict[Verdict, str] = {"passed": "pass", "failed": "FAIL", "skipped": "skip", "error": "error"}
GREEN, YELLOW = 32, 33
_COLOURS = {"passed": GREEN, "failed": RED, "skipped": YELLOW, "error": RED}


def lines(outcome: Outcome, width: int, *, columns: int, colour: bool = False) -> Iterator[str]:
    """One outcome; names are `width` wide."""
    check = outcome.check
    word = paint(f"{WORDS[outcome.verdict]:<5}", _COLOURS[outcome.verdict], colour)
    head, indent = f"{word} {check.name:<{width}}  ", 8 + width
    first, *rest = wrapped(check.what, max(20, columns - indent))
    yield head + first
    yield from (" " * indent + line for line in rest)
    told = (("wanted", outcome.expected), ("got", outcome.actual), ("help", outcome.help), ("why", outcome.why))
    for name, text in told:
        for number, line in enumerate(text.splitlines()):
            yield f"      {name if not number else '':<7} {printable(line)}"
    if outcome.ladder:
        yield ""
        yield from (f"      {line}" for line in outcome.ladder.splitlines())
        yield ""
    if outcome.verdict in ("failed", "error"):
        yield f"      again   {printable(outcome.again)}"


def summary(grade: Grade) -> str:
    """The last line."""
    counts = [f"{grade.count(word)} {word}" for word in WORDS if grade.count(word)]
    return f"{grade.score} of {grade.most} points: {', '.join(counts)} (seed {grade.seed}, {grade.seconds:.1f} s)"


def described(outcome: Outcome) -> str:
    """An outcome as plain text, for reports that show one by one."""
    parts = [
        ("wanted", outcome.expected),
        ("got", outcome.actual),
        ("help", outcome.help),
        ("why", outcome.why),
        ("again", outcome.again if outcome.verdict in ("failed", "error") else ""),
    ]
    said = "\n".join(f"{name}: {printable_lines(text)}" for name, text in parts if text)
    return f"{said}\n\n{outcome.ladder}".strip()


def printable_lines(text: str) -> str:
    """With its newlines, and nothing else that a terminal or a parser would take for a command."""
    return "\n".join(map(printable, text.splitlines()))
