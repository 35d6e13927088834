"""Commands for somebody's own program as a host: run, rm."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from labctl.cli import output
from labctl.cli.options import Json, LabName, NodeName, Timeout

if TYPE_CHECKING:
    from labctl.api.lab import Lab
    from labctl.api.programs import Program
    from labctl.lab.programs.wanted import Wanted

Command = Annotated[
    list[str] | None,
    typer.Argument(metavar="[CMD]...", help="The program with its own options; -- may come before it."),
]
HostName = Annotated[str | None, typer.Option("--name", "-n", metavar="NAME", help="The host's; else the file's.")]
Folder = Annotated[
    Path, typer.Option("--folder", "-C", metavar="DIR", help="What the program sees at /program, read-only.")
]
Image = Annotated[str | None, typer.Option("--image", metavar="IMAGE", help="A local image, in place of labctl's own.")]
Network = Annotated[str | None, typer.Option("--network", metavar="NET", help="Where the lab has several.")]
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
    env: Env = None,
    ready: ReadyText = None,
    no_wait: NoWait = False,
    replace: Replace = False,
    timeout: Timeout = 30.0,
    lab: LabName = None,
    as_json: Json = False,
) -> None:
    """Run your own program as a host of the lab; where there is none, an empty one is started for it."""
    from labctl.api.programs import asked
    from labctl.lab.programs.wanted import environment

    if not command and image is None:
        raise typer.BadParameter("name the program, as in `labctl run --name srv -- python3 server.py`")
    what = asked(
        name,
        command or [],
        folder=folder,
        image=image,
        publish=publish or (),
        memory=memory,
        listen=listen,
        ready=ready,
        more={
            "network": network,
            "address": address,
            "replace": replace or watch,
            "environment": environment(env or [], os.environ),
        },
    )
    found, is_new = _lab(lab, what)
    program = _start(found, what, is_new=is_new, is_awaited=not no_wait, timeout=timeout, watch=watch)
    if program:
        _show(program, as_json)
    if watch:
        _watch(found, what.name)


def _lab(name: str | None, what: Wanted) -> tuple[Lab, bool]:
    """The lab that is meant, or an empty one, once it is known that the program could run in it."""
    from labctl.api.lab import Lab
    from labctl.api.labs import empty
    from labctl.cancel import Cancel
    from labctl.cli.context import asked_name, engine_and_lab
    from labctl.engine import connect
    from labctl.errors import LabNotFound
    from labctl.lab.programs.empty import is_needed
    from labctl.lab.programs.run import checked

    try:
        engine, there = engine_and_lab(name)
    except LabNotFound:
        engine = connect()
        if not is_needed(engine, asked_name(name)):
            raise
        checked(engine, what)
        with output.Progress("starting a lab") as report:
            found = empty(asked_name(name), engine=engine, report=report)
        output.talk(
            f"no lab {'of that name ' if asked_name(name) else ''}is there: {found.name} is started, an empty one"
        )
        return found, True
    return Lab(engine, there.name, Cancel(), force=True), False


def _start(lab: Lab, what: Wanted, *, is_new: bool, is_awaited: bool, timeout: float, watch: bool) -> Program | None:
    """None where it failed and is watched: the next change may mend it."""
    from labctl.api.programs import started
    from labctl.errors import LabTimeout, NodeFailed

    try:
        with output.Progress(f"starting {what.name}") as report:
            return started(lab, what, wait=is_awaited, timeout=timeout, report=report)
    except (NodeFailed, LabTimeout) as problem:
        if not watch:
            raise
        output.talk(f"labctl: {problem.message}\n  {problem.hint}".rstrip())
        return None
    except BaseException as problem:
        if is_new and not isinstance(problem, Exception):  # a signal
            lab.down()
        raise


def _show(program: Program, as_json: bool) -> None:
    if as_json:
        output.document(program.ran.as_json())
        return
    from labctl.render.programs import began

    output.data(began(program.ran))
    for note in program.notes:
        output.talk(f"note: {note}")


def _watch(lab: Lab, name: str) -> None:
    from labctl.lab.programs.watch import watch

    def show(line: str, stderr: bool) -> None:
        (output.talk if stderr else output.data)(line)

    try:
        watch(lab.engine, lab.changeable(), name, show, output.talk)
    except (KeyboardInterrupt, output.Terminated):
        output.talk(f"{name} goes on, and is watched no more; `labctl rm {name}` removes it")
        raise


def rm(node: NodeName, lab: LabName = None, as_json: Json = False) -> None:
    """Remove a host that `labctl run` made; an empty lab goes with its last one."""
    from labctl.api.lab import Lab
    from labctl.cancel import Cancel
    from labctl.cli.context import engine_and_lab
    from labctl.lab.programs.empty import is_left_alone

    engine, there = engine_and_lab(lab)
    found = Lab(engine, there.name, Cancel(), force=True)
    with output.Progress("removing"):
        found.remove(node)
        down = is_left_alone(engine, there.name)
        if down:
            found.down()
    if as_json:
        output.document({"lab": there.name, "node": node, "down": down})
    else:
        output.talk(f"{node} is removed" + (f"; it was the last of {there.name}, which is down" if down else ""))
