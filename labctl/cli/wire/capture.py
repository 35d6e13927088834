"""The command that captures packets: to look at, into a file, or for Wireshark."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from labctl.cli import output
from labctl.cli.context import ago, consent_to, engine_and_lab, prepare_probe, span
from labctl.cli.options import Json, LabName, Last, Local, complete_links
from labctl.cli.ready import Ready, ReadyFd

if TYPE_CHECKING:
    from labctl.engine.model import Engine
    from labctl.lab.model import Lab
    from labctl.lab.recording.capture import Capture, Place, Summary
    from labctl.packets.matching.live import Seen

SHOWN = 8  # nodes that are named one by one
Places = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NODE...|LINK]",
        help="Nodes, or a link: alice-bob, alice:bob for one way. Without: all that run.",
        autocompletion=complete_links,
    ),
]


def capture(
    places: Places = None,
    file: Annotated[
        Path | None, typer.Option("--write", "-w", metavar="FILE", help="Write pcapng; - is standard output.")
    ] = None,
    duration: Annotated[str | None, typer.Option("--for", metavar="TIME", help="End after 10s, 5m ...")] = None,
    last: Last = None,
    local: Local = False,
    expression: Annotated[
        str, typer.Option("--filter", metavar="EXPR", help="Only what tcpdump's filter takes, such as 'tcp port 7'.")
    ] = "",
    wireshark: Annotated[bool, typer.Option("--wireshark", help="Show it in Wireshark as it comes.")] = False,
    start: Annotated[bool, typer.Option("--start", help="Only begin to record, for a later look back.")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="End recording, and forget what was recorded.")] = False,
    install: Annotated[
        bool, typer.Option("--install-extcap", help="Put the nodes of all labs into Wireshark's list of interfaces.")
    ] = False,
    ready_fd: ReadyFd = None,
    lab: LabName = None,
    as_json: Json = False,
) -> None:
    """Show packets of nodes or of a link as they come, or write them as pcapng for Wireshark and tshark."""
    from labctl.lab.recording import capture
    from labctl.lab.recording.capture import Capture

    if sum((start, stop, wireshark, install, file is not None)) > 1:
        raise typer.BadParameter("--start, --stop, --wireshark, --install-extcap and --write: one of them")
    if install:
        _install_extcap(as_json)
        return
    # With --last alone what was recorded is enough; with --for as well, what comes is added.
    seconds = span("--for", duration) if duration else 0.0 if last else None
    past = ago("--last", last) if last else 0.0
    ready = Ready(ready_fd, follows=seconds != 0 and not (start or stop))
    engine, found = engine_and_lab(lab)
    where = capture.place(found, places or [], expression)
    begun: Callable[[], object] = partial(_tell_begun, ready, where) if seconds != 0 else lambda: None
    if stop or start:
        _switch(engine, found, where, start, as_json)
        return
    prepare_probe(engine)
    if wireshark:
        _for_wireshark(engine, found, where, past, seconds, places or [], begun)
    elif file is not None:
        with _opened(file) as (out, begin):
            seen = Capture(engine, found, where, last=past, seconds=seconds, enough=_closed(out), talk=output.talk)
            summary = _written(seen, out, partial(_both, begin, begun))
        _tell(summary, "standard output" if str(file) == "-" else str(file))
    else:
        _show(engine, found, where, past, seconds, as_json, begun)


def _both(first: Callable[[], object], second: Callable[[], object]) -> None:
    first()
    second()


def _tell_begun(ready: Ready, where: Place) -> None:
    names = [node.name for node in where.nodes]
    shown = ", ".join(names) if len(names) <= SHOWN else f"{len(names)} nodes"
    ready.say(names, f"capturing at {shown}: what passes from now on is seen")


def _install_extcap(as_json: bool) -> None:
    from labctl.lab.recording.wireshark import install

    file = install()
    if as_json:
        output.document({"installed": str(file)})
    else:
        output.talk(f"{file} is there: Wireshark lists the nodes of running labs from its next start on (or by F5)")


def _switch(engine: Engine, lab: Lab, where: Place, on: bool, as_json: bool) -> None:
    from labctl.lab.recording import recorders

    if on:
        prepare_probe(engine)
        recorders.begin(engine, lab, where.nodes)
        names = [node.name for node in where.nodes]
    else:
        consent_to(engine, lab.name, lab.standing)
        names = recorders.stop(engine, lab, where.nodes)
    if as_json:
        output.document({"recorded" if on else "ended": names})
    elif names:
        output.talk(f"{', '.join(names)}: {'recorded from now on' if on else 'recorded no more'}")
    else:
        output.talk("nothing was being recorded")


def _show(
    engine: Engine,
    lab: Lab,
    where: Place,
    last: float,
    seconds: float | None,
    as_json: bool,
    begun: Callable[[], object],
) -> None:
    from labctl.lab.recording.capture import Capture
    from labctl.render.packets.lines import Lines, line_document

    names, local = [node.name for node in where.nodes], output.Settings.local
    lines = Lines(names, columns=output.columns(), colour=output.colour(), local=local)

    def show(one: Seen) -> None:
        if as_json:
            output.json_line(line_document(one))
        else:
            output.data(lines.line(one))

    closed = partial(output.nobody_reads, sys.stdout)
    with Capture(engine, lab, where, last=last, seconds=seconds, enough=closed, talk=output.talk) as seen:
        begun()
        try:
            for one in seen:
                show(one)
            if closed():
                raise output.Unwritten(errno.EPIPE)
        except (KeyboardInterrupt, output.Terminated):
            for one in seen.rest():
                show(one)
            raise
        finally:
            for remark in seen.summary.remarks:
                output.talk(remark)


def _closed(out: IO[bytes]) -> Callable[[], bool]:
    return partial(output.nobody_reads, out)


def _written(seen: Capture, out: IO[bytes], begin: Callable[[], object] = lambda: None) -> Summary:
    """Raises LabError; OSError, also where nobody reads it any more."""
    from labctl.lab.recording.write import write

    summary = write(seen, out, begin)
    if output.nobody_reads(out):
        raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
    return summary


@contextlib.contextmanager
def _opened(file: Path) -> Iterator[tuple[IO[bytes], Callable[[], object]]]:
    """The file, or standard output, and what empties it. Raises LabError `file-unwritable`, Unwritten."""
    if str(file) == "-":
        if sys.stdout.isatty():
            raise typer.BadParameter("a terminal can't show pcapng: lead it into a file or a program, or leave -w out")
        try:
            yield sys.stdout.buffer, lambda: None
        except OSError as problem:
            raise output.Unwritten(problem.errno or errno.EIO) from None
        return
    from labctl.lab.recording.write import opened

    with opened(file) as found:
        yield found


def _tell(summary: Summary, where: str) -> None:
    count = f"{summary.packets} packet{'' if summary.packets == 1 else 's'}"
    output.talk(f"{count} in {where}" if where != "standard output" else count)
    for remark in summary.remarks:
        output.talk(remark)


def _for_wireshark(
    engine: Engine,
    lab: Lab,
    where: Place,
    last: float,
    seconds: float | None,
    places: list[str],
    begun: Callable[[], object],
) -> None:
    from labctl.lab.recording.capture import Capture

    program = shutil.which("wireshark")
    if program is None:
        import shlex

        words = ["labctl", "capture", "--lab", lab.name, *places, "-w", "-"]
        output.talk("there is no wireshark here; on a machine that has one, with HOST for this one:")
        output.data(f"ssh HOST {shlex.quote(shlex.join(words))} | wireshark -k -i -")
        return
    child = subprocess.Popen([program, "-k", "-i", "-"], stdin=subprocess.PIPE, start_new_session=True)
    assert child.stdin
    try:
        with contextlib.suppress(BrokenPipeError):  # its window was closed
            seen = Capture(engine, lab, where, last=last, seconds=seconds, enough=_closed(child.stdin))
            _written(seen, child.stdin, begun)
    finally:
        with contextlib.suppress(BrokenPipeError):
            child.stdin.close()
