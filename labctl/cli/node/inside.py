"""Commands that work inside a node: exec, shell, top, cp."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from labctl.cli import output
from labctl.cli.chosen import lab_of
from labctl.cli.options import Json, LabName, NodeName, complete_nodes

if TYPE_CHECKING:
    from labctl.api.node import Node
    from labctl.api.parts.inside import Carried

Number = Annotated[
    int | None,
    typer.Option("--index", metavar="N", min=1, help="Which container of a scaled service; else the first."),
]


def execute(
    node: NodeName,
    command: Annotated[
        list[str], typer.Argument(metavar="CMD...", help="The command with its own options; -- may come before it.")
    ],
    nothing: Annotated[bool, typer.Option("-n", help="Nothing is typed: let standard input alone.")] = False,
    index: Number = None,
    lab: LabName = None,
) -> None:
    """Run a command in a node; its exit status is labctl's. Options after its first word are the command's own."""
    terminal = not nothing and sys.stdin.isatty() and sys.stdout.isatty()
    raise typer.Exit(_run(_node(node, lab, index), command, terminal=terminal, keyboard=not nothing))


def shell(node: NodeName, index: Number = None, lab: LabName = None) -> None:
    """Sit down at a shell in a node: bash where its image has one, else sh."""
    there = _node(node, lab, index)
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    raise typer.Exit(_run(there, there.shell(), terminal=terminal, keyboard=True))


def _node(name: str, lab: str | None, index: int | None) -> Node:
    found = lab_of(lab)
    return found.node(found.container(name, index))


def _run(node: Node, command: Sequence[str], *, terminal: bool, keyboard: bool) -> int:
    from labctl.api.parts.inside import status_of
    from labctl.errors import ProgramNotFound

    try:
        return node.execute(command, terminal=terminal, keyboard=keyboard, show=_show, why_ended=_why_ended)
    except ProgramNotFound as problem:
        output.talk(f"labctl: {problem.message}\n  {problem.hint}")
        return status_of(problem)


def _show(data: bytes, stderr: bool) -> None:
    view = memoryview(data)
    try:
        while view:
            view = view[os.write(2 if stderr else 1, view) :]
    except OSError as problem:
        raise output.Unwritten(problem.errno or errno.EIO) from None


def _why_ended(cause: BaseException) -> int | None:
    """The signal that a command gets for what ends labctl."""
    if isinstance(cause, KeyboardInterrupt):
        return signal.SIGINT
    if isinstance(cause, output.Terminated):
        return int(cause.args[0])
    return signal.SIGPIPE if isinstance(cause, output.Unwritten) else None


def top(
    nodes: Annotated[
        list[str] | None, typer.Argument(metavar="[NODE]...", help="Only these nodes.", autocompletion=complete_nodes)
    ] = None,
    lab: LabName = None,
    as_json: Json = False,
) -> None:
    """Show the processes that run in nodes, as the engine's machine counts them."""
    found = lab_of(lab)
    running = list(found.top(*nodes or ()))
    if as_json:
        output.document({"lab": found.name, "nodes": [node.as_json() for node in running]})
        return
    from labctl.render.inside.processes import table

    output.data(table(running, columns=output.columns(), colour=output.colour()))


def complete_places(ctx: typer.Context, incomplete: str) -> list[str]:
    """`NODE:`, of which the shell makes what it likes; it completes paths by itself."""
    return [f"{name}:" for name in complete_nodes(ctx, incomplete)]


def cp(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FROM", help="NODE:PATH, or a path here; - reads a tar archive.", autocompletion=complete_places
        ),
    ],
    target: Annotated[
        str,
        typer.Argument(
            metavar="TO", help="A path here, or NODE:PATH; - writes a tar archive.", autocompletion=complete_places
        ),
    ],
    follow: Annotated[
        bool, typer.Option("--follow-link", help="Copy what a link leads to, instead of the link.")
    ] = False,
    lab: LabName = None,
    as_json: Json = False,
) -> None:
    """Copy a file or a folder from a node to this machine, or to a node."""
    from labctl.api.parts.inside import names_node

    if names_node(source) == names_node(target):
        raise typer.BadParameter("one of FROM and TO is NODE:PATH, and the other one a path here")
    found = lab_of(lab)
    out = target == "-"
    stream = sys.stdout.buffer if out else sys.stdin.buffer if source == "-" else None
    copy = partial(found.copy, source, target, stream=stream, follow_link=follow)
    carried, here, there = _written(copy) if out else copy()
    if as_json and not out:
        # Of an archive that is handed on nobody counts what it holds.
        counts = {"files": carried.files, "bytes": carried.bytes, "left_out": carried.left_out} if source != "-" else {}
        output.document({"from": here, "to": there, **counts})
    elif "-" not in (source, target):
        more = f"; {carried.left_out} that are no files were left out" if carried.left_out else ""
        output.talk(f"{here} -> {there}  files {carried.files}, {carried.bytes} B{more}")


def _written(copy: Callable[[], tuple[Carried, str, str]]) -> tuple[Carried, str, str]:
    """What went to standard output went there, or nobody reads it any more."""
    try:
        done = copy()
        sys.stdout.buffer.flush()
        return done
    except OSError as problem:
        raise output.Unwritten(problem.errno or errno.EIO) from None
