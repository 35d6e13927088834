"""Runs somebody's own program as a host of a lab: made, started, and seen to be ready.

Somebody waits for it: what is needed only once it runs is imported while the engine starts it.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from labctl.ahead import imported
from labctl.engine.model import (
    COMPOSE_IMAGE,
    COMPOSE_NUMBER,
    COMPOSE_ONEOFF,
    COMPOSE_PROJECT,
    COMPOSE_SERVICE,
    LABEL_FAMILIES,
    LABEL_LAB,
    LABEL_NODE,
    LABEL_OWNER,
    LABEL_PROBE,
    LABEL_ROUTES,
    LABEL_RUN,
    LABEL_TITLE,
    LABEL_TOPOLOGY,
    PROGRAM_IMAGE,
    Container,
    Engine,
    Image,
)
from labctl.engine.nodes import NodeOrder
from labctl.engine.projects import is_port_taken
from labctl.errors import Cancelled, EngineRefused, LabError
from labctl.lab import owners
from labctl.lab.images import program
from labctl.lab.locks import LabLock
from labctl.lab.model import Lab, Node
from labctl.lab.programs import executable, folder
from labctl.lab.programs.place import Place, choose, lab_of
from labctl.lab.programs.ran import Ran
from labctl.lab.programs.wanted import PLACE, SCRATCH, Wanted
from labctl.named import NamedTuple
from labctl.phases import reached

LOCK_LIMIT = 60.0  # seconds that another labctl may take with the lab
BUILD_LIMIT = 600.0  # seconds for the image of programs
SHUT = 63  # processes: labctl.lab.faults.gate.SHUT
RECORDER = "capture"  # labctl.lab.probes.CAPTURE.name
LATER = "labctl.lab.programs.outcome"
# Python's output comes as it is written, and its home is where it may write.
ENVIRONMENT = {"PYTHONUNBUFFERED": "1", "HOME": SCRATCH}
Report = Callable[[str], None]


def run(
    engine: Engine, name: str, wanted: Wanted, report: Report, *, timeout: float = 30.0, is_awaited: bool = True
) -> Ran:
    """Makes a host for a program in the lab of that name, and returns once it is ready, has done its work, or runs and
    listens nowhere; without `is_awaited` once it is started. `timeout` is in seconds.

    Raises LabError: `name-taken`, `program-unfit`, `folder-...`, `image-not-here`, `which-network`, `bad-address`,
    `port-taken` before anything is made; `program-failed`, `program-silent` where the host is there for a look. What
    was begun is taken back when it is cancelled or interrupted.
    """
    wanted, notes = checked(engine, wanted)
    host = _begin(engine, name, wanted, _image(engine, wanted, report), report)
    try:
        reached("run:started")
        addresses = _settle(engine, host)
        ran = Ran(name, wanted.name, wanted.command, addresses, notes)
        if is_awaited:
            from labctl.lab.programs import awaiting, outcome

            seen = awaiting.wait(engine, host.id, wanted.expected, timeout, host.begun, is_first=True)
            ran = outcome.judged(ran, seen, wanted, outcome.running(host.lab), timeout)
        reached("run:ready")
        return ran
    except BaseException as problem:
        if not isinstance(problem, LabError) or isinstance(problem, Cancelled):
            _take_back(engine.cancelled_by(), name, host.order, report)
        raise


class _Host(NamedTuple):
    """A container that runs, and when its start was asked for (time.monotonic())."""

    id: str
    order: NodeOrder
    begun: float
    lab: Lab  # as it was before


def _begin(engine: Engine, name: str, wanted: Wanted, image: Image, report: Report) -> _Host:
    """What runs then, or nothing is left of it."""
    ours = wanted.image == PROGRAM_IMAGE
    lock = LabLock(name)
    lock.acquire(LOCK_LIMIT, report, engine.cancels)
    try:
        lab = lab_of(engine, name)
        place, before = _place(engine, lab, wanted)
        if before:
            from labctl.lab.programs.remove import take_away

            report(f"{wanted.name} {before.condition}; the new one takes its place")
            take_away(engine, lab, [before], report)
        order = _order(lab, wanted, place, image, owners.same(engine, [node.container for node in lab.nodes]))
        # What others of the lab send is recorded: so is what this one does, from its first packet on.
        gated = ours and not order.shares and _is_recorded(engine, name)  # a network that is shared is recorded already
        order = order._replace(processes=SHUT) if gated else order
        begun = time.monotonic()
        try:
            return _Host(*_make(engine, lab, order, lock, image if ours else None), begun, lab)
        except _Stale:
            order = order._replace(labels={**order.labels, COMPOSE_IMAGE: _built(engine, report).id})
            begun = time.monotonic()
            return _Host(*_make(engine, lab, order, lock), begun, lab)
    finally:
        lock.close()


def _settle(engine: Engine, host: _Host) -> tuple[str, ...]:
    """What a host has to have beside its container, and that has to run for it: a recorder, routes. Its addresses."""
    order = host.order
    is_routed = LABEL_ROUTES in order.labels or LABEL_FAMILIES in order.labels
    if order.addresses and not is_routed and order.processes != SHUT:
        return tuple(order.addresses)
    now = lab_of(engine, host.lab.name)
    node = now.node(order.hostname)
    if order.processes == SHUT:
        from labctl.lab.recording import at_start

        at_start.record(engine, now, [node.container], [node])
    if is_routed:
        from labctl.lab.life.static_routes import set_routes

        set_routes(engine, now, [node])
    return tuple(node.addresses)


def checked(engine: Engine, wanted: Wanted) -> tuple[Wanted, tuple[str, ...]]:
    """What is wanted, with the folder's own path, and what is to be said of it; nothing is made. Raises LabError."""
    if wanted.machine and wanted.machine not in engine.machines:
        where = ", ".join(name or "the usual engine" for name in engine.machines)
        raise LabError("bad-place", node=wanted.name, machine=wanted.machine, why=f"the lab is on {where}")
    if wanted.folder is None:
        return wanted, ()
    found, notes = folder.check(wanted.folder)
    executable.check(wanted.command, found, ours=wanted.image == PROGRAM_IMAGE)
    return replace(wanted, folder=found), notes


def _image(engine: Engine, wanted: Wanted, report: Report) -> Image:
    image = engine.builder.image(wanted.image) or engine.image(wanted.image)
    if image is None and wanted.image == PROGRAM_IMAGE:
        return _built(engine, report)
    if image is None:
        raise LabError("image-not-here", image=wanted.image)
    engine.distribute([wanted.image], report, BUILD_LIMIT)
    return image


def _built(engine: Engine, report: Report) -> Image:
    program.build(engine.builder, report, BUILD_LIMIT)
    image = engine.builder.image(PROGRAM_IMAGE)
    if image is None:
        raise LabError("image-not-here", image=PROGRAM_IMAGE)
    engine.distribute([PROGRAM_IMAGE], report, BUILD_LIMIT)
    return image


class _Stale(Exception):
    """The image has to be built anew; nothing of it has run."""


class _Check(threading.Thread):
    """Whether an image is stale, found out while the engine makes a container of it."""

    def __init__(self, image: Image) -> None:
        super().__init__(daemon=True)
        self._image = image
        self._is_stale = False
        self._problem: LabError | None = None

    def run(self) -> None:
        try:
            self._is_stale = program.is_stale(self._image)
        except LabError as problem:
            self._problem = problem

    def end(self) -> None:
        """Raises _Stale where it is, and LabError where that can't be known."""
        self.join()
        if self._problem:
            raise self._problem
        if self._is_stale:
            raise _Stale


def _place(engine: Engine, lab: Lab, wanted: Wanted) -> tuple[Place, Node | None]:
    """Where it goes, and the node whose place it takes. Raises LabError `name-taken` besides."""
    before = next((node for node in lab.nodes if node.name == wanted.name), None)
    if before and not before.is_program:
        raise LabError("name-taken", node=before.name, what="a node of the topology", mend="choose another name")
    if before and before.container.state in ("running", "paused", "restarting") and not wanted.replace:
        what = f"a program that {'runs' if before.is_running else before.condition}"
        mend = f"`labctl rm {before.name}` removes it, --replace takes its place"
        raise LabError("name-taken", node=before.name, what=what, mend=mend)
    return choose(engine, lab, wanted.network, wanted.address, before.container if before else None), before


def _is_recorded(engine: Engine, lab: str) -> bool:
    """Whether any of a lab's recorders runs (labctl/lab/probes.py, CAPTURE)."""
    return bool(engine.containers([f"{LABEL_LAB}={lab}", f"{LABEL_PROBE}={RECORDER}"], running=True))


def _order(lab: Lab, wanted: Wanted, place: Place, image: Image, owner: owners.Owner | None) -> NodeOrder:
    title = next((node.container.labels.get(LABEL_TITLE, "") for node in lab.nodes), "")
    labels = {
        LABEL_LAB: lab.name,
        LABEL_NODE: wanted.name,
        LABEL_OWNER: str(owner or lab.standing.owner or owners.me()),
        LABEL_TITLE: title,
        LABEL_TOPOLOGY: lab.standing.origin,
        LABEL_RUN: wanted.label(),
        # As those of `docker compose run`: Compose leaves such a container alone, whatever its file says.
        COMPOSE_PROJECT: lab.name,
        COMPOSE_SERVICE: wanted.name,
        COMPOSE_NUMBER: "1",
        COMPOSE_ONEOFF: "True",
        COMPOSE_IMAGE: image.id,
        **dict(place.labels),
    }
    return NodeOrder(
        name=f"{lab.name}-{wanted.name}-1",
        hostname=wanted.name,
        image=wanted.image,
        command=wanted.command,
        labels=labels,
        environment={**ENVIRONMENT, **wanted.environment},
        network=place.network,
        addresses=place.addresses,
        memory=wanted.memory,
        folder=str(wanted.folder) if wanted.folder else None,
        place=PLACE,
        scratch=SCRATCH,
        ports=wanted.publish,
        machine=wanted.machine,
        shares=place.shares,
    )


def _make(
    engine: Engine, lab: Lab, order: NodeOrder, lock: LabLock, image: Image | None = None
) -> tuple[str, NodeOrder]:
    """The id of a node that runs, and what it was made by; or nothing is left. Raises _Stale where the `image` is."""
    check = _Check(image) if image else None
    if check:
        check.start()
    lock.begin([order.name])
    try:
        made, order = _create(engine, order)
        reached("run:created")
        if check:
            check.end()
        if made is None:
            what = f"a container {order.name}, which is none of this lab's"
            raise LabError("name-taken", node=order.hostname, what=what, mend="choose another name")
        try:
            imported(LATER)
            engine.change("start", made)
        except EngineRefused as problem:
            raise _why_not(problem, order) from None
    except BaseException:
        _take_back(engine.cancelled_by(), lab.name, order, lambda text: None)
        lock.finish()
        raise
    lock.finish()
    return made, order


def _create(engine: Engine, order: NodeOrder) -> tuple[str | None, NodeOrder]:
    try:
        return engine.create_node(order), order
    except EngineRefused as problem:
        # Of a network whose subnet was the engine's own choice it gives the addresses itself, and keeps none for later.
        if not order.addresses or "user configured subnets" not in str(problem.values.get("why")):
            raise
        order = order._replace(addresses=())
        return engine.create_node(order), order


def _why_not(problem: LabError, order: NodeOrder) -> LabError:
    """Why the engine did not start a node, in words of what was asked for."""
    why = str(problem.values.get("why", ""))
    if is_port_taken(problem) and "port" in why and order.ports:
        return LabError("port-taken", ports=", ".join(port.place for port in order.ports), why=why)
    if is_port_taken(problem):
        return LabError("bad-address", address=", ".join(order.addresses), network=order.network, why="somebody has it")
    return problem.having(action=f"start {order.hostname}")


def _take_back(engine: Engine, lab: str, order: NodeOrder, report: Report) -> None:
    """Removes what was made, also where the engine's answer to that never came; where it won't, `down` will."""
    from labctl.lab.life.down import remove_containers

    wanted = [f"{LABEL_LAB}={lab}", f"{LABEL_NODE}={order.hostname}", LABEL_RUN]
    with contextlib.suppress(LabError):
        found: Sequence[Container] = [item for item in engine.containers(wanted) if item.name == order.name]
        remove_containers(engine, found, report, stop=False)
