"""Starts, stops, kills, pauses and restarts single nodes."""

from __future__ import annotations

import time

from labctl.engine.model import Engine
from labctl.errors import LabError
from labctl.lab import record, syscalls
from labctl.lab.model import Lab, find, of_containers
from labctl.lab.ready import wait_ready
from labctl.lab.routes import set_routes
from labctl.lab.standing import put_in_force

# From which of Docker's states a verb makes sense; what to do instead elsewhere.
_FROM = {
    "start": ("created", "exited", "dead", "running"),
    "stop": ("running", "restarting", "paused", "exited", "created"),
    "restart": ("running", "exited", "created", "restarting"),
    "kill": ("running", "restarting", "paused"),
    "pause": ("running",),
    "unpause": ("paused",),
}


def change(engine: Engine, lab: Lab, verb: str, name: str, *, timeout: float) -> None:
    """Does one verb to one node; after start and restart, waits until it is ready again. Raises LabError.

    A node whose packets or system calls were recorded is recorded again, from the first one on where it can wait.
    """
    node = lab.node(name)
    state = node.container.state
    if state not in _FROM[verb]:
        problem = node.does_not_run(f"labctl can't {verb} it")
        if state == "running":
            mend = f"it runs already; `labctl pause {name}` freezes it"
            problem = LabError("not-running", **{**problem.values, "mend": mend})
        raise problem
    deadline = time.monotonic() + timeout
    if verb not in ("start", "restart"):
        engine.change(verb, node.container.id, limit=timeout)
        return
    begins = verb == "restart" or state != "running"
    held = record.waiting_again(engine, lab, node) if begins else None
    traced = begins and node.is_running and syscalls.is_on(engine, lab, node)
    record.hold(engine, held or [])
    try:
        engine.change(verb, node.container.id, limit=timeout)
        now = find(engine, lab.name)
        if traced:  # before the recorder lets the node go on
            syscalls.start(engine, now, [now.node(name)])
    except BaseException:
        record.release(engine, held or [])
        raise
    if held is not None:
        record.record(engine, now, held, [now.node(name)])
    set_routes(engine, now, [now.node(name)])
    put_in_force(engine, now, [now.node(name)])
    fresh = [item for item in engine.containers() if item.id == node.container.id]
    wait_ready(engine, of_containers(lab.name, fresh), deadline, timeout, lambda text: None)
