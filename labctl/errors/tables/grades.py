"""Errors of grading."""

from __future__ import annotations

from labctl.errors.family import FileError, InvalidArgument
from labctl.errors.kind import Kind, Table

GRADES: Table = {
    "no-such-subject": Kind(
        InvalidArgument,
        "there is nothing to grade that is called {name}{near}",
        "{has}, or a file such as SPEC.yaml (docs/grade.md)",
        "`labctl grade` knows some kinds of programs by name, and takes a file that describes another one.",
    ),
    "no-such-check": Kind(
        InvalidArgument,
        "{subject} has no check {name}{near}",
        "its checks are {has}",
        "`--only` names a check that the subject doesn't have.",
    ),
    "spec-invalid": Kind(
        InvalidArgument,
        "{file}:{row}:{column}: {why}",
        "docs/grade.md has the keys, and an example",
        "The file that describes somebody's own protocol has a mistake, at that line and column.",
    ),
    "no-submissions": Kind(
        FileError,
        "{folder} has no folder in it: each submission is one",
        "name the folder that holds the submissions",
        "`labctl grade-all` grades each folder that is in the given one.",
    ),
}
