"""Commands about topologies that start nothing: graph."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labctl.cli import output
from labctl.cli.lab.running import TopologyName
from labctl.cli.options import EnvFiles, Files, Json, LabName, Profiles, RunFile, topology_options

if TYPE_CHECKING:
    from labctl.lab.drawing.picture import Picture
    from labctl.topology.builtin import Options


class Format(enum.StrEnum):
    """What `labctl graph` can draw."""

    TEXT = "text"
    MERMAID = "mermaid"
    SVG = "svg"
    DOT = "dot"
    JSON = "json"


def graph(
    topology: TopologyName = None,
    files: Files = None,
    profile: Profiles = None,
    env_file: EnvFiles = None,
    run: RunFile = None,
    lab: LabName = None,
    form: Annotated[
        Format | None, typer.Option("--format", show_default="text", help="What the picture is made as.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write to a file; - is standard output.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Draw a topology, or without one a running lab: nodes, networks, addresses, routers, routes, conditions."""
    of_files = topology is not None or bool(files)
    if of_files and lab:
        raise typer.BadParameter("name a topology or a lab, not both")
    if as_json and form not in (None, Format.JSON):
        raise typer.BadParameter(f"--json or --format {form}, not both")
    chosen = Format.JSON if as_json else form or Format.TEXT
    output.Settings.json = chosen is Format.JSON  # an error is then a document, too
    into_file = file is not None and str(file) != "-"
    if not of_files and (profile or env_file):
        raise typer.BadParameter("--profile and --env-file are about a topology: name it")
    if run and of_files:
        raise typer.BadParameter("name a topology or a run, not both")
    options = topology_options(files, profile, env_file)
    found = _of_topology(topology, options) if of_files else _of_lab(lab, run)
    text = _drawn(found, chosen, terminal=not into_file)
    if file is not None and into_file:
        output.save(file, text)
        output.talk(f"the picture is in {file}")
    elif chosen is Format.SVG:
        output.markup(text)
    else:
        output.data(text)


def _of_topology(name: str | None, options: Options) -> Picture:
    from labctl.cli.context import asked_name
    from labctl.engine import connect
    from labctl.lab.drawing import picture
    from labctl.lab.drawing.role_labels import Roles
    from labctl.lab.placing import blueprint

    engine = connect()
    topology = blueprint.read(engine, name, asked_name(None), options=options).topology
    roles = Roles(topology, lambda: engine)
    found = picture.of_topology(topology, roles.of)
    if roles.problem:
        output.talk(f"the roles of some nodes are left out: {roles.problem.message}")
    return found


def _of_lab(name: str | None, run: str | None) -> Picture:
    from labctl.cli.context import engine_and_lab
    from labctl.lab.drawing import picture

    if run:
        from labctl.cli.saved_runs.looking import of_file

        return of_file(run, name).picture
    return picture.of_lab(*engine_and_lab(name))


def _drawn(picture: Picture, form: Format, *, terminal: bool) -> str:
    if form is Format.SVG:
        from labctl.render.graph import svg

        return svg.draw(picture)
    if form is Format.MERMAID:
        from labctl.render.graph import mermaid

        return mermaid.draw(picture)
    if form is Format.DOT:
        from labctl.render.graph import dot

        return dot.draw(picture)
    if form is Format.JSON:
        from labctl.render.graph.document import document

        return output.document_text(document(picture))
    from labctl.render.graph import text

    columns = output.columns() if terminal else None
    return text.draw(picture, columns=columns, colour=terminal and output.colour())
