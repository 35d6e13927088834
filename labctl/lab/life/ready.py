"""Waits until every node of a lab has said that it is ready."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from typing import NoReturn

from labctl.cancel import sleep
from labctl.engine.model import Container, Details, Engine
from labctl.errors import LabError, NodeFailed
from labctl.events.codec import EPOCH, normalise
from labctl.events.model import nanoseconds_of
from labctl.lab.life.present_run import Run, look_at
from labctl.lab.model import Lab, Node, containers_of, of_containers

LAST_LINES = 5
WELL = ("running", "paused")  # Docker's states of a node that has nothing wrong with it
LOOK_AGAIN = 0.2  # seconds, at containers whose healthcheck has not decided yet
SETTLE = 3.0  # seconds that a program must run for which nothing else says that it is well
ENOUGH = 3  # times that the engine has started a program again: it will not run


def wait_ready(engine: Engine, lab: Lab, deadline: float, timeout: float, report: Callable[[str], None]) -> Lab:
    """The lab as it is once each of these nodes with a role has printed `ready` in this run, and any other is healthy,
    if it has a healthcheck; without one it has to have run for some seconds, or to have done its work. Plain programs,
    as `labctl run` makes them, are ready when they listen (labctl/lab/programs). Then all are looked at once more: a
    node that is well by its own word may have ended since. What is given has all of the lab, also nodes that were not
    waited for.

    Raises LabError `node-failed` (with the node's last lines), `not-ready`, `program-failed`, `program-silent`.
    """
    try:
        return _wait(engine, lab, deadline, timeout, report)
    except NodeFailed as problem:
        _name_others(engine, lab, problem)
        raise


def _name_others(engine: Engine, lab: Lab, problem: LabError) -> None:
    """Adds who else has failed by now: often one node fails for the other."""
    now = {container.id: container for container in containers_of(engine, lab.name)}
    nodes = of_containers(lab.name, [now[node.container.id] for node in lab.nodes if node.container.id in now]).nodes
    failed = [node for node in nodes if node.container.exit_code and node.name != problem.values["node"]]
    if failed:
        problem.message += "".join(f"\n{node.name} {node.condition} as well" for node in failed)


def _wait(engine: Engine, lab: Lab, deadline: float, timeout: float, report: Callable[[str], None]) -> Lab:
    told = _wait_for_roles(engine, lab, deadline, timeout, report)
    if len(told) < len(lab.nodes):
        _wait_for_others(engine, lab, deadline, timeout, report)
        _wait_for_programs(engine, lab, deadline, report)
        told = {}  # that takes its time, in which the engine may start a node again
    found = {container.id: container for container in containers_of(engine, lab.name)}
    for node in lab.nodes:
        now = found.get(node.container.id)
        if now is None or now.state not in WELL:
            _fail_unless_done(engine, node, engine.details(node.container.id))
    return of_containers(lab.name, found.values())._replace(ready=told)


class _Run:
    """A node that can't say that it is ready: how often the engine has started it by itself, and until when (of
    time.monotonic()) it has to run on to count as one that does."""

    def __init__(self, restarts: int, until: float) -> None:
        self.restarts, self.until = restarts, until


def _wait_for_others(engine: Engine, lab: Lab, deadline: float, timeout: float, report: Callable[[str], None]) -> None:
    waiting = {node.container.id: node for node in lab.nodes if not node.role and not _is_program(node)}
    runs = {key: _run(engine.details(key)) for key in waiting}
    while waiting:
        found = {container.id: container for container in containers_of(engine, lab.name) if container.id in waiting}
        for key, node in list(waiting.items()):
            if _is_well(engine, node, found.get(key), runs[key]):
                del waiting[key]
                if key in found and found[key].health:
                    report(f"{node.name} is ready")
        late = {key: node for key, node in waiting.items() if key in found and found[key].health == "starting"}
        if late and time.monotonic() > deadline:
            raise _not_ready(late, timeout)
        if waiting:
            sleep(LOOK_AGAIN, engine.cancels)


def _is_program(node: Node) -> bool:
    """Whether it is ready when it listens; a healthcheck knows better."""
    return node.is_plain and node.container.health is None


def _wait_for_programs(engine: Engine, lab: Lab, deadline: float, report: Callable[[str], None]) -> None:
    found = [node for node in lab.nodes if _is_program(node) and node.container.state != "paused"]
    if not found:
        return
    from labctl.lab.programs.outcome import again  # labs of topologies have none

    for node in found:
        again(engine, lab, node, deadline - time.monotonic())
        report(f"{node.name} is ready")


def _run(details: Details) -> _Run:
    """As of now. Where the engine's clock is behind ours the node seems to have run for longer than it has."""
    age = time.time() - nanoseconds_of(normalise(details.started) or EPOCH) / 1e9
    return _Run(details.restarts, time.monotonic() + min(SETTLE, max(0.0, SETTLE - age)))


def _is_well(engine: Engine, node: Node, now: Container | None, run: _Run) -> bool:
    """False where that isn't known yet. Raises LabError `node-failed`."""
    if now is None or now.state not in (*WELL, "restarting"):
        _fail_unless_done(engine, node, engine.details(node.container.id))
        return True
    if now.health == "unhealthy":
        _fail(engine, node, engine.details(now.id), unhealthy=True)
    if now.health == "healthy" or (now.health is None and now.state == "paused"):
        return True
    if now.state != "restarting" and (now.health == "starting" or time.monotonic() <= run.until):
        return False
    details = engine.details(now.id)
    if now.state != "restarting" and details.restarts == run.restarts:
        return True
    if details.restarts >= ENOUGH:
        _fail(engine, node, details)
    if details.restarts != run.restarts:  # it may do better this time: what it needs may only just have come up
        run.restarts, run.until = details.restarts, time.monotonic() + SETTLE
    return False


def _wait_for_roles(
    engine: Engine, lab: Lab, deadline: float, timeout: float, report: Callable[[str], None]
) -> dict[str, Details]:
    """What the engine has said of each container that then said `ready`, and has not ended since."""
    told: dict[str, Details] = {}
    waiting: dict[str, Node] = {}
    runs: dict[str, Run] = {}
    # A paused one was ready once, and cannot say anything now.
    heard = [node for node in lab.nodes if node.role and node.container.state != "paused"]
    look = look_at(engine, heard, [node for node in heard if node.is_running], follow=True)
    try:
        for node in heard:
            ident = node.container.id
            if ident in look.problems:
                raise look.problems[ident]
            details = told[ident] = look.details[ident]
            if not node.is_running:
                _fail(engine, node, details)
            runs[ident], waiting[ident] = Run(node, details), node
        for happening in engine.wait(look.logs.values(), deadline) if look.logs else ():
            container = happening.stream.container
            if container not in waiting:
                if happening.line is None:
                    told.pop(container, None)
                continue
            node = waiting[container]
            if happening.line is None:
                _fail(engine, node, engine.details(container))
            elif runs[container].is_ready(happening.line):
                del waiting[container]
                report(f"{node.name} is ready")
                if not waiting:
                    break
    finally:
        look.close()
    if waiting:
        raise _not_ready(waiting, timeout)
    return told


def _not_ready(waiting: dict[str, Node], timeout: float) -> LabError:
    return LabError("not-ready", seconds=timeout, nodes=", ".join(sorted(node.name for node in waiting.values())))


def _fail_unless_done(engine: Engine, node: Node, details: Details) -> None:
    # Somebody's own container may well be a job that has done its work.
    if node.role or details.exit_code or details.error:
        _fail(engine, node, details)


def _fail(engine: Engine, node: Node, details: Details, *, unhealthy: bool = False) -> NoReturn:
    raise failure(engine, node, details, unhealthy=unhealthy)


def failure(engine: Engine, node: Node, details: Details, *, unhealthy: bool = False) -> LabError:
    """LabError `node-failed` with the node's last lines."""
    why = details.error or f"it ended with exit status {details.exit_code}"
    if details.restarts:
        times = "once" if details.restarts == 1 else f"{details.restarts} times"
        why += f", and the engine has started it again {times}"
    if unhealthy:
        words = " ".join(details.check.split())[-200:]
        why = f"its healthcheck calls it unhealthy ({words})" if words else "its healthcheck calls it unhealthy"
    if details.out_of_memory:
        why += ", out of memory"
    lines: list[str] = []
    with suppress(LabError):  # its logging driver gives none, or it is being removed: it has failed all the same
        lines = last_lines(engine, node.container.id)
    if lines:
        why += "; its last lines:\n" + "\n".join(f"    {line}" for line in lines)
    return LabError("node-failed", node=node.name, why=why)


def last_lines(engine: Engine, container: str, count: int = LAST_LINES) -> list[str]:
    stream = engine.logs(container, tail=count)
    try:
        deadline = time.monotonic() + 10
        return [
            happening.line.text.decode(errors="replace")
            for happening in engine.wait([stream], deadline)
            if happening.line
        ][-count:]
    finally:
        stream.close()
