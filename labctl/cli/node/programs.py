"""Commands for somebody's own program as a host: run, rm."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labctl.cli import output
from labctl.cli.options import Json, LabName, Timeout, complete_nodes

if TYPE_CHECKING:
    from labctl.api.programs import Ran, Wanted
    from labctl.engine.model import Engine

Command = Annotated[
    list[str] | None,
    typer.Argument(metavar="[CMD]...", help="The program with its own options; -- may come before it."),
]
Names = Annotated[
    list[str], typer.Argument(metavar="NODE...", help="Hosts of programs.", autocompletion=complete_nodes)
]
HostName = Annotated[str | None, typer.Option("--name", "-n", metavar="NAME", help="The host's; else the file's.")]
Folder = Annotated[
    Path, typer.Option("--folder", "-C", metavar="DIR", help="What the program sees at /program, read-only.")
]
Image = Annotated[str | None, typer.Option("--image", metavar="IMAGE", help="A local image, in place of labctl's own.")]
_NETWORK = "Where the lab has several; service:HOST is that host's own."
Network = Annotated[str | None, typer.Option("--network", metavar="NET", help=_NETWORK)]
Address = Annotated[str | None, typer.Option("--address", metavar="A", help="A free address of the network.")]
Listen = Annotated[
    int | None,
    typer.Option("--listen", metavar="PORT", min=1, max=65535, help="Wait until it listens on this port."),
]
Publish = Annotated[
    list[str] | None,
    typer.Option("--publish", "-p", metavar="[PORT:]PORT", help="On 127.0.0.1 of this machine; again for more."),
]
Memory = Annotated[str, typer.Option("--memory", metavar="SIZE", help="The most that it gets, such as 64m.")]
Env = Annotated[
    list[str] | None,
    typer.Option("--env", "-e", metavar="NAME[=VALUE]", help="A variable; without a value yours. Again for more."),
]
ReadyText = Annotated[
    str | None, typer.Option("--ready", metavar="TEXT", help="Wait until it prints a line with this text.")
]
HostOption = Annotated[
    str, typer.Option("--host", metavar="HOST", help="The machine to run it on, where the lab is on several.")
]
NoWait = Annotated[bool, typer.Option("--no-wait", help="Return as soon as it is started.")]
Watch = Annotated[bool, typer.Option("--watch", "-w", help="Start it again whenever a file in the folder changes.")]
Replace = Annotated[bool, typer.Option("--replace", help="In the place of a program of that name that runs.")]


def run(
    command: Command = None,
    name: HostName = None,
    folder: Folder = Path(),
    watch: Watch = False,
    image: Image = None,
    network: Network = None,
    address: Address = None,
    listen: Listen = None,
    publish: Publish = None,
    memory: Memory = "256m",
    host: HostOption = "",
    env: Env = None,
    ready: ReadyText = None,
    no_wait: NoWait = False,
    replace: Replace = False,
    timeout: Timeout = 30.0,
    lab: LabName = None,
    as_json: Json = False,
) -> None:
    """Run your own program as a host of the lab; where there is none, an empty one is started for it."""
    from labctl.api import programs

    if not command and image is None:
        raise typer.BadParameter("name the program, as in `labctl run --name srv -- python3 server.py`")
    what = programs.wanted(
        name,
        command or [],
        folder=folder,
        image=image,
        network=network,
        address=address,
        publish=publish or (),
        memory=memory,
        variables=env or [],
        ours=os.environ,
        listen=listen,
        ready=ready,
        replace=replace or watch,
        machine=host,
    )
    engine, there, is_new = _place(lab, what)
    ran = _start(engine, there, what, is_new=is_new, is_awaited=not no_wait, timeout=timeout, watch=watch)
    if ran:
        _show(ran, as_json, watched=watch)
    if watch:
        _watch(engine, there, what.name)


def _place(name: str | None, what: Wanted) -> tuple[Engine, str, bool]:
    """The lab that is meant, or a new empty one, once it is known that the program could run in it."""
    from labctl.cli.chosen import lab_of
    from labctl.errors import LabNotFound

    try:
        found = lab_of(name)
    except LabNotFound:
        from labctl.api import programs
        from labctl.cli.context import asked_name

        asked = asked_name(name)
        with output.Progress("starting a lab") as report:
            made = programs.home(asked, what, report=report)
        if made is None:
            raise
        engine, lab = made
        where = ", ".join(filter(None, engine.machines))
        said = f"an empty one{f' on {where}' if where else ''}"
        output.talk(f"no lab {'of that name ' if asked else ''}is there: {lab} is started, {said}")
        return engine, lab, True
    return found.engine, found.name, False


def _start(
    engine: Engine, lab: str, what: Wanted, *, is_new: bool, is_awaited: bool, timeout: float, watch: bool
) -> Ran | None:
    """None where it failed and is watched: the next change may mend it."""
    from labctl.api import programs
    from labctl.errors import LabTimeout, NodeFailed

    try:
        with output.Progress(f"starting {what.name}") as report:
            return programs.begun(engine, lab, what, wait=is_awaited, timeout=timeout, report=report)
    except (NodeFailed, LabTimeout) as problem:
        if not watch:
            raise
        brief = problem.having(lines="")  # these are shown as what it prints
        output.talk(f"labctl: {brief.message}\n  {brief.hint}".rstrip())
        return None
    except BaseException as problem:
        if is_new and not isinstance(problem, Exception):  # a signal
            programs.take_down_if_empty(engine, lab)  # else somebody else's program is in it by now
        raise


def _show(ran: Ran, as_json: bool, *, watched: bool) -> None:
    if as_json:
        output.document(ran.as_json())
        return
    from labctl.render.programs import began

    output.data(began(ran, lines=not watched))  # else they are shown as what it prints
    for note in ran.notes:
        output.talk(f"note: {note}")


def _watch(engine: Engine, lab: str, name: str) -> None:
    from labctl.api import programs
    from labctl.api.labs import find

    def show(line: str, stderr: bool) -> None:
        (output.talk if stderr else output.data)(line)

    try:
        programs.watch(find(lab, engine=engine, force=True), name, show, output.talk, whole=True)
    except (KeyboardInterrupt, output.Terminated):
        output.talk(f"{name} goes on, and is watched no more; `labctl rm {name}` removes it")
        raise


def rm(nodes: Names, lab: LabName = None, as_json: Json = False) -> None:
    """Remove hosts that `labctl run` made; an empty lab goes with its last one."""
    from labctl.api import programs
    from labctl.cli.chosen import lab_of

    there = lab_of(lab)
    names = list(there.need_programs(*nodes))
    with output.Progress("removing") as report:
        there.remove(*names, report=report)
        last = programs.take_down_if_empty(there.engine, there.name, report)
    if as_json:
        output.document({"lab": there.name, "removed": names, "down": last})
        return
    told = f"{', '.join(names)} {'is' if len(names) == 1 else 'are'} removed"
    output.talk(told + (f"; nothing else was in {there.name}, which is down" if last else ""))
