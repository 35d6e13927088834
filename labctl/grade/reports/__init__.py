"""The forms in which a grade is written: one file each, and one line in the table."""

from __future__ import annotations

import importlib
from collections.abc import Callable

from labctl.grade.model import Grade

NAMES = ("json", "junit", "gradescope", "classroom50", "check50", "html")
# Those that a grading system reads: that it ran is a success, whatever the marks.
FOR_SYSTEMS = ("gradescope", "classroom50", "check50")


def writer(name: str) -> Callable[[Grade], str]:
    """What writes that form."""
    found: Callable[[Grade], str] = importlib.import_module(f"labctl.grade.reports.{name}").write
    return found
