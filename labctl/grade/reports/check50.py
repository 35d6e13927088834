"""A grade as check50's results."""

from __future__ import annotations

import json
from typing import Any

from labctl import __version__
from labctl.grade.model import Grade, Outcome
from labctl.grade.reports.text import printable_lines


def write(grade: Grade) -> str:
    found = {
        "slug": f"labctl/{grade.subject.name}",
        "results": [_result(one) for one in grade.outcomes],
        "version": __version__,
    }
    return json.dumps(found, indent=2, ensure_ascii=False)


def _result(one: Outcome) -> dict[str, Any]:
    """`passed` is null where it could not be said: a check that it needs failed, or ours did."""
    return {
        "name": one.check.name.replace("-", "_"),
        "description": one.check.what,
        "passed": {"passed": True, "failed": False}.get(one.verdict),
        "log": printable_lines(one.ladder).splitlines(),
        "cause": _cause(one),
        "data": {"again": one.again, "points": one.check.points},
        "dependency": one.check.needs[0].replace("-", "_") if one.check.needs else None,
    }


def _cause(one: Outcome) -> dict[str, Any] | None:
    if one.verdict == "passed":
        return None
    if one.verdict == "failed":
        texts = {"rationale": one.check.what, "help": one.help, "expected": one.expected, "actual": one.actual}
        return {key: printable_lines(text) or None for key, text in texts.items()}
    return {"rationale": printable_lines(one.why), "help": None, "error": None}
