"""Commands that work inside a node: exec, shell, top, cp."""

from __future__ import annotations

import errno
import signal
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from labctl.cli import output
from labctl.cli.context import engine_and_lab, prepare_probe
from labctl.cli.options import Json, LabName, NodeName, complete_nodes

if TYPE_CHECKING:
    from labctl.engine.model import Engine
    from labctl.lab.inside.archives import Carried
    from labctl.lab.inside.execution import Place

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
    engine, place = _place(node, lab, index)
    terminal = not nothing and sys.stdin.isatty() and sys.stdout.isatty()
    raise typer.Exit(_run(engine, place, command, terminal=terminal, keyboard=not nothing))


def shell(node: NodeName, index: Number = None, lab: LabName = None) -> None:
    """Sit down at a shell in a node: bash where its image has one, else sh."""
    from labctl.lab.inside.shells import command_of

    engine, place = _place(node, lab, index)
    command = command_of(engine, place)
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    raise typer.Exit(_run(engine, place, command, terminal=terminal, keyboard=True))


def _place(name: str, lab: str | None, index: int | None) -> tuple[Engine, Place]:
    from labctl.lab.choosing import one
    from labctl.lab.inside.execution import Place

    engine, found = engine_and_lab(lab)
    return engine, Place(found, found.running(one(found, name, index), "no command can run in it"))


def _run(engine: Engine, place: Place, command: Sequence[str], *, terminal: bool, keyboard: bool) -> int:
    from labctl.errors import ProgramNotFound
    from labctl.lab.inside import execution

    try:
        if terminal or not engine.half_closes:
            return execution.at_terminal(
                engine, place, command, terminal=terminal, keyboard=keyboard, why_ended=_why_ended
            )
        source = sys.stdin.fileno() if keyboard else None
        return execution.run(engine, place, command, source=source, show=_show, why_ended=_why_ended)
    except ProgramNotFound as problem:
        output.talk(f"labctl: {problem.message}\n  {problem.hint}")
        return execution.status_of(problem)


def _show(data: bytes, stderr: bool) -> None:
    from labctl.lab.inside.execution import standard_output

    try:
        standard_output(data, stderr)
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
    from labctl.lab.inside.top import top

    engine, found = engine_and_lab(lab)
    running = top(engine, found, nodes or [])
    if as_json:
        output.document({"lab": found.name, "nodes": [node.as_json() for node in running]})
        return
    from labctl.render.processes import table

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
    from labctl.lab.inside import copying

    here, there = copying.spot(source), copying.spot(target)
    if (here.node is None) == (there.node is None):
        raise typer.BadParameter("one of FROM and TO is NODE:PATH, and the other one a path here")
    engine, found = engine_and_lab(lab)
    prepare_probe(engine)
    if here.node:
        out = sys.stdout.buffer if target == "-" else None
        carried = _written(lambda: copying.copy_out(engine, found, here, there, out, follow=follow))
    else:
        archive = sys.stdin.buffer if source == "-" else None
        carried = copying.copy_in(engine, found, here, there, archive, follow=follow)
    if as_json and target != "-":
        # Of an archive that is handed on nobody counts what it holds.
        counts = {"files": carried.files, "bytes": carried.bytes, "left_out": carried.left_out} if source != "-" else {}
        output.document({"from": here.shown, "to": there.shown, **counts})
    elif "-" not in (source, target):
        more = f"; {carried.left_out} that are no files were left out" if carried.left_out else ""
        output.talk(f"{here.shown} -> {there.shown}  files {carried.files}, {carried.bytes} B{more}")


def _written(copy: Callable[[], Carried]) -> Carried:
    """What went to standard output went there, or nobody reads it any more."""
    try:
        done = copy()
        sys.stdout.buffer.flush()
        return done
    except OSError as problem:
        raise output.Unwritten(problem.errno or errno.EIO) from None
