"""The ladders of each two of some nodes, from their recorders."""

from __future__ import annotations

import time
from collections.abc import Sequence

from labctl.engine.model import Engine
from labctl.errors import LabError
from labctl.lab.faults import verdicts
from labctl.lab.model import Lab, Node
from labctl.lab.recording import ladder, recorders
from labctl.packets.ladder.ladder import Ladder, Options, of_pairs

ALL = 7 * 86400.0  # seconds; nothing that is recorded lasts longer


def nodes_of(lab: Lab, names: Sequence[str]) -> list[Node]:
    """The hosts of some nodes, at least two, which run. Raises LabError."""
    why = "nothing can be recorded there"
    hosts = {host.name: host for host in (lab.host(lab.networked(name, why)) for name in names)}
    if len(hosts) < 2:
        raise LabError("bad-option", option="nodes", why="a wire is between two hosts at least")
    return list(hosts.values())


def between(engine: Engine, lab: Lab, nodes: Sequence[Node], begin_ns: int | None, options: Options) -> list[Ladder]:
    """What each two of them sent each other since a moment of this machine's clock (None: all that is recorded), in
    order of beginning. Raises LabError."""
    there = ladder.recorders_of(engine, lab, nodes)
    asked = time.time_ns()
    last = ALL if begin_ns is None else max(0.0, (asked - begin_ns) / 1e9) + ladder.LATE
    records, states = recorders.recorded(engine, nodes, there, last)
    sides = []
    for node in nodes:
        state = states[node.name]
        begin = 0 if begin_ns is None else begin_ns + _offset(asked, state.now_ns, time.time_ns())
        sides.append(ladder.side_of(node, *ladder.since(begin, records[node.name], state)))
    first = min((side.since_ns or 0 for side in sides), default=0)
    return of_pairs(sides, verdicts.since(engine, lab, first), options)


def _offset(asked: int, theirs: int, answered: int) -> int:
    """How far the recorders' clock is ahead of this machine's: nothing where it may be the same one."""
    return 0 if asked <= theirs <= answered else theirs - (asked + answered) // 2
