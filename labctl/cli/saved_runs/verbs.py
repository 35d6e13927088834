"""Commands about runs in files: save, diff, replay."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labctl.bundle import garbage
from labctl.cli import output
from labctl.cli.chosen import lab_of
from labctl.cli.context import ago
from labctl.cli.options import TIMES, Json, LabName, Timeout
from labctl.errors import LabError

if TYPE_CHECKING:
    from labctl.bundle.again.replay import Wanted
    from labctl.bundle.model import Run
    from labctl.engine.model import Engine


def save(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="What it is saved as, such as run.labrun.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Save it as a page that any browser opens, offline.")
    ] = None,
    last: Annotated[
        str | None,
        typer.Option("--last", "--since", metavar="TIME", help=f"Only what happened from then on: {TIMES}."),
    ] = None,
    payload: Annotated[
        bool, typer.Option("--payload/--no-payload", help="With texts and all bytes of packets, or without.")
    ] = True,
    lab: LabName = None,
    as_json: Json = False,
) -> None:
    """Save all that is there of a lab as one file: topology, journal, packets of both ends, faults, what was typed.

    Packets are there where they were recorded (`labctl up --record`, `labctl capture --start`). `--run FILE` of logs,
    ladder, xray, packet, graph, sockets and expect looks at it, without a lab and without an engine.
    """
    from labctl.bundle.file import write
    from labctl.bundle.save import gather

    if file is None and html is None:
        raise typer.BadParameter("name a file, such as run.labrun, or --html FILE")
    seconds = ago("--last", last) if last else None
    found = lab_of(lab)
    found.prepare()
    with output.Progress(f"saving {found.name}") as report:
        run = gather(found.engine, found.snapshot(), last=seconds, payload=payload, report=report)
        sizes = {str(file): write(run, file)} if file else {}
        if html:
            sizes[str(html)] = _write_page(run, html)
    _tell_saved(run, sizes, as_json)


def _write_page(run: Run, file: Path) -> int:
    from labctl.bundle.container import write
    from labctl.bundle.page import document
    from labctl.page.document import saved

    content = saved(document(run)).encode()
    write(file, content)
    return len(content)


def _tell_saved(run: Run, sizes: dict[str, int], as_json: bool) -> None:
    from labctl.api.saved.run import holds

    if as_json:
        packets = sum(len(side.sent) + len(side.arrived) for side in run.sides)
        counts = {"events": len(run.events), "packets": packets, "inputs": len(run.inputs), "faults": len(run.faults)}
        files = [{"file": name, "bytes": size} for name, size in sizes.items()]
        output.document({"files": files, **counts, "payload": run.payload, "notes": list(run.notes)})
        return
    names = " and ".join(f"{name} ({size} bytes)" for name, size in sizes.items())
    output.talk(f"{names}: {holds(run)}; whoever gets it can read that")
    if run.payload:
        output.talk("--no-payload leaves texts and the bytes of packets out")
    for note in run.notes:
        output.talk(f"note: {note}")


@garbage.left_alone()
def diff(
    first: Annotated[Path, typer.Argument(metavar="A", help="A run that `labctl save` wrote.")],
    second: Annotated[Path, typer.Argument(metavar="B", help="Another one.")],
    as_json: Json = False,
) -> None:
    """Tell where two saved runs part first, in words and side by side; exit status 1 where they do.

    What can't be the same (times, addresses, ports, ids, sequence numbers ...) is left out of both, and named.
    """
    from labctl.bundle import columns
    from labctl.bundle.diff import difference
    from labctl.bundle.file import read

    found = difference(read(first), read(second))
    if as_json:
        output.document({"a": str(first), "b": str(second), **columns.document(found)})
    else:
        output.data(columns.drawn(found, columns=output.columns() or columns.COLUMNS, colour=output.colour()))
    if not found.same:
        raise typer.Exit(1)


def replay(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A run that `labctl save` wrote.")],
    into: Annotated[
        Path | None, typer.Option("--save", metavar="FILE", help="Save the new run, to be compared with `labctl diff`.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Start what the file says without asking.")] = False,
    trust: Annotated[
        bool, typer.Option("--trust", help="Also images that aren't here, mounts, privileges and open ports.")
    ] = False,
    timeout: Timeout = 5.0,
    lab: Annotated[str | None, typer.Option("--lab", "-L", metavar="NAME", help="Another name for the lab.")] = None,
    as_json: Json = False,
) -> None:
    """Do a saved run once more: bring its topology up, set the same faults, type the same lines in the same order.

    A line waits for what it followed, --timeout for each. What would be started is shown, and asked for first.
    """
    from labctl.api import machine
    from labctl.bundle.again import replay
    from labctl.bundle.file import read
    from labctl.cli.context import asked_name
    from labctl.engine import connect

    run, engine = read(file), connect()
    wanted = replay.wanted_of(engine, run, str(file))
    if wanted.objections and not trust:
        raise LabError("replay-untrusted", file=file, why="\n".join(wanted.objections))
    _ask(str(file), wanted, yes)
    with output.Progress("preparing") as report:
        machine.prepare(engine, report)
    with output.Progress("bringing the lab up") as report:
        found = replay.start(engine, wanted, asked_name(lab), record=True, timeout=120.0, report=report)
    with output.Progress("replaying") as report:
        done = replay.replay(engine, run, found, timeout=timeout, report=report)
    if into:
        _save_again(engine, found.name, into)
    if as_json:
        output.document(dataclasses.asdict(done))
        return
    for remark in done.remarks:
        output.talk(f"note: {remark}")
    output.talk(f"{done.lab} is up; {done.typed} lines were typed, {done.rules} faults set or taken back")


def _ask(file: str, wanted: Wanted, yes: bool) -> None:
    """Says what would be started, and asks. Raises LabError `replay-refused`."""
    from labctl.cli.context import says_yes

    output.talk(f"{file} would start:")
    for line in (*wanted.services, *(f"trusted: {one}" for one in wanted.objections)):
        output.talk(f"  {line}")
    if not yes and not says_yes("Start it? [y/N] "):
        raise LabError("replay-refused")


def _save_again(engine: Engine, name: str, file: Path) -> None:
    from labctl.api.labs import find
    from labctl.bundle.file import write
    from labctl.bundle.save import gather

    write(gather(engine, find(name, engine=engine).snapshot()), file)
    output.talk(f"the new run is in {file}: `labctl diff` compares the two")


def open_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A run that `labctl save` wrote; or a capture.")],
    other: Annotated[
        Path | None, typer.Argument(metavar="[OTHER]", help="The other end's capture, of the same packets.")
    ] = None,
    into: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write the page there, and open nothing.")
    ] = None,
) -> None:
    """Open a saved run, or anybody's captures (pcap, pcapng; of one end or of both), as a page in the browser.

    The page is one file that loads nothing; no lab is started, and no engine asked. Prints its address.
    """
    from labctl.cli.saved_runs import opening

    opening.open_file(str(file), None if into is None else str(into), None if other is None else str(other))
