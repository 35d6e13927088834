"""Starts, stops, kills, pauses and restarts single nodes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from labctl.engine.model import Engine
from labctl.errors import EngineRefused, EngineTimeout, LabError
from labctl.lab.faults import gate
from labctl.lab.faults.standing import put_in_force
from labctl.lab.life.ready import wait_ready
from labctl.lab.life.static_routes import set_routes
from labctl.lab.model import Lab, Node, find
from labctl.lab.processes import syscalls
from labctl.lab.recording import at_start

# From which of Docker's states a verb makes sense; what to do instead elsewhere.
_FROM = {
    "start": ("created", "exited", "dead", "running"),
    "stop": ("running", "restarting", "paused", "exited", "created"),
    "restart": ("running", "exited", "created", "restarting"),
    "kill": ("running", "restarting", "paused"),
    "pause": ("running",),
    "unpause": ("paused",),
}


# After these a node's network is gone or another one, and with it that of all who share it.
ENDS_OR_RENEWS = ("start", "stop", "restart", "kill")


def applies(verb: str, node: Node) -> bool:
    """Whether the verb makes sense for a node as it is."""
    return node.container.state in _FROM[verb]


def check_verb(verb: str) -> None:
    """Raises LabError `bad-option` where no such thing is done to nodes."""
    if verb not in _FROM:
        raise LabError("bad-option", option="verb", why=f"{verb!r} is none of {', '.join(_FROM)}")


def change(engine: Engine, lab: Lab, verb: str, name: str, *, timeout: float, signal: str | None = None) -> list[str]:
    """Does one verb to one node; after start and restart, waits until it is ready again. `signal` is that of `kill`,
    else SIGKILL. The names of the nodes that it was done to besides. Raises LabError.

    A node whose packets or system calls were recorded is recorded again, from the first one on where it can wait. What
    ends or renews a network is done to all nodes that share it: without it they would go on with none.
    """
    node = lab.node(name)
    if node.owner and verb in ("start", "restart"):
        _need_owner(node, node.owner, verb)
    _change(engine, lab, verb, node, timeout, signal)
    if node.owner or verb not in ENDS_OR_RENEWS or (verb == "kill" and signal not in (None, "SIGKILL")):
        return []
    return _change_others(engine, lab, verb, node, timeout)


def _need_owner(node: Node, owner: Node, verb: str) -> None:
    """Raises LabError `not-running`: a program can't be started in a network that isn't there."""
    if owner.container.state not in ("running", "paused"):
        action = f"labctl can't {verb} {node.name}, which has its network"
        mend = f"`labctl start {owner.name}` starts both"
        raise LabError("not-running", node=owner.name, state=owner.condition, action=action, mend=mend)


def _change_others(engine: Engine, lab: Lab, verb: str, owner: Node, timeout: float) -> list[str]:
    """The nodes that share the network of one that was changed: with its end they end, with a new one they begin anew.

    Where the owner ran already when it was to be started, only those start that don't run.
    """
    renewed = verb == "restart" or owner.container.state != "running"
    changed = []
    for node in lab.members(owner)[1:]:
        runs = node.container.state in ("running", "paused", "restarting")
        if verb in ("stop", "kill"):
            done = verb if runs else ""
        else:
            done = "restart" if runs and renewed else "start" if verb == "start" and not runs else ""
        if not done:
            continue
        if done == "restart" and node.container.state == "paused":
            with _named("unpause", node.name):
                engine.change("unpause", node.container.id, limit=timeout)
        now = find(engine, lab.name)
        _change(engine, now, done, now.node(node.name), timeout)
        changed.append(node.name)
    return changed


@contextmanager
def _named(verb: str, name: str) -> Iterator[None]:
    """An engine that takes too long, or won't, is told of by what it was to do, and to which node."""
    try:
        yield
    except (EngineTimeout, EngineRefused) as problem:
        raise problem.having(action=f"{verb} {name}") from None


def _change(engine: Engine, lab: Lab, verb: str, node: Node, timeout: float, signal: str | None = None) -> None:
    name = node.name
    state = node.container.state
    if not applies(verb, node):
        problem = node.does_not_run(f"labctl can't {verb} it")
        if state == "running":
            mend = f"it runs already; `labctl pause {name}` freezes it"
            problem = problem.having(mend=mend)
        raise problem
    deadline = time.monotonic() + timeout
    if verb not in ("start", "restart"):
        with _named(verb, name):
            engine.change(verb, node.container.id, limit=timeout, signal=signal)
        return
    begins = verb == "restart" or state != "running"
    waiters = at_start.waiting_again(engine, lab, node) if begins else None
    traced = begins and node.is_running and syscalls.is_on(engine, lab, node)
    gate.shut(engine, waiters or [])
    try:
        with _named(verb, name):
            engine.change(verb, node.container.id, limit=timeout)
        now = find(engine, lab.name)
        if traced:  # before the recorder lets the node go on
            syscalls.start(engine, now, [now.node(name)])
    except BaseException:
        gate.release(engine, waiters or [])
        raise
    if waiters is not None:
        at_start.record(engine, now, waiters, [now.node(name)])
    set_routes(engine, now, [now.node(name)])
    put_in_force(engine, now, [now.node(name)])
    now = find(engine, lab.name)  # of all of it: alone, a node of a scaled service would have another name
    wait_ready(engine, now._replace(nodes=(now.node(name),)), deadline, timeout, lambda text: None)
