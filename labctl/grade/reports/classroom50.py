"""A grade as Classroom 50's result.json (schema classroom50/result/v1). What it is a grade of comes from the
environment of the run that asks for it."""

from __future__ import annotations

import datetime as dt
import json
import os

from labctl.grade.model import Grade
from labctl.grade.reports.text import described

SCHEMA = "classroom50/result/v1"
# Its fields, and the variables that have them.
VARIABLES = {
    "classroom": "CLASSROOM",
    "assignment": "ASSIGNMENT",
    "submission": "SUBMISSION_TAG",
    "commit": "COMMIT_URL",
    "release": "RELEASE_URL",
    "review": "REVIEW_URL",
}


def write(grade: Grade) -> str:
    """Scores are whole numbers."""
    found: dict[str, object] = {"schema": SCHEMA}
    found |= {field: os.environ.get(name, "") for field, name in VARIABLES.items()}
    tests = [
        {
            "test-name": one.check.name,
            "passed": one.verdict == "passed",
            "score": one.score,
            "max-score": one.check.points,
            "output": described(one),
        }
        for one in grade.outcomes
    ]
    found |= {
        "assignment_type": os.environ.get("ASSIGNMENT_TYPE", "individual"),
        "owner": os.environ.get("OWNER") or os.environ.get("GITHUB_REPOSITORY_OWNER", ""),
        "datetime": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "score": grade.score,
        "max-score": grade.most,
        "tests": tests,
    }
    return json.dumps(found, indent=2, ensure_ascii=False)
