"""The system calls of nodes' programs: recorded in the nodes' probes from when somebody asks for them on."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from labctl.engine.model import Container, Engine
from labctl.errors import LabError
from labctl.events.merge import merge
from labctl.events.model import Event
from labctl.lab import probes, spanning
from labctl.lab.model import Lab, Node
from labctl.lab.processes import programs

PROGRAM = ("python3", "/opt/probe/syscalls.py")
CALLS, WAITS, STATES = "calls", "waits", "states"
HEAD = "recording"


@dataclass
class Recording:
    """What one node's probe has: `since` when it records (None: it does not), when that `begin`s which was asked for,
    how many events are `cut` from the beginning because there were too many, and the rest."""

    since: str | None = None
    begin: str | None = None
    cut: int = 0
    events: list[Event] = field(default_factory=list)


def start(engine: Engine, lab: Lab, nodes: Sequence[Node]) -> set[str]:
    """Records at some running nodes from now on; the names of those where nothing did before.

    Raises LabError `not-traceable`, `processes-failed`; then it has begun nowhere.
    """
    there = programs.ensure(engine, lab, nodes)
    mark = os.urandom(6).hex()
    try:
        heads = list(programs.run(engine, there, _asked(do="start", mark=mark), HEAD))
        for head in heads:
            _check(head)
    except BaseException:
        _undo(engine, nodes, there, mark)
        raise
    return {head.node for head in heads if head.get("fresh")}


def programs_of(lab: Lab, node: Node) -> list[str]:
    """The names of the nodes that one stands for that has no programs of its own, as the name of a whole host."""
    members = lab.members(node)
    return [member.name for member in members] if len(members) > 1 and node not in lab.nodes else []


def _undo(engine: Engine, nodes: Sequence[Node], there: Mapping[str, Container], mark: str) -> None:
    """Ends what a start has begun, and nothing that was recorded before or that somebody else has begun since."""

    def one(node: Node) -> None:
        with contextlib.suppress(LabError):
            list(programs.run(engine, {node.name: there[node.name]}, _asked(do="stop", mark=mark)))

    probes.at_once(one, list(nodes))


def stop(engine: Engine, lab: Lab, nodes: Sequence[Node]) -> set[str]:
    """Ends recording, and forgets what was recorded; the names of those where something was."""
    there = _running(engine, lab, nodes)
    source = probes.source_now(engine) if there else None
    old = [name for name, probe in there.items() if probes.is_outdated(probe, source)]
    for name in old:  # of another labctl, which may have had other words for this
        engine.remove_container(there.pop(name).id)
    found = programs.run(engine, there, _asked(do="stop"), HEAD)
    return {event.node for event in found if event.get("since")} | set(old)


def is_on(engine: Engine, lab: Lab, node: Node) -> bool:
    """Whether a node's calls are recorded, by a probe that this labctl can ask. Starts nothing."""
    probe = _running(engine, lab, [node]).get(node.name)
    if probe is None or probes.is_outdated(probe, probes.source_now(engine)):
        return False
    return recordings(engine, lab, [node], ())[node.name].since is not None


def recordings(
    engine: Engine,
    lab: Lab,
    nodes: Sequence[Node],
    kinds: Sequence[str] = (CALLS,),
    since_ns: int = 0,
    last: float | None = None,
) -> dict[str, Recording]:
    """What was recorded, by node, in order of time: since a time of the recorders' clock (nanoseconds since the epoch),
    or in the last seconds. Starts nothing."""
    there = _running(engine, lab, nodes)
    found = {node.name: Recording() for node in nodes}
    # On several machines each has a clock of its own, which the times that come back are corrected by.
    if since_ns:
        spanning.measure(engine, there.values())
    ahead = min((engine.clock(probe.id).correction for probe in there.values()), default=0) if since_ns else 0
    begin: dict[str, int] = {"since": since_ns + ahead} if last is None else {"last": int(last * 1e9)}
    for event in programs.run(engine, there, _asked(do="read", kinds=kinds, **begin), HEAD):
        if event.name == HEAD:
            head = found[event.node]
            head.since, head.begin, head.cut = event.get("since"), event.get("begin"), event.get("cut")
        elif last is not None or event.nanoseconds >= since_ns:
            found[event.node].events.append(event)
    for item in found.values():
        item.events.sort(key=lambda event: event.ts)
    return found


def recorded(engine: Engine, lab: Lab, nodes: Sequence[Node], since_ns: int = 0, *, waits: bool = False) -> list[Event]:
    """The system calls of all nodes on one clock; with `waits` also poll(2), epoll_wait(2) and the like."""
    return _merged(recordings(engine, lab, nodes, [CALLS, WAITS] if waits else [CALLS], since_ns))


def states(engine: Engine, lab: Lab, nodes: Sequence[Node], since_ns: int = 0) -> list[Event]:
    """The changes of state of all nodes' sockets on one clock, where calls were recorded."""
    return _merged(recordings(engine, lab, nodes, [STATES], since_ns))


def follow(engine: Engine, lab: Lab, nodes: Sequence[Node], *, last: float, waits: bool = False) -> Iterator[Event]:
    """Calls as they return, at nodes where they are recorded; those of the last seconds first. Ends with the last node.

    Between these and those that come stands a `recording` of each node. Raises LabError `no-recording`.
    """
    there = _running(engine, lab, nodes)
    kinds = [CALLS, WAITS] if waits else [CALLS]
    silent = [node.name for node in nodes if node.name not in there]
    if silent:
        raise LabError("no-recording", nodes=" and ".join(silent))
    for event in programs.follow(engine, there, _asked(do="read", kinds=kinds, last=int(last * 1e9), follow=True)):
        if event.name == HEAD and event.get("since") is None:
            raise LabError("no-recording", nodes=event.node)
        yield event


def _merged(found: dict[str, Recording]) -> list[Event]:
    return merge(item.events for item in found.values())


def _asked(**request: Any) -> tuple[str, ...]:
    return (*PROGRAM, json.dumps(request))


def _running(engine: Engine, lab: Lab, nodes: Sequence[Node]) -> dict[str, Container]:
    """The probes that are there and run; one whose node has started since has recorded nothing of it."""
    there = probes.all_of(engine, lab.name, probes.PROCESSES)
    return {node.name: probe for node in nodes if (probe := there.get(node.name)) and probe.state == "running"}


def _check(event: Event) -> None:
    """Raises LabError `not-traceable` where the recorder could trace nothing."""
    refused = event.get("refused") or []
    if event.get("since") is None:
        why = refused[0]["reason"] if refused else "no process is there"
        if "already" in why:
            mend = "end the strace or debugger that has it; each process has one tracer at most"
        else:
            mend = "allow ptrace(2): kernel.yama.ptrace_scope (sysctl) below 3, and no security profile that forbids it"
        raise LabError("not-traceable", node=event.node, why=why, mend=mend)
