"""What is wrong with a file, as text: one block for each problem, in the form that editors can jump to."""

from __future__ import annotations

from labctl.lab.validate import Report
from labctl.render.text import printable


def text(report: Report) -> str:
    lines = "\n".join(problem.shown(report.files) for problem in report.problems).split("\n")
    return "\n".join(map(printable, lines))


def verdict(report: Report) -> str:
    """One line: how many there are."""
    counts = [
        f"{count} {word}{'' if count == 1 else 's'}"
        for count, word in ((report.errors, "error"), (report.warnings, "warning"))
        if count
    ]
    return f"{printable(report.file)}: {', '.join(counts) or 'no errors'}"
