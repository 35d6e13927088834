"""Runs in files, as the commands that look at labs have them with --run."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from labctl.bundle.model import Run


def of_file(file: str, lab: str | None, **others: object) -> Run:
    """The run in a file; `others` are options that are about a lab, which don't go with it. Raises LabError."""
    from labctl.bundle.file import read

    given = {"--lab": lab, **{f"--{name.replace('_', '-')}": value for name, value in others.items()}}
    for name, value in given.items():
        if value:
            raise typer.BadParameter(f"{name} is about a lab, and --run about a file")
    return read(file)


def back(run: Run, last: str | None, option: str = "--last") -> float | None:
    """How many seconds before a run was saved a time is that `option` names; None: there is none. Raises LabError."""
    from labctl.bundle.looks import end_ns
    from labctl.cli.context import ago, moment
    from labctl.events import moments

    if last is None:
        return None
    if moments.span(last) is not None:
        return ago(option, last)
    return max(0.0, (end_ns(run) - moment(option, last)) / 1e9)
