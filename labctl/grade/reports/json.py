"""A grade as labctl's own document."""

from __future__ import annotations

import json
from typing import Any

from labctl.grade.model import Grade, Outcome

SCHEMA_VERSION = 1


def document(grade: Grade) -> dict[str, Any]:
    """All of it; times are in seconds."""
    return {
        "schema_version": SCHEMA_VERSION,
        "subject": grade.subject.name,
        "command": list(grade.command),
        "seed": grade.seed,
        "score": grade.score,
        "max_score": grade.most,
        "passed": grade.passed,
        "seconds": round(grade.seconds, 3),
        "checks": [_check(one) for one in grade.outcomes],
        "output": grade.output,
        "notes": list(grade.notes),
    }


def _check(one: Outcome) -> dict[str, Any]:
    return {
        "name": one.check.name,
        "rationale": one.check.what,
        "verdict": one.verdict,
        "score": one.score,
        "max_score": one.check.points,
        "needs": list(one.check.needs),
        "expected": one.expected,
        "actual": one.actual,
        "help": one.help,
        "why": one.why,
        "ladder": one.ladder,
        "again": one.again,
        "seconds": round(one.seconds, 3),
    }


def write(grade: Grade) -> str:
    return json.dumps(document(grade), indent=2, ensure_ascii=False)
