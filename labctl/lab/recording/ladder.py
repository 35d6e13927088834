"""The ladder of two nodes: what one sent and the other got, from the recorders at both and the journals of faults."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from labctl.engine.model import Container, Engine
from labctl.errors import LabError
from labctl.lab.faults import verdicts
from labctl.lab.life.static_routes import routes_of
from labctl.lab.links import refuse_one_host
from labctl.lab.model import Lab, Node
from labctl.lab.recording import recorders
from labctl.lab.recording.recorders import State
from labctl.packets.crossings import Side, Verdict
from labctl.packets.ladder.ladder import Ladder, Options, two_sided
from labctl.packets.matching import taps
from labctl.packets.model import Record

LATE = 30.0  # seconds by which one recorder may answer after another: on a busy machine a program's start takes long


def names_of(lab: Lab, one: str, other: str) -> tuple[str, str]:
    """The names of two different hosts, whether they run or not, by the names of nodes. Raises LabError."""
    refuse_one_host(lab, lab.node(one), lab.node(other))
    return lab.host(lab.node(one)).name, lab.host(lab.node(other)).name


def ends(lab: Lab, one: str, other: str) -> tuple[Node, Node]:
    """Two running hosts that reach each other. Raises LabError."""
    refuse_one_host(lab, lab.node(one), lab.node(other))
    why = "nothing can be recorded there"
    nodes = lab.host(lab.networked(one, why)), lab.host(lab.networked(other, why))
    if not nodes[0].networks & nodes[1].networks and not any(routes_of(node) for node in nodes):
        networks = "; ".join(f"{node.name}: {', '.join(sorted(node.networks)) or 'none'}" for node in nodes)
        raise LabError("no-link", a=one, b=other, networks=networks)
    return nodes


def recorders_of(engine: Engine, lab: Lab, nodes: Sequence[Node]) -> dict[str, Container]:
    """The recorders of some nodes. Raises LabError `no-recording` where there is none."""
    there = recorders.recorders(engine, lab)
    missing = [node.name for node in nodes if node.name not in there]
    if missing:
        raise LabError("no-recording", nodes=" and ".join(missing))
    return there


def drawn(
    engine: Engine,
    lab: Lab,
    nodes: Sequence[Node],
    last: float,
    options: Options,
    there: Mapping[str, Container] | None = None,
) -> Ladder:
    """What two nodes sent each other in the last seconds; `there`: their recorders, where these are known.

    Raises LabError.
    """
    sides, found, problems = seen(engine, lab, nodes, last, there)
    made = two_sided(sides[0], sides[1], found, options, others=sides[2:])
    further = [] if made.arrows else [f"None in the last {last:g} s, that is; `--last 10m` looks further back."]
    return replace(made, notes=(*made.notes, *further, *problems))


def seen(
    engine: Engine, lab: Lab, nodes: Sequence[Node], last: float, there: Mapping[str, Container] | None = None
) -> tuple[list[Side], list[Verdict], list[str]]:
    """What some nodes sent and got in the last seconds, what faults did, and what could not be recorded.

    Raises LabError.
    """
    records, states = recorders.recorded(engine, nodes, there or recorders_of(engine, lab, nodes), last + LATE)
    # Of the recorders' clock: an engine elsewhere, or in a virtual machine, may have another than labctl. Each counts
    # back from when it answers; all sides begin at one moment, or a packet would be at one end alone.
    begin = min(state.now_ns for state in states.values()) - int(last * 1e9)
    sides = [side_of(node, *since(begin, records[node.name], states[node.name])) for node in nodes]
    return sides, verdicts.since(engine, lab, begin), problems_of(states)


def since(begin_ns: int, records: Iterable[Record], state: State) -> tuple[list[Record], State]:
    """What a recorder has told, as if it had been asked for what came from a moment of its clock on."""
    kept = [record for record in records if record.ts_ns >= begin_ns]
    return kept, replace(state, since_ns=max(state.since_ns, begin_ns))


def problems_of(states: Mapping[str, State]) -> list[str]:
    """What recorders could not record, as sentences."""
    return [f"At {name} {text}." for name, state in states.items() for text in state.problems]


def side_of(node: Node, records: Iterable[Record], state: State) -> Side:
    found = taps.side(
        node.name,
        records,
        addresses=tuple(node.addresses),
        kernel_drops=state.drops,
        since_ns=state.since_ns,
        until_ns=state.now_ns,
        logs=state.logs,
    )
    return replace(found, clock=node.container.machine, clock_error_ns=state.clock_error_ns)
