"""Recorders from a lab's first moment on, for `labctl up --record`.

A recorder lives in its node's network namespace, which is there only while the node runs; so a node of labctl's own is
told to wait until it is recorded, in the way that it waits for rules (services/base/labnode/hold.py). Somebody's own
image knows nothing of that, and its very first packets may be missed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from labctl.engine.model import COMPOSE_SERVICE, Container, Engine
from labctl.lab import capture
from labctl.lab.model import Lab
from labctl.lab.standing import HOLD, USUAL

MOST = 16  # nodes: the recorders of more would take longer to come than a node waits
GIVES_SIGN = {"LABCTL_SIGN": "1"}  # tells a recorder to tell its node


def can_wait(config: Mapping[str, Any]) -> bool:
    """Whether nodes of a configuration can be told to wait: not where one waits for another, and not too many."""
    services = config["services"].values()
    return len(services) <= MOST and not any(service.get("depends_on") for service in services)


def waiting(config: Mapping[str, Any], made: Iterable[Container]) -> list[Container]:
    """Of containers that don't run yet, those that are to wait. A node whose links have conditions waits already."""
    services = config["services"]
    limits = {name: service.get("pids_limit") for name, service in services.items() if _is_ours(service)}
    return [item for item in made if limits.get(item.labels.get(COMPOSE_SERVICE, "")) == USUAL]


def _is_ours(service: Mapping[str, Any]) -> bool:
    # What labctl disables is the healthcheck of its own nodes, whose word it waits for instead.
    return bool((service.get("healthcheck") or {}).get("disable"))


def hold(engine: Engine, containers: Iterable[Container]) -> None:
    """Tells them to wait at their start."""
    for container in containers:
        engine.limit_processes(container.id, HOLD)


def record(engine: Engine, lab: Lab, held: Iterable[Container] = ()) -> None:
    """Recorders at all running nodes that have none; then nobody waits at another start. Raises LabError."""
    there = capture.recorders(engine, lab)
    nodes = [node for node in lab.nodes if node.is_running and node.name not in there]
    names = {container.id for container in held}
    try:
        capture.start(engine, lab, nodes, {node.name: GIVES_SIGN for node in nodes if node.container.id in names})
    finally:
        for ident in names:
            engine.limit_processes(ident, USUAL)
