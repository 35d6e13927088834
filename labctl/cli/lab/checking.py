"""Commands that look at a file as it is written: validate, schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from labctl.cli import output
from labctl.cli.options import EnvFiles, Files, Json, Profiles, complete_topologies, topology_options

if TYPE_CHECKING:
    from labctl.engine.compose.command import Reading


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
    from labctl.engine.docker import endpoint
    from labctl.lab.placing.blueprint import compose_for
    from labctl.lab.validate import VARIABLES, validate
    from labctl.render import validation
    from labctl.topology import builtin

    if topology is None and not file:
        raise typer.BadParameter(
            "name a file: `labctl validate compose.yaml`, or `labctl validate .` for this folder's"
        )
    source = builtin.find(topology, topology_options(file, profile, env_file), strict=False)
    made = source.text is not None or any(name not in VARIABLES for name, _ in source.variables)  # for a size
    compose = compose_for(endpoint.find(), source, **({} if profile else VARIABLES))

    def ask(text: str | None) -> Reading:
        return compose.config(source.file, more=source.more, text=source.text if text is None else text)

    names = [topology or ""] if made else source.names  # what was made for a size has no file's name
    report = validate(names, ask, paths=source.files, text=source.text)
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
