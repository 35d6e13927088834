"""Waits until every node of a lab has said that it is ready."""

from __future__ import annotations

import time
from collections.abc import Callable

from labctl.engine.model import Details, Engine, Stream
from labctl.errors import LabError
from labctl.events.codec import decode, normalise
from labctl.lab.model import Lab, Node

LAST_LINES = 5
LOOK_AGAIN = 0.2  # seconds, at containers whose healthcheck has not decided yet


def wait_ready(engine: Engine, lab: Lab, deadline: float, timeout: float, report: Callable[[str], None]) -> None:
    """Returns when each node with a role has printed `ready` in this run, and any other is healthy, if it has a
    healthcheck; without one it only has to run still by then.

    Raises LabError `node-failed` (with the node's last lines), `not-ready`.
    """
    _wait_for_roles(engine, lab, deadline, timeout, report)
    _wait_for_health(engine, lab, deadline, timeout, report)


def _wait_for_health(engine: Engine, lab: Lab, deadline: float, timeout: float, report: Callable[[str], None]) -> None:
    waiting = {node.container.id: node for node in lab.nodes if not node.role and node.is_running}
    while waiting:
        found = {container.id: container for container in engine.containers() if container.id in waiting}
        for key, node in list(waiting.items()):
            now = found.get(key)
            if now is None or now.state == "exited":
                _fail_unless_done(engine, node, engine.details(key))
            elif now.health == "unhealthy":
                _fail(engine, node, engine.details(key), unhealthy=True)
            elif now.health == "starting":
                continue
            elif now.health:
                report(f"{node.name} is ready")
            del waiting[key]
        if waiting and time.monotonic() > deadline:
            raise _not_ready(waiting, timeout)
        if waiting:
            time.sleep(LOOK_AGAIN)


def _wait_for_roles(engine: Engine, lab: Lab, deadline: float, timeout: float, report: Callable[[str], None]) -> None:
    waiting: dict[str, Node] = {}
    streams: list[Stream] = []
    before: dict[str, str] = {}  # when the run before this one ended
    try:
        for node in lab.nodes:
            details = engine.details(node.container.id)
            if node.container.state == "paused":
                continue  # it was ready once, and cannot say anything now
            if node.container.state != "running":
                _fail_unless_done(engine, node, details)
                continue
            if node.role:
                before[node.container.id] = normalise(details.finished) or ""
                waiting[node.container.id] = node
                streams.append(engine.logs(node.container.id, follow=True, since=before[node.container.id] or None))
        for happening in engine.wait(streams, deadline) if streams else ():
            container = happening.stream.container
            if container not in waiting:
                continue
            node = waiting[container]
            if happening.line is None:
                _fail(engine, node, engine.details(container))
            elif _is_ready(happening.line.text, node, before[container]):
                del waiting[container]
                report(f"{node.name} is ready")
                if not waiting:
                    return
    finally:
        for stream in streams:
            stream.close()
    if waiting:
        raise _not_ready(waiting, timeout)


def _not_ready(waiting: dict[str, Node], timeout: float) -> LabError:
    return LabError("not-ready", seconds=timeout, nodes=", ".join(sorted(node.name for node in waiting.values())))


def _is_ready(line: bytes, node: Node, before: str) -> bool:
    event = decode(line, node=node.name)
    return event.name == "ready" and event.ts > before


def _fail_unless_done(engine: Engine, node: Node, details: Details) -> None:
    # Somebody's own container may well be a job that has done its work.
    if node.role or details.exit_code or details.error:
        _fail(engine, node, details)


def _fail(engine: Engine, node: Node, details: Details, *, unhealthy: bool = False) -> None:
    why = details.error or f"it ended with exit status {details.exit_code}"
    if unhealthy:
        words = " ".join(details.check.split())[-200:]
        why = f"its healthcheck calls it unhealthy ({words})" if words else "its healthcheck calls it unhealthy"
    if details.out_of_memory:
        why += ", out of memory"
    lines = last_lines(engine, node.container.id)
    if lines:
        why += "; its last lines:\n" + "\n".join(f"    {line}" for line in lines)
    raise LabError("node-failed", node=node.name, why=why)


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
