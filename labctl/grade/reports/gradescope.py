"""A grade as Gradescope's results.json."""

from __future__ import annotations

import json

from labctl.grade.model import Grade
from labctl.grade.reports.text import described, summary


def write(grade: Grade) -> str:
    """One test for each check; a skipped one has no status, and says why."""
    tests = []
    for number, one in enumerate(grade.outcomes, 1):
        test = {
            "name": f"{one.check.name}: {one.check.what}",
            "name_format": "text",
            "number": str(number),
            "score": one.score,
            "max_score": one.check.points,
            "output": described(one),
            "output_format": "text",
            "visibility": "visible",
            "extra_data": {"check": one.check.name, "seed": grade.seed},
        }
        if one.verdict in ("passed", "failed"):
            test["status"] = one.verdict
        tests.append(test)
    return json.dumps(
        {
            "score": grade.score,
            "execution_time": round(grade.seconds, 3),
            "output": summary(grade),
            "output_format": "text",
            "visibility": "visible",
            "stdout_visibility": "hidden",
            "extra_data": {"seed": grade.seed, "command": list(grade.command)},
            "tests": tests,
        },
        indent=2,
        ensure_ascii=False,
    )
