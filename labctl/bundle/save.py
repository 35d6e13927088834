"""Gathers a run of a lab that is there: what its nodes wrote, what its recorders hold, what faults did."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from labctl import __version__
from labctl.bundle import bare
from labctl.bundle.again.wanted import borne
from labctl.bundle.inputs import inputs_of
from labctl.bundle.model import Run
from labctl.engine.model import COMPOSE_SERVICE, LABEL_RUN, Engine
from labctl.errors import LabError
from labctl.events.codec import stamp_of
from labctl.lab import journal, spanning
from labctl.lab.drawing import picture
from labctl.lab.faults import rules
from labctl.lab.model import Lab, Node
from labctl.lab.placing import blueprint
from labctl.lab.processes import sockets, syscalls
from labctl.lab.processes.sockets import Socket
from labctl.lab.processes.syscalls import CALLS, STATES, Recording
from labctl.lab.recording import recorders
from labctl.lab.recording.ladder import problems_of, side_of
from labctl.lab.recording.wire import ALL
from labctl.packets.crossings import Side
from labctl.topology import builtin

Report = Callable[[str], None]


def gather(
    engine: Engine,
    lab: Lab,
    *,
    last: float | None = None,
    payload: bool = True,
    report: Report = lambda text: None,
) -> Run:
    """All that is there to be saved, of the `last` seconds (None: all). Begins no recording, and changes nothing.

    Raises LabError.
    """
    now = time.time_ns()
    since = None if last is None else stamp_of(now - int(last * 1e9))
    notes: list[str] = []
    if clocks := spanning.clocks(engine, lab.nodes):
        notes.append(f"The machines {clocks}.")
    report("reading the journal")
    events = journal.read(engine, lab, since=since)
    report("reading the recorders")
    sides = _sides(engine, lab, last, notes)
    recordings = _recordings(engine, lab, last)
    found = Run(
        lab=lab,
        picture=picture.of_lab(engine, lab),
        saved=stamp_of(now),
        compose=_compose(engine, lab, notes),
        events=tuple(events),
        sides=tuple(sides),
        faults=tuple(rules.listing(engine, lab)),
        inputs=tuple(inputs_of(lab, events, payload=payload)),
        sockets=_sockets(engine, lab, notes),
        recordings=recordings,
        versions=_versions(engine),
        since=since,
        payload=payload,
        notes=tuple(notes),
    )
    return found if payload else bare.without_payload(found)


def _sides(engine: Engine, lab: Lab, last: float | None, notes: list[str]) -> list[Side]:
    """What each recorded node sent and got."""
    there = recorders.recorders(engine, lab)
    nodes = [node for node in lab.hosts if node.name in there]
    missing = [node.name for node in lab.hosts if node.has_network and node.name not in there]
    if missing and nodes:
        notes.append(f"No packets were recorded at {_listed(missing)}.")
    elif missing:
        notes.append("No packets were recorded: `labctl capture --start` begins to.")
    if not nodes:
        return []
    records, states = recorders.recorded(engine, nodes, there, ALL if last is None else last)
    notes += problems_of(states)
    sides = []
    for node in nodes:
        state = states[node.name]
        if last is not None:
            state = replace(state, since_ns=max(state.since_ns or 0, state.now_ns - int(last * 1e9)))
        sides.append(side_of(node, records[node.name], state))
    return sides


def _recordings(engine: Engine, lab: Lab, last: float | None) -> dict[str, Recording]:
    """System calls and states of sockets, of the nodes where these are recorded."""
    nodes = [node for node in lab.nodes if node.is_running]
    found = syscalls.recordings(engine, lab, nodes, [CALLS, STATES], last=last)
    return {name: one for name, one in found.items() if one.since is not None}


def _sockets(engine: Engine, lab: Lab, notes: list[str]) -> tuple[Socket, ...]:
    """The kernels' tables as they are now; where these can't be had, the rest is saved all the same."""
    nodes = [node for node in lab.nodes if node.is_running and node.has_network]
    if not nodes:
        return ()
    try:
        return tuple(sockets.table(engine, lab, nodes))
    except LabError as problem:
        notes.append(f"The sockets are not here: {problem.message}.")
        return ()


def _versions(engine: Engine) -> dict[str, str]:
    info = engine.info()
    version = info.get("Version") or {}
    found = {
        "labctl": __version__,
        "engine": version.get("Version") if isinstance(version, dict) else version,
        "kernel": info.get("KernelVersion"),
        "system": info.get("OperatingSystem"),
        "machine": info.get("Architecture"),
        "python": platform.python_version(),
    }
    return {key: str(value) for key, value in found.items() if value}


def _compose(engine: Engine, lab: Lab, notes: list[str]) -> str:
    """The topology's file as Compose reads it, without what is of this machine alone (how images are built)."""
    programs = [node.name for node in lab.nodes if LABEL_RUN in node.container.labels]
    if programs:
        notes.append(f"{_listed(programs)}: made by `labctl run`, which a replay doesn't do.")
    mine = [node for node in lab.nodes if node.name not in programs]
    wanted = _services(mine)
    origin = lab.standing.origin
    if not origin or not wanted:
        notes.append("The Compose file that the lab was made from is not known; the run can't be replayed.")
        return ""
    try:
        found = next(
            (one for one in _texts(engine, origin, lab, len(wanted)) if set(one["services"]) == set(wanted)), None
        )
    except LabError as problem:
        notes.append(f"The lab's Compose file is not here: {problem.message}. The run can't be replayed.")
        return ""
    if found is None:
        notes.append(f"{origin} has other services than the lab by now; the run can't be replayed.")
        return ""
    for owner in (found, *found["services"].values()):
        for key in [key for key in owner if str(key).startswith("x-") and key != "x-labctl"]:
            del owner[key]  # what the file's author keeps for himself, with paths of this machine
    for key, network in (found.get("networks") or {}).items():
        if network and network.get("name") == f"{found['name']}_{key}":
            del network["name"]  # it follows from the lab's, which may be another one next time
    for name, count in wanted.items():
        service = found["services"][name]
        service.pop("build", None)
        service.setdefault("image", next(n.container.image for n in mine if _service(n) == name))
        if count > 1 or "scale" in service or (service.get("deploy") or {}).get("replicas"):
            service["scale"] = count
            (service.get("deploy") or {}).pop("replicas", None)
    return json.dumps(found, ensure_ascii=False, indent=1) + "\n"


def _texts(engine: Engine, origin: str, lab: Lab, count: int) -> Iterator[dict[str, Any]]:
    """The configurations that a lab of that origin may have: a replayed one bears its own, and a built-in one may be of
    another size than its file. Raises LabError."""
    name = lab.name
    if (found := next(filter(None, (borne(node.container.labels) for node in lab.nodes)), None)) is not None:
        yield {**found, "name": name}
        return
    yield dict(blueprint.read(engine, origin, name).topology.config)
    low, high = builtin.SIZES.get(origin, (1, 0))
    if low <= count - 1 <= high:  # with so many networks, a row or a star has one service more
        yield dict(blueprint.read(engine, f"{origin}:{count - 1}", name).topology.config)


def _service(node: Node) -> str:
    return node.container.labels.get(COMPOSE_SERVICE) or node.name


def _services(nodes: Sequence[Node]) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for node in nodes:
        found[_service(node)] = found.get(_service(node), 0) + 1
    return found


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - 5} more" if len(names) > 6 else ""
    return ", ".join(names if not more else names[:5]) + more
