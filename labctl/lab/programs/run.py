"""Runs somebody's own program as a host of a lab: made, started, and seen to be ready."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from labctl.engine.model import (
    COMPOSE_IMAGE,
    COMPOSE_NUMBER,
    COMPOSE_ONEOFF,
    COMPOSE_PROJECT,
    COMPOSE_SERVICE,
    LABEL_LAB,
    LABEL_NODE,
    LABEL_OWNER,
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
from labctl.lab.images.needed import ensure_program
from labctl.lab.life.down import LOCK_LIMIT, remove_containers
from labctl.lab.life.static_routes import set_routes
from labctl.lab.locks import LabLock
from labctl.lab.model import Lab, Node
from labctl.lab.programs import awaiting, executable, folder, remarks
from labctl.lab.programs.awaiting import Seen
from labctl.lab.programs.place import Place, choose, lab_of
from labctl.lab.programs.remove import take_away
from labctl.lab.programs.wanted import PLACE, SCRATCH, Expected, Wanted, command_of, expected_of, folder_of
from labctl.phases import reached

BUILD_LIMIT = 600.0  # seconds for the image of programs
SHOWN = 10  # last lines of a program that has failed
# Python's output comes as it is written, and its home is where it may write.
ENVIRONMENT = {"PYTHONUNBUFFERED": "1", "HOME": SCRATCH}
Report = Callable[[str], None]


@dataclass(frozen=True)
class Ran:
    """A program's host as it began: `seen` is None where nobody waited for it; `notes` are what its author should
    know."""

    lab: str
    node: str
    command: tuple[str, ...]
    addresses: tuple[str, ...]
    notes: tuple[str, ...]
    seen: Seen | None = None

    @property
    def state(self) -> str:
        return self.seen.state if self.seen else "started"

    def as_json(self) -> dict[str, Any]:
        seen = self.seen
        listening = seen.listening if seen else ()
        return {
            "lab": self.lab,
            "node": self.node,
            "command": list(self.command),
            "addresses": list(self.addresses),
            "state": self.state,
            "listening": [{"proto": one.proto, "port": one.port, "address": one.address} for one in listening],
            "seconds": round(seen.seconds, 3) if seen else None,
            "exit_code": seen.exit_code if seen and seen.state == "done" else None,
            "lines": list(seen.lines) if seen else [],
            "notes": list(self.notes),
        }


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
    image = _image(engine, wanted, report)
    lock = LabLock(name)
    lock.acquire(LOCK_LIMIT, report, engine.cancels)
    try:
        lab = lab_of(engine, name)
        place, before = _place(engine, lab, wanted)
        if before:
            report(f"{wanted.name} {before.condition}; the new one takes its place")
            take_away(engine, lab, before, report)
        order = _order(lab, wanted, place, image, owners.same(engine, [node.container for node in lab.nodes]))
        begun = time.monotonic()
        made = _make(engine, lab, order, lock)
    finally:
        lock.close()
    reached("run:started")
    ran = Ran(name, wanted.name, wanted.command, place.addresses, notes)
    try:
        now = lab_of(engine, name)
        if place.labels:
            set_routes(engine, now, [now.node(wanted.name)])
        if not is_awaited:
            return ran
        others = _running(now)
        seen = awaiting.wait(engine, made, wanted.expected, timeout, begun, is_first=True)
        ran = _judged(ran, seen, wanted, others, timeout)
        reached("run:ready")
        return ran
    except BaseException as problem:
        if not isinstance(problem, LabError) or isinstance(problem, Cancelled):
            _take_back(engine.cancelled_by(), name, order, report)
        raise


def checked(engine: Engine, wanted: Wanted) -> tuple[Wanted, tuple[str, ...]]:
    """What is wanted, with the folder's own path, and what is to be said of it; nothing is made. Raises LabError."""
    if wanted.folder is None:
        return wanted, ()
    if engine.machine is not None:
        raise LabError("folder-elsewhere", machine=engine.machine, folder=wanted.folder)
    found, notes = folder.check(wanted.folder)
    executable.check(wanted.command, found, ours=wanted.image == PROGRAM_IMAGE)
    return replace(wanted, folder=found), notes


def _image(engine: Engine, wanted: Wanted, report: Report) -> Image:
    if wanted.image == PROGRAM_IMAGE:
        ensure_program(engine, report, BUILD_LIMIT)
    image = engine.image(wanted.image)
    if image is None:
        raise LabError("image-not-here", image=wanted.image)
    return image


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
        network=place.network.name,
        addresses=place.addresses,
        memory=wanted.memory,
        folder=str(wanted.folder) if wanted.folder else None,
        place=PLACE,
        scratch=SCRATCH,
        ports=wanted.publish,
    )


def _make(engine: Engine, lab: Lab, order: NodeOrder, lock: LabLock) -> str:
    """The id of a node that runs; or nothing is left of it."""
    lock.begin([order.name])
    try:
        made = engine.create_node(order)
        reached("run:created")
        if made is None:
            what = f"a container {order.name}, which is none of this lab's"
            raise LabError("name-taken", node=order.hostname, what=what, mend="choose another name")
        try:
            engine.change("start", made)
        except EngineRefused as problem:
            raise _why_not(problem, order) from None
    except BaseException:
        _take_back(engine.cancelled_by(), lab.name, order, lambda text: None)
        lock.finish()
        raise
    lock.finish()
    return made


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
    wanted = [f"{LABEL_LAB}={lab}", f"{LABEL_NODE}={order.hostname}", LABEL_RUN]
    with contextlib.suppress(LabError):
        found: Sequence[Container] = [item for item in engine.containers(wanted) if item.name == order.name]
        remove_containers(engine, found, report, stop=False)


def _judged(ran: Ran, seen: Seen, wanted: Wanted, others: tuple[str, ...], timeout: float) -> Ran:
    """What was seen, with what there is to say of it. Raises LabError `program-failed`, `program-silent`."""
    if seen.state == "failed":
        about = remarks.Situation(ran.node, wanted.command, wanted.folder, others)
        raise failed(seen, about, wanted.memory)
    if seen.state == "silent":
        raise silent(ran.node, seen, wanted.expected, timeout)
    published = [port.private for port in wanted.publish if port.proto == "tcp"]
    notes = tuple(remarks.of_sockets(ran.node, seen, wanted.expected, published))
    return replace(ran, seen=seen, notes=(*ran.notes, *notes))


def failed(seen: Seen, about: remarks.Situation, memory: int) -> LabError:
    """LabError `program-failed`, with its last lines, and what its author may have tripped over."""
    tips = list(remarks.of_failure(seen, about, f"{memory // 1024**2} MiB"))
    mend = "; ".join(tips) or f"`labctl logs {about.node}` shows all that it printed"
    return LabError("program-failed", node=about.node, how=_how(seen), lines=_lines(seen), mend=mend)


def silent(node: str, seen: Seen, expected: Expected, timeout: float) -> LabError:
    """LabError `program-silent`."""
    why = f"it has not printed {expected.text!r}" if expected.text is not None else "it listens nowhere"
    return LabError("program-silent", node=node, seconds=timeout, why=why, lines=_lines(seen))


def again(engine: Engine, lab: Lab, node: Node, timeout: float) -> Seen:
    """Waits for a program that was started again. Raises LabError `program-failed`, `program-silent`."""
    labels = node.container.labels
    seen = awaiting.wait(engine, node.container.id, expected_of(labels), timeout, time.monotonic())
    if seen.state == "failed":
        about = remarks.Situation(node.name, command_of(labels), folder_of(labels), _running(lab))
        raise failed(seen, about, engine.settings(node.container.id).memory or 0)
    if seen.state == "silent":
        raise silent(node.name, seen, expected_of(labels), timeout)
    return seen


def _running(lab: Lab) -> tuple[str, ...]:
    return tuple(node.name for node in lab.nodes if node.is_running)


def _how(seen: Seen) -> str:
    from labctl.signals import name_of

    code = seen.exit_code
    how = f"with exit status {code}"
    signal = name_of(code - 128) if code > 128 else None
    return f"{how} ({signal})" if signal else how


def _lines(seen: Seen) -> str:
    """The last lines that it printed."""
    shown = seen.lines[-SHOWN:]
    if not shown:
        return ", and printed nothing"
    which = "its last lines" if seen.printed > len(shown) else "what it printed"
    return f"; {which}:\n" + "\n".join(f"    {line}" for line in shown)
