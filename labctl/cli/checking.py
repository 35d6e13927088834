"""Commands about a topology's file as it is written: validate, schema."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labctl.cli import output
from labctl.cli.options import Json, complete_topologies

if TYPE_CHECKING:
    from labctl.topology.builtin import Source


def validate(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="A Compose file, or the name of a built-in topology, with a size (line:5) or without.",
            autocompletion=complete_topologies,
        ),
    ],
    as_json: Json = False,
) -> None:
    """Check a topology's file: every error at once, each with its line and what to do."""
    from labctl.engine import endpoint
    from labctl.engine.compose import Compose
    from labctl.lab.validate import VARIABLES
    from labctl.lab.validate import validate as uses
    from labctl.render import validation

    source = _source(file)
    compose = Compose(endpoint.find(), {**VARIABLES, **dict(source.variables)})

    def ask(path: Path) -> str:
        return compose.config(path, text=source.text if path == source.file else None)

    built_in = source.text is not None or source.variables  # made for a size: what it is called is no file's name
    report = uses(file if built_in else str(source.file), ask, path=source.file, text=source.text)
    if as_json:
        output.document(report.as_json())
    elif report.problems:
        output.data(validation.text(report))
    if report.unasked:
        output.talk(f"Compose was not asked: {report.unasked}")
    output.talk(validation.verdict(report))
    if report.errors:
        raise typer.Exit(1)


def _source(name: str) -> Source:
    """A path as it is given, though nothing may be there; else a built-in topology, in a size where one is given."""
    from labctl.topology import builtin

    is_file = "/" in name or Path(name).exists()
    if not is_file and (name in builtin.names() or builtin.is_sized(name)):
        return builtin.find(name)
    return builtin.Source(Path(name))


def schema() -> None:
    """Print the JSON Schema of a Compose file with x-labctl in it, for editors."""
    from labctl.topology import extension

    output.write(extension.SCHEMA.read_text(encoding="utf-8"))
