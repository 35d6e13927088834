"""All of a conversation on one clock: two nodes' system calls, the states of their sockets, and the packets between."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labctl.engine.model import Engine
from labctl.errors import LabError
from labctl.events.merge import merge
from labctl.events.model import Event
from labctl.lab.model import Lab, Node, plain
from labctl.lab.processes import sockets, syscalls
from labctl.lab.recording import ladder, recorders
from labctl.lab.roles import forwards
from labctl.lab.roles.router import ROUTER
from labctl.packets.crossings import Side, Verdict
from labctl.packets.ladder.ladder import Ladder, Options, two_sided
from labctl.packets.ladder.transitions import RFC_NAMES, Transition, transitions
from labctl.packets.tcp.flows import Endpoint


@dataclass(frozen=True)
class XRay:
    """The packets as a ladder; system calls of its two nodes and changes of state that no packet tells of, as events
    (`syscall`, `socket-state`); the changes that packets tell of, by node; and what is to be said besides."""

    ladder: Ladder
    events: tuple[Event, ...]
    changes: dict[str, list[Transition]]
    notes: tuple[str, ...]


def start(engine: Engine, lab: Lab, nodes: Sequence[Node]) -> list[str]:
    """Records packets, system calls and states at some nodes from now on; the names of those where not all was."""
    from concurrent.futures import ThreadPoolExecutor  # it brings `logging` with it

    programs = [one for host in nodes for one in lab.members(host)]
    for node in programs:
        lab.running(node.name, "its system calls can't be recorded")
    with ThreadPoolExecutor(2) as pool:
        begun = pool.submit(recorders.begin, engine, lab, nodes), pool.submit(syscalls.start, engine, lab, programs)
    fresh = {*begun[0].result()[1], *begun[1].result()}
    return [name for name in dict.fromkeys(node.name for node in (*nodes, *programs)) if name in fresh]


def xray(engine: Engine, lab: Lab, nodes: Sequence[Node], last: float, options: Options) -> XRay:
    """What happened between two nodes in the last seconds, where all of it was recorded (`start`).

    Raises LabError: `no-recording`.
    """
    sides, found, problems = ladder.seen(engine, lab, nodes, last)
    # By the recorders' clock, which is the nodes': labctl's may be that of another machine.
    begin = max(0, min(side.until_ns or 0 for side in sides) - int(last * 1e9))
    recorded = _recorded(engine, lab, nodes, begin)
    silent = [name for name, one in recorded.items() if one.since is None]
    if silent:
        raise LabError("no-recording", nodes=" and ".join(silent))
    return _joined(lab, nodes, sides, found, options, recorded, problems)


def of_sides(
    engine: Engine,
    lab: Lab,
    nodes: Sequence[Node],
    sides: Sequence[Side],
    found: Iterable[Verdict],
    options: Options,
    begin_ns: int,
) -> XRay:
    """The same of what was captured already, since `begin_ns`."""
    return _joined(lab, nodes, sides, found, options, _recorded(engine, lab, nodes, begin_ns))


def of_recordings(
    lab: Lab,
    nodes: Sequence[Node],
    sides: Sequence[Side],
    found: Iterable[Verdict],
    options: Options,
    recorded: Mapping[str, syscalls.Recording],
) -> XRay:
    """The same of what was read already, as from a file: `recorded` has all programs of the nodes."""
    return _joined(lab, nodes, sides, found, options, recorded)


def _recorded(engine: Engine, lab: Lab, nodes: Sequence[Node], begin_ns: int) -> dict[str, syscalls.Recording]:
    programs = [one for host in nodes for one in lab.members(host)]
    return syscalls.recordings(engine, lab, programs, [syscalls.CALLS, syscalls.STATES], begin_ns)


def _joined(
    lab: Lab,
    nodes: Sequence[Node],
    sides: Sequence[Side],
    found: Iterable[Verdict],
    options: Options,
    recorded: Mapping[str, syscalls.Recording],
    problems: Sequence[str] = (),
) -> XRay:
    drawn = two_sided(sides[0], sides[1], found, options, others=sides[2:])
    chosen, changes = [], {}
    for node, other, side in zip(nodes, reversed(nodes), sides, strict=False):
        between = Between(lab, other, options.port)
        moved = changes[node.name] = [one for one in transitions(side) if between.has(one.local, one.peer)]
        # All that the programs of one host did stands at its side of the picture.
        members = merge(recorded[one.name].events for one in lab.members(node))
        events = [event._replace(node=node.name) for event in members]
        chosen.append(calls_of(events, between))
        chosen.append(_untold(events, between, moved))
    return XRay(drawn, tuple(merge(chosen)), changes, (*problems, *_missing(recorded)))


def _missing(recorded: Mapping[str, syscalls.Recording]) -> list[str]:
    """What could not be recorded, or is no more, as sentences."""
    notes = [f"At {name} {one.cut} earlier calls are gone." for name, one in recorded.items() if one.cut]
    for name, one in recorded.items():
        reasons = [event.get("reason") for event in one.events if event.name in (sockets.MISSED, "error")]
        notes += [f"At {name} {reason}." for reason in dict.fromkeys(reasons)]
    return notes


@dataclass(frozen=True)
class Between:
    """What has to do with another node, as far as a socket's ends tell."""

    lab: Lab
    other: Node
    port: int | None = None

    def has(self, local: Endpoint | None, peer: Endpoint | None) -> bool:
        """A socket with these ends speaks with the other node."""
        if peer is None or (self.port is not None and self.port not in (peer[1], local[1] if local else None)):
            return False
        owner = self.lab.partner(peer[0], ROUTER.word)
        # An address of a router between them may stand for the other one.
        return owner is not None and (self.lab.are_one(owner, self.other) or forwards(owner.role))


def calls_of(events: Iterable[Event], between: Between) -> list[Event]:
    """The system calls on sockets that speak with the other node: from socket(2), or accept(2), to close(2).

    Of a socket that listens, all but the looks that found nobody.
    """
    lives: list[list[Event]] = []
    now: dict[tuple[Any, Any], int] = {}  # (process, descriptor): which life
    for event in events:
        if event.name != "syscall" or event.get("family"):
            continue
        pid, descriptor, result = event.get("pid"), event.get("fd"), event.get("result")
        call, worked = str(event.get("call")), isinstance(result, int) and result >= 0
        key = (pid, result if call == "socket" else descriptor)
        if key not in now or call == "socket":
            now[key] = len(lives)
            lives.append([])
        lives[now[key]].append(event)
        if call.startswith("accept") and worked:
            now[pid, result] = len(lives)
            lives.append([])
        elif call == "close" and worked:
            del now[key]
    out = []
    for life in lives:
        if any(_speaks(event, between) for event in life):
            out += [event for event in life if not _peers(event) or _speaks(event, between)]
    return sorted((event for event in out if not _is_idle(event)), key=lambda event: event.ts)


def _peers(event: Event) -> list[Endpoint]:
    """Whom a call is about; sendmmsg(2) and recvmmsg(2) may be about several."""
    several = (one.get("peer") for one in event.get("datagrams") or ())
    return [*([event.peer] if event.peer else []), *((str(peer[0]), int(peer[1])) for peer in several if peer)]


def _speaks(event: Event, between: Between) -> bool:
    return any(between.has(event.local, peer) for peer in _peers(event))


def _is_idle(event: Event) -> bool:
    """A look for who has connected, that found nobody."""
    return event.peer is None and str(event.get("call")).startswith("accept")


def _untold(events: Iterable[Event], between: Between, moved: Iterable[Transition]) -> list[Event]:
    """Changes of state in the kernel's table that no packet tells of; those it does tell of, it times better."""
    told = {(_plain(one.local), _plain(one.peer), one.after) for one in moved}
    return [
        event
        for event in events
        if event.name == "socket-state"
        and between.has(event.local, event.peer)
        and (_plain(event.local), _plain(event.peer), RFC_NAMES.get(str(event.get("to")), event.get("to"))) not in told
    ]


def _plain(end: Endpoint | None) -> Endpoint | None:
    """The end of a socket as packets have it."""
    return (plain(end[0]), end[1]) if end else None
