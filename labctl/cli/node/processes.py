"""Commands that look into nodes' processes: sockets, syscalls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from labctl.cli import output
from labctl.cli.chosen import lab_of
from labctl.cli.context import ago
from labctl.cli.options import Json, LabName, Last, Local, NodeName, RunFile, complete_nodes
from labctl.cli.ready import Ready, ReadyFd
from labctl.errors import LabError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from labctl import Socket
    from labctl.api.lab import Lab
    from labctl.api.node import Node

Nodes = Annotated[
    list[str] | None, typer.Argument(metavar="[NODE]...", help="Only these nodes.", autocompletion=complete_nodes)
]


def sockets(
    nodes: Nodes = None,
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Go on with each change of state.")] = False,
    local: Local = False,
    ready_fd: ReadyFd = None,
    run: RunFile = None,
    lab: LabName = None,
    as_json: Json = False,
) -> None:
    """Show the kernel's own table of sockets: protocol, state, queues, addresses, program."""
    from labctl.render.inside.sockets import table

    there: Sequence[Socket]
    if run:
        from labctl.cli.saved_runs.looking import of_file

        saved = of_file(run, lab, watch=watch, ready_fd=ready_fd)
        name, names = saved.lab.name, [saved.lab.node(one).name for one in nodes or ()]
        there = [one for one in saved.sockets if not names or one.node in names]
    else:
        ready = Ready(ready_fd, follows=watch)
        found = lab_of(lab)
        name = found.name
        if watch:
            _watch(found, nodes or (), as_json, ready)
            return
        there = found.sockets(*nodes or ())
    if as_json:
        output.document({"lab": name, "sockets": [item.as_json() for item in there]})
    elif there:
        output.data(table(there, columns=output.columns(), colour=output.colour()))
    else:
        output.talk("no socket is open there")


def _watch(lab: Lab, nodes: Sequence[str], as_json: bool, ready: Ready) -> None:
    from labctl.events.codec import encode
    from labctl.render.inside.sockets import Changes

    names = list(lab.watched(*nodes))
    awaited = set(names)
    changes = Changes(names, columns=output.columns(), colour=output.colour(), local=output.Settings.local)
    for event in lab.follow_sockets(*nodes):
        if event.name == "watching":
            output.talk(f"{event.node}: watching; a state in parentheses passed between two looks")
            awaited.discard(event.node)
            if not awaited:
                ready.say(names)
        elif as_json:
            output.json_line(encode(event))
        elif event.name == "missed":
            output.talk(f"{event.node}: {event.get('reason')}")
        else:
            output.data(changes.line(event))


def syscalls(
    node: NodeName,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")] = False,
    ready_fd: ReadyFd = None,
    last: Last = None,
    local: Local = False,
    waits: Annotated[bool, typer.Option("--waits", help="Also poll, select, epoll_wait.")] = False,
    stop: Annotated[bool, typer.Option("--stop", help="Record no longer; forgets what was recorded.")] = False,
    lab: LabName = None,
    as_json: Json = False,
) -> None:
    """Show the system calls of a node's programs on their sockets, with arguments and results.

    They are recorded from the first time on that this command is given.
    """
    if stop and (follow or last or waits):
        raise typer.BadParameter("--stop goes with none of the other options")
    seconds, ready = None if last is None else ago("--last", last), Ready(ready_fd, follows=follow)
    found = lab_of(lab)
    there = found.node(node)
    if several := there.programs:
        raise typer.BadParameter(f"{node} are several nodes with one network: name one of them, {' or '.join(several)}")
    if stop:
        stopped = there.forget_syscalls()
        if as_json:
            output.document({"lab": found.name, "node": node, "stopped": stopped})
        else:
            output.talk(f"{node}: {'no longer recorded' if stopped else 'nothing was recorded'}")
        return
    fresh = there.record_syscalls()
    if follow:
        _follow(there, seconds or 0.0, waits, as_json, ready)
    elif fresh:
        raise LabError("recording-begins", node=node)
    else:
        _show(there, seconds, waits, as_json)


def _show(node: Node, last: float | None, waits: bool, as_json: bool) -> None:
    from labctl.events.codec import encode
    from labctl.render.inside.syscalls import Calls, gone

    recording = node.recording(last=last, waits=waits)
    calls = Calls([node.name], columns=output.columns(), colour=output.colour(), local=output.Settings.local)
    if recording.cut:
        output.talk(f"{node.name}: {gone(recording.cut)}")
    for event in recording.events:
        if as_json:
            output.json_line(encode(event))
        else:
            output.data(calls.line(event))
    if not recording.events and recording.begin:
        begun = recording.begin[:19].replace("T", " ")
        output.talk(f"{node.name}: no system call on a socket since {begun} UTC")


def _follow(node: Node, last: float, waits: bool, as_json: bool, ready: Ready) -> None:
    from labctl.events.codec import encode
    from labctl.render.inside.syscalls import Calls, gone

    calls = Calls([node.name], columns=output.columns(), colour=output.colour(), local=output.Settings.local)
    for event in node.follow_syscalls(last=last, waits=waits):
        if event.name == "recording":
            if event.get("cut"):
                output.talk(f"{node.name}: {gone(event.get('cut'))}")
            ready.say([node.name], f"{node.name}: recorded; `labctl syscalls {node.name} --stop` ends it")
        elif as_json:
            output.json_line(encode(event))
        else:
            output.data(calls.line(event))
