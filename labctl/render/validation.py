"""What is wrong with a file, as text: one block for each problem, in the form that editors can jump to."""

from __future__ import annotations

from labctl.lab.validate import Report
from labctl.topology.check.problems import Problem


def text(report: Report) -> str:
    """`lab.yaml:12:5: service alice: ...`, and the hint in a line under it."""
    return "\n".join(_block(report.file, problem) for problem in report.problems)


def _block(file: str, problem: Problem) -> str:
    where = f"{file}:{problem.place.line}:{problem.place.column}" if problem.place else file
    level = "warning: " if problem.level == "warning" else ""
    hint = f"\n  {problem.hint}" if problem.hint else ""
    return f"{where}: {level}{problem.message}{hint}"


def verdict(report: Report) -> str:
    """One line: how many there are."""
    counts = [
        f"{count} {word}{'' if count == 1 else 's'}"
        for count, word in ((report.errors, "error"), (report.warnings, "warning"))
        if count
    ]
    return f"{report.file}: {', '.join(counts) or 'no errors'}"
