"""Commands that look into nodes' processes: sockets, syscalls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from labctl.cli import output
from labctl.cli.context import ago, consent_to, engine_and_lab, prepare_probe
from labctl.cli.options import Json, LabName, Last, Local, NodeName, RunFile, complete_nodes
from labctl.cli.ready import Ready, ReadyFd
from labctl.errors import LabError

if TYPE_CHECKING:
    from labctl.engine.model import Engine
    from labctl.lab.model import Lab, Node

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
    from labctl.lab.processes import sockets
    from labctl.render.sockets import table

    if run:
        from labctl.cli.saved_runs.looking import of_file

        saved = of_file(run, lab, watch=watch, ready_fd=ready_fd)
        found, names = saved.lab, [saved.lab.node(name).name for name in nodes or ()]
        there = [one for one in saved.sockets if not names or one.node in names]
    else:
        ready = Ready(ready_fd, follows=watch)
        engine, found = engine_and_lab(lab)
        chosen = sockets.place(found, nodes or [])
        prepare_probe(engine)
        if watch:
            _watch(engine, found, chosen, as_json, ready)
            return
        there = sockets.table(engine, found, chosen)
    if as_json:
        output.document(sockets.document(found, there))
    elif there:
        output.data(table(there, columns=output.columns(), colour=output.colour()))
    else:
        output.talk("no socket is open there")


def _watch(engine: Engine, lab: Lab, nodes: list[Node], as_json: bool, ready: Ready | None = None) -> None:
    from labctl.events.codec import encode
    from labctl.lab.processes import sockets
    from labctl.render.sockets import Changes

    names, local = [node.name for node in nodes], output.Settings.local
    awaited = set(names)
    changes = Changes(names, columns=output.columns(), colour=output.colour(), local=local)
    for event in sockets.watch(engine, lab, nodes):
        if event.name == "watching":
            output.talk(f"{event.node}: watching; a state in parentheses passed between two looks")
            awaited.discard(event.node)
            if not awaited:
                (ready or Ready(None)).say(names)
        elif as_json:
            output.json_line(encode(event))
        elif event.name == sockets.MISSED:
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
    from labctl.lab.processes import syscalls

    if stop and (follow or last or waits):
        raise typer.BadParameter("--stop goes with none of the other options")
    seconds, ready = None if last is None else ago("--last", last), Ready(ready_fd, follows=follow)
    engine, found = engine_and_lab(lab)
    chosen = found.running(node, "its system calls can't be recorded")
    if several := syscalls.programs_of(found, chosen):
        raise typer.BadParameter(f"{node} are several nodes with one network: name one of them, {' or '.join(several)}")
    if stop:
        consent_to(engine, found.name, found.standing)
        stopped = bool(syscalls.stop(engine, found, [chosen]))
        if as_json:
            output.document({"lab": found.name, "node": node, "stopped": stopped})
        else:
            output.talk(f"{node}: {'no longer recorded' if stopped else 'nothing was recorded'}")
        return
    prepare_probe(engine)
    fresh = bool(syscalls.start(engine, found, [chosen]))
    if follow:
        _follow(engine, found, chosen, seconds or 0.0, waits, as_json, ready)
    elif fresh:
        raise LabError("recording-begins", node=node)
    else:
        _show(engine, found, chosen, seconds, waits, as_json)


def _show(engine: Engine, lab: Lab, node: Node, last: float | None, waits: bool, as_json: bool) -> None:
    from labctl.events.codec import encode
    from labctl.lab.processes import syscalls
    from labctl.render.syscalls import Calls

    kinds = [syscalls.CALLS, syscalls.WAITS] if waits else [syscalls.CALLS]
    recording = syscalls.recordings(engine, lab, [node], kinds, last=last)[node.name]
    calls = Calls([node.name], columns=output.columns(), colour=output.colour(), local=output.Settings.local)
    if recording.cut:
        output.talk(f"{node.name}: {syscalls.gone(recording.cut)}")
    for event in recording.events:
        if as_json:
            output.json_line(encode(event))
        else:
            output.data(calls.line(event))
    if not recording.events and recording.begin:
        begun = recording.begin[:19].replace("T", " ")
        output.talk(f"{node.name}: no system call on a socket since {begun} UTC")


def _follow(
    engine: Engine, lab: Lab, node: Node, last: float, waits: bool, as_json: bool, ready: Ready | None = None
) -> None:
    from labctl.events.codec import encode
    from labctl.lab.processes import syscalls
    from labctl.render.syscalls import Calls

    calls = Calls([node.name], columns=output.columns(), colour=output.colour(), local=output.Settings.local)
    for event in syscalls.follow(engine, lab, [node], last=last, waits=waits):
        if event.name == syscalls.HEAD:
            if event.get("cut"):
                output.talk(f"{node.name}: {syscalls.gone(event.get('cut'))}")
            (ready or Ready(None)).say(
                [node.name], f"{node.name}: recorded; `labctl syscalls {node.name} --stop` ends it"
            )
        elif as_json:
            output.json_line(encode(event))
        else:
            output.data(calls.line(event))
