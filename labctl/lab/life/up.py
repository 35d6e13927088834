"""Brings a lab up: images, a place on this machine, Compose, and each node's own word that it is ready."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from labctl.ahead import imported
from labctl.engine.model import LABEL_LAB, LABEL_NODE, LABEL_PROBED, LABEL_RUN, LABEL_TARGET, Container, Engine
from labctl.engine.projects import is_port_taken, is_subnet_taken
from labctl.errors import Cancelled, EngineRefused, LabError, NodeFailed
from labctl.lab import owners, spanning
from labctl.lab.images import needed
from labctl.lab.life.down import LOCK_LIMIT, LOOK_AGAIN, each, look, remove_containers, wait_until_quiet
from labctl.lab.locks import LabLock
from labctl.lab.model import Lab, of_containers
from labctl.lab.placing import blueprint as blueprints
from labctl.lab.placing import claim
from labctl.lab.placing.blueprint import Blueprint
from labctl.lab.placing.placement import place_networks, refuse_ipv6
from labctl.lab.placing.subnets import Chosen, choose
from labctl.named import NamedTuple
from labctl.phases import reached
from labctl.topology.builtin import NO_OPTIONS, Options
from labctl.topology.model import Topology, names_in

STILL_AT_WORK = 5.0  # seconds that the engine may take to finish what nobody waits for any more
STARTERS = 8  # containers that are started at the same time
ATTEMPTS = 16  # at a subnet that somebody else takes in the same moment
MOST_LEFT_OUT = 64
# What is done with a lab that runs: imported while the engine makes it.
LATER = (
    "labctl.lab.life.static_routes",
    "labctl.lab.faults.standing",
    "labctl.lab.life.ready",
    "labctl.lab.life.status",
)
_PHASES = {
    ("Network", "Created"): "up:network-created",
    ("Container", "Created"): "up:container-created",
    ("Container", "Started"): "up:container-started",
}

Report = Callable[[str], None]


class Request(NamedTuple):
    """What `labctl up` was asked for.

    `timeout` is in seconds and holds for starting, not for building; `subnets` is what labctl.lab.placing.subnets
    chooses from. `record`: the nodes are recorded from their start on. `take_over`: also a lab of that name that is
    somebody else's, or was made from another file, becomes this one. `allow_overlap`: subnets may be some that this
    machine has a route to. `isolated`: without a way outside, whatever the file says. `hosts` are the machines that it
    is to be on (labctl.engine.hosts; none: where it is already, or the usual engine), `places` says it for single
    nodes, `policy` (spread, pack) how the others are shared out.
    """

    topology: str | None = None
    name: str | None = None
    build: bool = False
    timeout: float = 120.0
    build_timeout: float = 1800.0
    subnets: tuple[str, ...] = ()
    record: bool = False
    options: Options = NO_OPTIONS
    take_over: bool = False
    allow_overlap: bool = False
    isolated: bool = False
    hosts: tuple[str, ...] = ()
    places: Mapping[str, str] = {}
    policy: str = "spread"


def up(engine: Engine, request: Request, report: Report) -> Lab:
    """Brings a lab up, or a running one to what its topology says now; nodes that stay the same are left alone.

    Raises LabError. What this run began is taken back when it is interrupted or Compose fails; when a node fails, all
    stays for a look.
    """
    reached("up:begun")
    while True:
        try:
            return _up(engine, request, report)
        except claim.Overtaken:
            report("somebody else has just taken that name")


def _up(every: Engine, request: Request, report: Report) -> Lab:
    engine = spanning.to_read(every, request.hosts)
    take_over, isolated, options = request.take_over, request.isolated, request.options
    blueprint = claim.read(
        engine, request.topology, request.name, report, options, take_over=take_over, isolated=isolated
    )
    topology = blueprint.topology
    engine = spanning.to_make(every, topology.name, request.hosts, request.places, request.policy)
    chosen = choose(topology, request.subnets)
    claim.refuse_programs(topology, claim.existing(engine, topology.name))
    spanning.refuse_unfit(engine, topology, report)
    refuse_ipv6(topology, local=engine.is_local)
    place_networks(topology, engine, topology.config, 0, chosen, allow_overlap=request.allow_overlap)
    found = needed.ensure(engine, blueprint, report, again=request.build, limit=request.build_timeout)
    if request.record:
        needed.ensure_probe(engine, report, request.build_timeout)
    reached("up:images-present")
    lock = LabLock(topology.name)
    lock.acquire(request.timeout, report, engine.cancels)
    try:
        reached("up:lab-locked")
        if lock.is_unfinished:
            report("waiting for the engine to be done with what a killed labctl asked for")
            wait_until_quiet(engine, topology.name, lock.asked)
        deadline = time.monotonic() + request.timeout
        locked = claim.locked(engine, blueprint, lock, named=bool(request.name), take_over=request.take_over)
        with spanning.doubting(engine), locked as before:
            config = blueprint.configuration(found, owners.same(engine, before))
            lab = _make(engine, blueprint, config, chosen, before, lock, deadline, report, request)
    finally:
        lock.close()
    from labctl.lab.life.ready import wait_ready

    # Nothing is made from here on, so the lock is free: who doesn't want to wait for a node can take the lab down.
    try:
        reached("up:ready-awaited")
        # The readiness of programs is nobody's business here.
        lab = lab.with_nodes(node for node in lab.nodes if not node.is_program)
        with spanning.doubting(engine):
            lab = wait_ready(engine, lab, deadline, request.timeout, report)
        reached("up:done")
    except (NodeFailed, EngineRefused):
        if not look(engine, topology.name).containers:
            raise LabError("lab-removed", lab=topology.name) from None
        raise
    except BaseException as problem:
        if isinstance(problem, LabError) and not isinstance(problem, Cancelled):
            raise  # what is there stays for a look
        lock.acquire(LOCK_LIMIT, report)
        _rescue(problem, engine.cancelled_by(), topology.name, [*before, *_of_others(engine, lab)], lock, report)
        raise
    return lab


def _make(
    engine: Engine,
    blueprint: Blueprint,
    config: dict[str, Any],
    chosen: Chosen,
    before: list[Container],
    lock: LabLock,
    deadline: float,
    report: Report,
    request: Request,
) -> Lab:
    """All of the lab there, and running; or, where that fails or is interrupted, nothing that wasn't there before.
    Where it is a node that failed, all stays as it is."""
    name = blueprint.topology.name
    unfinished: set[str] = set()
    try:
        lock.begin()
        waiters = _start(engine, blueprint, config, chosen, before, lock, deadline, report, request, unfinished)
        lock.finish()
        reached("up:made")
        lab = of_containers(name, _remove_what_left(engine, blueprint.topology, report))
        if request.record:
            from labctl.lab.recording.at_start import record

            record(engine, lab, waiters)
        from labctl.lab.faults.standing import put_in_force
        from labctl.lab.life.static_routes import set_routes

        set_routes(engine, lab, lab.nodes)
        reached("up:routes-set")
        put_in_force(engine, lab, lab.nodes)
    except BaseException as problem:
        from labctl.lab.life.giving_up import cause

        if isinstance(problem, LabError) and (why := cause(engine, blueprint.topology, problem, request.timeout)):
            lock.finish()
            raise why from None
        _rescue(problem, engine.cancelled_by(), name, before, lock, report, unfinished)
        raise
    return lab


def build(engine: Engine, request: Request, report: Report) -> list[str]:
    """Builds the images that are missing or stale; the names of all of them."""
    blueprint = blueprints.read(engine, request.topology, request.name, options=request.options)
    found = needed.ensure(engine, blueprint, report, again=request.build, limit=request.build_timeout)
    return sorted({blueprint.image_of(service) for service in found})


def _start(
    engine: Engine,
    blueprint: Blueprint,
    config: dict[str, Any],
    chosen: Chosen,
    before: list[Container],
    lock: LabLock,
    deadline: float,
    report: Report,
    request: Request,
    unfinished: set[str],
) -> list[Container]:
    """The nodes that wait until they are recorded."""
    topology, anew = blueprint.topology, False
    for attempt in range(ATTEMPTS):
        placed = blueprints.place(
            topology,
            engine,
            config,
            before,
            attempt=_left_out(attempt),
            chosen=chosen,
            allow_overlap=request.allow_overlap,
        )
        reached("up:subnet-chosen")
        try:
            limit = max(1.0, deadline - time.monotonic())
            locks = [lock.fileno()]
            # Of a lab that is changed, what has its name already may be made anew.
            lock.begin(() if before else names_in(placed))
            watched, wait = _watched(report), request.record and _can_wait(placed)
            engine.bring_up(blueprint.source, placed, watched, limit, unfinished=unfinished, hold=locks, start=not wait)
            return _start_made(engine, topology.name, watched, placed) if wait else []
        except LabError as problem:
            # Of a lab that had nodes before nothing is taken away.
            if not (before or anew) and attempt < ATTEMPTS - 1 and engine.unmake(topology.name, problem):
                report("note: a machine could not join the lab's network, which is made anew")
                anew = True
                continue
            moves = any(net.movable for net in topology.networks)
            retry = (moves and is_subnet_taken(problem)) or (_has_movable_port(topology) and is_port_taken(problem))
            if not retry or attempt == ATTEMPTS - 1:
                raise
            report("another lab took that place at the same moment; trying the next")
    return []


def _can_wait(config: dict[str, Any]) -> bool:
    from labctl.lab.recording.at_start import can_wait  # which knows of packets, and few labs are recorded

    return can_wait(config)


def _left_out(attempt: int) -> int:
    """How many free subnets an attempt passes over: by chance, or all who were too late for one would be so for the
    next, and of a whole class one in each attempt would have a place."""
    return int.from_bytes(os.urandom(2), "big") % min(1 << attempt, MOST_LEFT_OUT)


def _start_made(engine: Engine, name: str, report: Report, config: dict[str, Any]) -> list[Container]:
    """Starts all containers of a lab that don't run, several at once; those of labctl's own wait until they are
    recorded, and are given."""
    from labctl.lab.faults.gate import shut
    from labctl.lab.recording.at_start import waiting

    def start(container: Container) -> None:
        try:
            engine.change("start", container.id)
        except EngineRefused as problem:
            raise problem.having(action=f"start {container.name}") from None
        report(f"Container {container.name} Started")

    made = engine.containers([f"{LABEL_LAB}={name}", LABEL_NODE])
    fresh = [item for item in made if item.state in ("created", "exited") and LABEL_RUN not in item.labels]
    waiters = waiting(config, fresh)
    shut(engine, waiters)
    each(start, fresh, STARTERS)
    return waiters


def _remove_what_left(engine: Engine, topology: Topology, report: Report) -> list[Container]:
    """Removes nodes and networks of this lab that its topology has no more, and helpers of such nodes; the nodes that
    stay. Says which go, as it may have been meant otherwise (a file that wasn't named this time). Programs stay, with
    what they are on: they are in no topology."""
    label = [f"{LABEL_LAB}={topology.name}"]
    members = {member.name for member in topology.members}
    found = engine.containers(label)
    programs = [item for item in found if LABEL_RUN in item.labels]
    nodes = [item for item in found if item.labels.get(LABEL_NODE) in members or LABEL_RUN in item.labels]
    kept = {item.id for item in nodes}
    names = {node.name for node in of_containers(topology.name, nodes).nodes}  # with a number, of a scaled service
    gone = [item for item in found if item.id not in kept and item.labels.get(LABEL_PROBED) not in names]
    for node in sorted({item.labels[LABEL_NODE] for item in gone if LABEL_NODE in item.labels}):
        report(f"note: {node} is removed: {blueprints.NO_MORE}")
    if gone:
        remove_containers(engine, gone, report)
    wanted = {net.name for net in topology.networks}.union(*(item.addresses for item in programs))
    for network in engine.networks(label):
        if network.name not in wanted:
            engine.remove_network(network.id)
    return nodes


def _watched(report: Report) -> Report:
    """Reports Compose's progress, and knows the phases in it. With its first line it is the engine's turn."""
    is_begun = False

    def watch(line: str) -> None:
        nonlocal is_begun
        if not is_begun:
            is_begun = True
            imported(*LATER)
        if not line.startswith("Error"):  # what failed is told once, by the error
            report(line)
        what, _, rest = line.partition(" ")
        phase = _PHASES.get((what, rest.rpartition(" ")[2]))
        if phase:
            reached(phase)

    return watch


def _rescue(
    problem: BaseException,
    engine: Engine,
    name: str,
    before: list[Container],
    lock: LabLock,
    report: Report,
    unfinished: Iterable[str] = (),
) -> None:
    """Takes back what this run made, and the lock's file where nothing is left of the lab.

    What is `unfinished` the engine may still be at work on; where it is nothing, nobody has to wait for that any more.
    Where the engine fails us in that: `problem` itself, if it was an error, has the same cause and says less of it.
    """
    awaited = frozenset(unfinished)
    if not awaited:
        lock.finish()
    try:
        _take_back(engine, name, before, report, awaited)
        lock.finish()
        if not _begun(engine, name):
            lock.forget()
    except LabError as second:
        if isinstance(problem, LabError):
            raise second from None
        report(f"{second.message}; `labctl down {name}` removes what was begun")


def _of_others(engine: Engine, lab: Lab) -> list[Container]:
    """What another labctl has made of a lab by now, with its helpers: the lock is free while nodes are waited for."""
    ours = {node.container.id for node in lab.nodes}
    with contextlib.suppress(LabError):  # told where all is taken back
        found = look(engine, lab.name).containers
        return [item for item in found if item.id not in ours and item.labels.get(LABEL_TARGET) not in ours]
    return []


def _take_back(
    engine: Engine, name: str, before: list[Container], report: Report, unfinished: Iterable[str] = ()
) -> None:
    """Removes what this run made: containers that were not there before, and, with the last, networks and volumes.

    The engine goes on with what it was asked for when whoever asked is gone: what is `unfinished` may still appear, or
    may never.
    """
    old = {container.id for container in before}
    awaited = set(unfinished)
    if not awaited and not before and not _begun(engine, name):
        return  # nothing was begun
    report("taking back what was begun")
    deadline = time.monotonic() + STILL_AT_WORK
    while True:
        awaited -= _remove_new(engine, name, old, report)
        if not awaited or time.monotonic() > deadline:
            return
        time.sleep(LOOK_AGAIN)


def _begun(engine: Engine, name: str) -> set[str]:
    """What there is of a lab, beside the claim to its name."""
    return look(engine, name).names - {claim.volume(name)}


def _remove_new(engine: Engine, name: str, old: set[str], report: Report) -> set[str]:
    """The names of what was removed."""
    label = [f"{LABEL_LAB}={name}"]
    new = [container for container in engine.containers(label) if container.id not in old]
    # They have begun nothing yet that would have to end in order; one that is just starting doesn't hear SIGTERM.
    remove_containers(engine, new, report, stop=False)
    gone = {container.name for container in new}
    if not engine.containers(label):
        for network in engine.networks(label):
            engine.remove_network(network.id)
            gone.add(network.name)
        for volume in engine.volumes(label):
            engine.remove_volume(volume.name)
            gone.add(volume.name)
    return gone


def _has_movable_port(topology: Topology) -> bool:
    return any(port.movable for member in topology.members for port in member.ports)
