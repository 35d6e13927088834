"""Commands that look and change nothing: ps, ls, logs, doctor."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from labctl.cli import output
from labctl.cli.lab import plain
from labctl.cli.options import Json, LabName, Local, RunFile, Since, complete_nodes
from labctl.cli.ready import Ready, ReadyFd

if TYPE_CHECKING:
    from labctl.events.model import Event

Nodes = Annotated[
    list[str] | None, typer.Argument(metavar="[NODE]...", help="Only these nodes.", autocompletion=complete_nodes)
]


def ps(lab: LabName = None, as_json: Json = False) -> None:
    """Show the nodes of a lab: state, addresses, where they listen, published ports, how they ended."""
    plain.ps(lab, as_json)


def ls(as_json: Json = False) -> None:
    """List the labs of this engine: whose each is, and what it was made from."""
    plain.ls(as_json)


def logs(
    nodes: Nodes = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")] = False,
    since: Since = None,
    tail: Annotated[
        int | None, typer.Option("--tail", "-n", metavar="N", min=0, help="Only the last N events.")
    ] = None,
    wrap: Annotated[
        bool, typer.Option("--wrap", help="Wrap what the terminal is too narrow for, and cut nothing.")
    ] = False,
    local: Local = False,
    ready_fd: ReadyFd = None,
    run: RunFile = None,
    lab: LabName = None,
    as_json: Json = False,
) -> None:
    """Show what happened at all nodes, in order of time."""
    from labctl.cli.chosen import lab_of
    from labctl.cli.context import moment
    from labctl.events.codec import encode, stamp_of
    from labctl.render.timeline import Timeline

    names, ready = nodes or [], Ready(ready_fd, follows=follow)
    events: Iterable[Event]
    if run:
        shown, events = _saved(run, lab, names, since, tail, follow=follow, ready_fd=ready_fd)
    else:
        start = stamp_of(moment("--since", since)) if since else None
        found = lab_of(lab)
        if clocks := found.clocks(*names):
            output.talk(f"note: {clocks}")
        shown = names or list(found.choose())
        said = partial(ready.say, shown)
        events = found.journal(*names, follow=follow, since=start, tail=tail, ready=said)
    timeline = Timeline(shown, columns=output.columns(), colour=output.colour(), wrap=wrap, local=local)
    for event in events:
        if as_json:
            output.json_line(encode(event))
        else:
            output.data(timeline.line(event))


def _saved(
    file: str, lab: str | None, names: list[str], since: str | None, tail: int | None, **others: object
) -> tuple[list[str], Iterable[Event]]:
    """The nodes and the events of a run in a file."""
    from labctl.bundle import looks
    from labctl.cli.saved_runs.looking import back, of_file
    from labctl.events.codec import stamp_of

    run = of_file(file, lab, **others)
    seconds = back(run, since, "--since")
    start = None if seconds is None else stamp_of(looks.end_ns(run) - int(seconds * 1e9))
    return names or [node.name for node in run.lab.nodes], looks.journal(run, names, since=start, tail=tail)


def doctor(as_json: Json = False) -> None:
    """Look at what labctl needs of this machine, and say how to mend what is missing."""
    from labctl.api import topologies

    with output.Progress("looking"):
        findings = topologies.doctor()
    fine = not any(finding.level == "bad" for finding in findings)
    if as_json:
        output.document({"ok": fine, "findings": [finding.as_json() for finding in findings]})
    else:
        from labctl.render import tables

        output.data(tables.findings(findings, columns=output.columns(), colour=output.colour()))
    if not fine:
        raise typer.Exit(1)
