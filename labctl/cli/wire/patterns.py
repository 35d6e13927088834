"""What the wire must show: expect."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labctl.cli import output
from labctl.cli.chosen import lab_of
from labctl.cli.context import ago
from labctl.cli.options import TIMES, Json, LabName, RunFile
from labctl.errors import LabError

if TYPE_CHECKING:
    from labctl.api.lab import Lab
    from labctl.packets.ladder.ladder import Ladder
    from labctl.packets.pattern import Found, Pattern

LONGEST = 16 << 20  # bytes of a file


def expect(
    file: Annotated[str, typer.Argument(metavar="FILE", help="The pattern; - for standard input.")],
    command: Annotated[
        list[str] | None, typer.Argument(metavar="[-- COMMAND...]", help="A labctl command: chat send alice hi.")
    ] = None,
    last: Annotated[
        str | None,
        typer.Option("--last", metavar="TIME", help=f"Instead of a command: what was recorded, {TIMES} back."),
    ] = None,
    port: Annotated[
        int | None, typer.Option(metavar="N", min=0, max=65535, help="Only packets from or to this port.")
    ] = None,
    run: RunFile = None,
    lab: LabName = None,
    as_json: Json = False,
) -> None:
    """Run a labctl command, and assert what it makes the wire show: exit 1 with the difference where that is other.

    The pattern's lines name the nodes. docs/patterns.md has the notation; `labctl ladder alice bob --format pattern`
    and `labctl trace --format pattern -- COMMAND` write a first one.
    """
    from labctl.api import wire
    from labctl.packets.pattern import seen_of

    if not run and bool(command) == bool(last):
        raise typer.BadParameter("give a labctl command behind --, or --last TIME for what was recorded")
    pattern = wire.read(_text_of(file), file)
    if len(pattern.nodes) < 2:
        raise LabError("pattern-nodes", file=file, nodes=" and ".join(pattern.nodes) or "no node")
    if run:
        _tell(
            pattern, wire.compared(pattern, lambda: seen_of(_saved(run, lab, pattern, last, port, command))), 0, as_json
        )
        return
    found = lab_of(lab)
    for name in pattern.nodes:
        found.node(name)
    status = 0
    if command:
        status, ladders = _of_command(command, pattern, found, port, apart=as_json)
        compared = wire.compared(pattern, lambda: seen_of(ladders))
    else:
        seconds = ago("--last", last or "")
        compared = wire.compared(pattern, lambda: seen_of(_recorded(pattern, seconds, found, port)))
    _tell(pattern, compared, status, as_json)


def _text_of(file: str) -> str:
    """Raises LabError `file-unreadable`."""
    import sys

    try:
        if file == "-":
            data = sys.stdin.buffer.read(LONGEST + 1)
        else:
            with Path(file).open("rb") as opened:  # which may be a device, and have no end
                data = opened.read(LONGEST + 1)
        if len(data) > LONGEST:
            raise LabError("bad-pattern", file=file, row=1, column=1, why=f"it has more than {LONGEST >> 20} MiB")
        return data.decode()
    except OSError as problem:
        raise LabError("file-unreadable", file=file, why=problem.strerror or str(problem)) from None
    except UnicodeDecodeError as problem:
        row = data[: problem.start].count(b"\n") + 1
        raise LabError("bad-pattern", file=file, row=row, column=1, why="it is no UTF-8 text") from None


def _of_command(
    command: list[str], pattern: Pattern, lab: Lab, port: int | None, *, apart: bool
) -> tuple[int, list[Ladder]]:
    """The command's exit status, and what it caused between the nodes that the pattern names."""
    from itertools import combinations

    from labctl.cli.wire.ladders import run_labctl

    with lab.trace(*pattern.nodes, command=command, port=port, limit=0) as seen:
        status = run_labctl(command, lab.name, apart=apart)
    hosts = dict.fromkeys(lab.node(name).host for name in pattern.nodes)
    return status, [seen.ladder(one, other, port=port, limit=0).drawn for one, other in combinations(hosts, 2)]


def _recorded(pattern: Pattern, seconds: float, lab: Lab, port: int | None) -> list[Ladder]:
    from datetime import timedelta

    lab.prepare()
    return [one.drawn for one in lab.wire(*pattern.nodes, since=timedelta(seconds=seconds), port=port).ladders]


def _saved(
    file: str, lab: str | None, pattern: Pattern, last: str | None, port: int | None, command: list[str] | None
) -> list[Ladder]:
    from labctl.bundle import looks
    from labctl.cli.saved_runs.looking import back, of_file
    from labctl.packets.ladder.ladder import Options

    if command:
        raise typer.BadParameter("a command behind -- is done in a lab, and --run is about a file")
    run = of_file(file, lab)
    return looks.between(run, pattern.nodes, Options(port, True, 0), back(run, last))


def _tell(pattern: Pattern, found: Found, status: int, as_json: bool) -> None:
    from labctl.api import wire

    if not found.fits:
        raise wire.differs(pattern, found, pattern.nodes)
    fits = wire.fits_of(found)
    if as_json:
        packets = [{"packet": text, "line": row} for text, row in fits.rows]
        values = {name: value.hex() if isinstance(value, bytes) else value for name, value in fits.values.items()}
        output.document({"fits": True, "packets": packets, "values": values, "status": status})
    else:
        count = len(fits.rows)
        ended = f"; the command ended with exit status {status}" if status else ""
        output.talk(f"the wire shows what the pattern says: {count} packet{'' if count == 1 else 's'}{ended}")
    if status:
        raise typer.Exit(status)
