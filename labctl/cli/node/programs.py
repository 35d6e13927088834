"""Commands for somebody's own program as a host: run, rm."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from labctl.cli import output
from labctl.cli.node import starting
from labctl.cli.options import Json, LabName, Timeout, complete_nodes

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
    if not command and image is None:
        raise typer.BadParameter("name the program, as in `labctl run --name srv -- python3 server.py`")
    starting.run(
        command or [],
        name,
        lab,
        timeout,
        as_json,
        folder=str(folder),
        watch=watch,
        image=image,
        network=network,
        address=address,
        listen=listen,
        publish=tuple(publish or ()),
        memory=memory,
        machine=host,
        variables=tuple(env or ()),
        ready=ready,
        is_awaited=not no_wait,
        replace=replace,
    )


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
