"""What can be seen of a run in a file: the same events, ladders and x-rays as of the lab that it was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from labctl.bundle.model import Run
from labctl.errors import LabError
from labctl.events.model import Event, nanoseconds_of
from labctl.lab.faults.verdicts import of_events
from labctl.lab.links import refuse_one_host
from labctl.lab.model import Node
from labctl.lab.recording import xray as xrays
from labctl.lab.recording.trace import beyond
from labctl.packets.crossings import Side, Verdict
from labctl.packets.ladder.ladder import Arrow, Ladder, Options, of_pairs, two_sided
from labctl.packets.model import Packet


def journal(run: Run, names: Sequence[str] = (), *, since: str | None = None, tail: int | None = None) -> list[Event]:
    """The events of some nodes, or of all, in order of time. Raises LabError `unknown-node`."""
    nodes = [run.lab.node(name) for name in names]
    # Helpers speak of hosts.
    chosen = {node.name for node in nodes} | {run.lab.host(node).name for node in nodes}
    found = [event for event in run.events if since is None or event.ts >= since]
    found = [event for event in found if not names or event.node in chosen]
    return found if tail is None else found[max(0, len(found) - tail) :]


def verdicts(run: Run) -> list[Verdict]:
    return list(of_events(run.events))


def end_ns(run: Run) -> int:
    """When it was saved, by the recorders' clock where there is one."""
    return max((side.until_ns or 0 for side in run.sides), default=0) or nanoseconds_of(run.saved)


def ladder(run: Run, one: str, other: str, options: Options, last: float | None = None) -> Ladder:
    """What two nodes sent each other, in the `last` seconds before it was saved (None: all that there is).

    Raises LabError `unknown-node`, `bad-link-name`, `not-in-run`.
    """
    sides = _since(run, _sides(run, _ends(run, one, other)), last)
    return _noted(run, two_sided(sides[0], sides[1], verdicts(run), options, others=sides[2:]))


def xray(run: Run, one: str, other: str, options: Options, last: float | None = None) -> xrays.XRay:
    """The same with system calls and states of sockets. Raises LabError as `ladder` does."""
    nodes = _ends(run, one, other)
    sides = _since(run, _sides(run, nodes), last)
    begin = _begin(run, last)
    recorded = {
        name: replace(found, events=[event for event in found.events if event.nanoseconds >= begin])
        for name, found in run.recordings.items()
    }
    programs = [one.name for node in nodes for one in run.lab.members(node)]
    if missing := [name for name in programs if name not in recorded]:
        raise LabError("not-in-run", what="system calls", nodes=" and ".join(missing))
    found = xrays.of_recordings(run.lab, nodes, sides, verdicts(run), options, recorded)
    return replace(found, notes=(*found.notes, *run.notes))


def between(run: Run, names: Sequence[str], options: Options, last: float | None = None) -> list[Ladder]:
    """The ladders of each two of some nodes that sent each other anything. Raises LabError as `ladder`."""
    wanted = {run.lab.host(run.lab.node(name)).name for name in names}
    missing = wanted - {side.node for side in run.sides}
    if missing:
        raise LabError("not-in-run", what="packets", nodes=" and ".join(sorted(missing)))
    sides = [side for side in _since(run, run.sides, last) if side.node in wanted]
    return of_pairs(sides, verdicts(run), options)


def packets(run: Run) -> list[tuple[Arrow, Ladder]]:
    """All packets in order of time, each once and with a ladder that it is in; what went to or came from somebody who
    wasn't recorded is among them. A packet's number is its place here, from 1 on."""
    options = Options(None, True, 0)
    pairs = of_pairs(list(run.sides), verdicts(run), options)
    every = [*pairs, *beyond(run.lab, run.sides, pairs, options, all_but=True)]
    return sorted(((arrow, one) for one in every for arrow in one.arrows), key=lambda pair: pair[0].at_ns)


def seen(run: Run) -> list[Packet]:
    """The same as they were sent or, where nobody saw that, as they arrived."""
    return [replace(arrow.crossing.packet, index=place) for place, (arrow, _) in enumerate(packets(run))]


def packet(run: Run, number: int, file: str = "the run") -> Packet:
    """The packet of that number; a negative one counts from the end. Raises LabError `no-such-packet`."""
    found = seen(run)
    place = number - 1 if number > 0 else len(found) + number
    if not 0 <= place < len(found):
        raise LabError("no-such-packet", file=file, number=number, has=f"it has {len(found) or 'none'}")
    return found[place]


def _ends(run: Run, one: str, other: str) -> tuple[Node, Node]:
    lab = run.lab
    refuse_one_host(lab, lab.node(one), lab.node(other))
    return lab.host(lab.node(one)), lab.host(lab.node(other))


def _sides(run: Run, nodes: Sequence[Node]) -> list[Side]:
    known = {side.node: side for side in run.sides}
    missing = [node.name for node in nodes if node.name not in known]
    if missing:
        raise LabError("not-in-run", what="packets", nodes=" and ".join(missing))
    return [known[node.name] for node in nodes]


def _begin(run: Run, last: float | None) -> int:
    return 0 if last is None else max(0, end_ns(run) - int(last * 1e9))


def _since(run: Run, sides: Sequence[Side], last: float | None) -> list[Side]:
    if last is None:
        return list(sides)
    begin = _begin(run, last)
    return [
        replace(
            side,
            sent=[packet for packet in side.sent if packet.ts_ns >= begin],
            arrived=[packet for packet in side.arrived if packet.ts_ns >= begin],
            since_ns=max(side.since_ns or 0, begin),
        )
        for side in sides
    ]


def _noted(run: Run, found: Ladder) -> Ladder:
    return replace(found, notes=(*found.notes, *run.notes))
