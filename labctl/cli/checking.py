"""Commands about a topology's file as it is written: validate, schema."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from labctl.cli import output
from labctl.cli.options import Json, complete_topologies


def validate(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="A Compose file, or the name of a built-in topology.",
            autocompletion=complete_topologies,
        ),
    ],
    as_json: Json = False,
) -> None:
    """Check a topology's file: every error at once, each with its line and what to do."""
    from labctl.lab.validate import validate as uses
    from labctl.render import validation

    report = uses(_named(file), _compose)
    if as_json:
        output.document(report.as_json())
    elif report.problems:
        output.data(validation.text(report))
    if report.unasked:
        output.talk(f"Compose was not asked: {report.unasked}")
    output.talk(validation.verdict(report))
    if report.errors:
        raise typer.Exit(1)


def _named(file: str) -> str:
    from labctl.topology import builtin

    if "/" in file or Path(file).exists() or file not in builtin.names():
        return file
    return str(builtin.locate(file))


def _compose(file: Path) -> str:
    from labctl.engine import endpoint
    from labctl.engine.compose import Compose
    from labctl.lab.validate import VARIABLES

    return Compose(endpoint.find(), VARIABLES).config(file)


def schema() -> None:
    """Print the JSON Schema of a Compose file with x-labctl in it, for editors."""
    from labctl.topology import extension

    output.write(extension.SCHEMA.read_text(encoding="utf-8"))
