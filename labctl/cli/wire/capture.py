"""The command that captures packets: to look at, into a file, or for Wireshark."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Annotated

import typer

from labctl.cli import output
from labctl.cli.chosen import lab_of
from labctl.cli.context import ago, span
from labctl.cli.options import Json, LabName, Last, Local, complete_links
from labctl.cli.ready import Ready, ReadyFd

if TYPE_CHECKING:
    from labctl.api.lab import Lab
    from labctl.api.parts.captures import Capture
    from labctl.api.results.captured import Captured
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
    if sum((start, stop, wireshark, install, file is not None)) > 1:
        raise typer.BadParameter("--start, --stop, --wireshark, --install-extcap and --write: one of them")
    if install:
        _install_extcap(as_json)
        return
    # With --last alone what was recorded is enough; with --for as well, what comes is added.
    seconds = span("--for", duration) if duration else 0.0 if last else None
    past = ago("--last", last) if last else 0.0
    ready = Ready(ready_fd, follows=seconds != 0 and not (start or stop))
    found, named = lab_of(lab), places or []
    hosts = found.hosts(*named)
    begun: Callable[[], object] = partial(_tell_begun, ready, hosts) if seconds != 0 else lambda: None
    if stop or start:
        _switch(found, hosts, named, start, as_json)
        return

    def seen(until: Callable[[], bool], report: Callable[[str], None] = output.talk) -> Capture:
        return found.packets(*named, filter=expression, last=past, seconds=seconds, until=until, report=report)

    if wireshark:
        _for_wireshark(found, named, seen, begun)
    elif file is not None:
        found.prepare()
        with _opened(file) as (out, begin):
            summary = _written(seen(_closed(out)), out, partial(_both, begin, begun))
        _tell(summary, "standard output" if str(file) == "-" else str(file))
    else:
        _show(seen(partial(output.nobody_reads, sys.stdout)), hosts, as_json, begun)


def _both(first: Callable[[], object], second: Callable[[], object]) -> None:
    first()
    second()


def _tell_begun(ready: Ready, hosts: Sequence[str]) -> None:
    shown = ", ".join(hosts) if len(hosts) <= SHOWN else f"{len(hosts)} nodes"
    ready.say(hosts, f"capturing at {shown}: what passes from now on is seen")


def _install_extcap(as_json: bool) -> None:
    from labctl.api.files import install_extcap

    file = install_extcap()
    if as_json:
        output.document({"installed": str(file)})
    else:
        output.talk(f"{file} is there: Wireshark lists the nodes of running labs from its next start on (or by F5)")


def _switch(lab: Lab, hosts: Sequence[str], places: Sequence[str], on: bool, as_json: bool) -> None:
    if on:
        lab.record(*places)
        names = hosts
    else:
        names = lab.forget(*places, syscalls=False)
    if as_json:
        output.document({"recorded" if on else "ended": list(names)})
    elif names:
        output.talk(f"{', '.join(names)}: {'recorded from now on' if on else 'recorded no more'}")
    else:
        output.talk("nothing was being recorded")


def _show(capture: Capture, hosts: Sequence[str], as_json: bool, begun: Callable[[], object]) -> None:
    from labctl.render.packets.lines import Lines, line_document

    lines = Lines(list(hosts), columns=output.columns(), colour=output.colour(), local=output.Settings.local)

    def show(one: Seen) -> None:
        if as_json:
            output.json_line(line_document(one))
        else:
            output.data(lines.line(one))

    with capture as seen:
        begun()
        try:
            for one in seen:
                show(one)
            if output.nobody_reads(sys.stdout):
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


def _written(seen: Capture, out: IO[bytes], begin: Callable[[], object] = lambda: None) -> Captured:
    """Raises LabError; OSError, also where nobody reads it any more."""
    from labctl.api.parts.captures import write_pcapng

    summary = write_pcapng(seen, out, begin)
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
    from labctl.api.files import written

    with written(file) as found:
        yield found


def _tell(summary: Captured, where: str) -> None:
    count = f"{summary.packets} packet{'' if summary.packets == 1 else 's'}"
    output.talk(f"{count} in {where}" if where != "standard output" else count)
    for remark in summary.remarks:
        output.talk(remark)


def _for_wireshark(lab: Lab, places: Sequence[str], seen: Callable[..., Capture], begun: Callable[[], object]) -> None:
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
            _written(seen(_closed(child.stdin), lambda text: None), child.stdin, begun)
    finally:
        with contextlib.suppress(BrokenPipeError):
            child.stdin.close()
