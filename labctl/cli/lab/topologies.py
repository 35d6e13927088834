"""Commands about topologies that start nothing: graph."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labctl.cli import output
from labctl.cli.lab.running import TopologyName
from labctl.cli.options import EnvFiles, Files, Json, LabName, Profiles, RunFile

if TYPE_CHECKING:
    from labctl.api.results.graph import Graph


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
    if of_files:
        from labctl.api import topologies
        from labctl.cli.context import asked_name

        found = topologies.graph(
            topology,
            name=asked_name(None),
            files=files or (),
            profiles=profile or (),
            env_files=env_file or (),
        )
    else:
        found = _of_lab(lab, run)
    for note in found.notes:
        output.talk(note)
    text = _drawn(found, chosen, terminal=not into_file)
    if file is not None and into_file:
        output.save(file, text)
        output.talk(f"the picture is in {file}")
    elif chosen is Format.SVG:
        output.markup(text)
    else:
        output.data(text)


def _of_lab(name: str | None, run: str | None) -> Graph:
    if run:
        from labctl.api.results.graph import Graph
        from labctl.cli.saved_runs.looking import of_file

        return Graph(of_file(run, name).picture)
    from labctl.cli.chosen import lab_of

    return lab_of(name).graph()


def _drawn(graph: Graph, form: Format, *, terminal: bool) -> str:
    if form is Format.SVG:
        return graph.svg()
    if form is Format.MERMAID:
        return graph.mermaid()
    if form is Format.DOT:
        return graph.dot()
    if form is Format.JSON:
        return output.document_text(graph.as_json())
    return graph.text(columns=output.columns() if terminal else None, colour=terminal and output.colour())
