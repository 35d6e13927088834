"""Commands that look at a file as it is written: validate, schema."""

from __future__ import annotations

from typing import Annotated

import typer

from labctl.cli import output
from labctl.cli.options import EnvFiles, Files, Json, Profiles, complete_topologies


def validate(
    topology: Annotated[
        str | None,
        typer.Argument(
            metavar="[FILE]",
            help="A Compose file, its folder, or the name of a built-in topology, with a size (line:5) or without.",
            autocompletion=complete_topologies,
        ),
    ] = None,
    file: Files = None,
    profile: Profiles = None,
    env_file: EnvFiles = None,
    as_json: Json = False,
) -> None:
    """Check a topology's files: every error at once, each with its line and what to do."""
    from labctl.api import topologies
    from labctl.render import validation

    if topology is None and not file:
        raise typer.BadParameter(
            "name a file: `labctl validate compose.yaml`, or `labctl validate .` for this folder's"
        )
    report = topologies.validate(topology, files=file or (), profiles=profile or (), env_files=env_file or ())
    if as_json:
        output.document(report.as_json())
    elif report.problems:
        output.data(validation.text(report))
    if report.unasked:
        output.talk(f"Compose was not asked: {report.unasked}")
    output.talk(validation.verdict(report))
    if report.errors:
        raise typer.Exit(1)


def schema() -> None:
    """Print the JSON Schema of a Compose file with x-labctl in it, for editors."""
    from labctl.topology import extension

    output.write(extension.schema())
