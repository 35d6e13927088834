"""The forms in which a grade is written: one file each, and one line in the table."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from labctl.grade.model import Grade, Outcome
from labctl.grade.reports.text import printable_lines

NAMES = ("json", "junit", "gradescope", "classroom50", "check50", "html")
# Those that a grading system reads: that it ran is a success, whatever the marks.
FOR_SYSTEMS = ("gradescope", "classroom50", "check50")


def writer(name: str) -> Callable[[Grade], str]:
    """What writes that form."""
    form: Callable[[Grade], str] = importlib.import_module(f"labctl.grade.reports.{name}").write
    return lambda grade: form(safe(grade))


def safe(grade: Grade) -> Grade:
    """With no text in it that a terminal or a parser would take for a command: a program wrote some of them."""

    def told(one: Outcome) -> Outcome:
        names = ("expected", "actual", "help", "why", "ladder", "again")
        texts: dict[str, Any] = {name: printable_lines(getattr(one, name)) for name in names}
        return replace(one, **texts)

    return replace(grade, outcomes=tuple(map(told, grade.outcomes)), output=printable_lines(grade.output))
