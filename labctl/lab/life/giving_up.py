"""Why Compose gave a lab up: of a node that others wait for, its own failure says more than Compose's word on it."""

from __future__ import annotations

import re
from contextlib import suppress

from labctl.engine.model import COMPOSE_SERVICE, LABEL_LAB, LABEL_NODE, Engine
from labctl.engine.projects import BY_COMPOSE, MAKING
from labctl.errors import ComposeFailed, EngineTimeout, LabError
from labctl.lab.life.ready import failure
from labctl.lab.model import Lab, Node, of_containers
from labctl.topology.model import Topology

# What Compose says of a dependency that ended, or is unhealthy, or whose work was not done; it names the container, or
# the service. Of one that has no healthcheck it says more.
_CONTAINER = re.compile(r"dependency failed to start: container (\S+) (?:exited \(|is unhealthy)")
_SERVICE = re.compile(r"service \"(.+?)\" didn't complete successfully")
_DONE = "service_completed_successfully"


def cause(engine: Engine, topology: Topology, problem: LabError, limit: float) -> LabError | None:
    """The failure of a node that Compose waited for in vain, `limit` seconds long where it had to be ended; None where
    there is none, and Compose failed for another reason. What it has made is then to be left for a look. Raises
    nothing."""
    with suppress(LabError):  # the engine doesn't tell (any more); what was begun is to be taken back all the same
        return _cause(engine, topology, problem, limit)
    return None


def _cause(engine: Engine, topology: Topology, problem: LabError, limit: float) -> LabError | None:
    lab = of_containers(topology.name, engine.containers([f"{LABEL_LAB}={topology.name}", LABEL_NODE]))
    if isinstance(problem, EngineTimeout) and problem.values.get("action") in (BY_COMPOSE, MAKING):
        waiting = [node for node in lab.nodes if node.is_running and _is_awaited(topology, lab, node)]
        nodes = ", ".join(node.name for node in waiting)
        return LabError("not-ready", seconds=limit, nodes=nodes) if nodes else None
    if not isinstance(problem, ComposeFailed):
        return None
    why = str(problem.values.get("why", ""))
    by_container, by_service = _CONTAINER.search(why), _SERVICE.search(why)
    for node in lab.nodes:
        container = node.container
        named = by_container and container.name == by_container[1]
        if named or (by_service and container.labels.get(COMPOSE_SERVICE) == by_service[1] and container.exit_code):
            details = engine.details(container.id)
            return failure(engine, node, details, unhealthy=container.health == "unhealthy")
    return None


def _is_awaited(topology: Topology, lab: Lab, node: Node) -> bool:
    """Whether others have not been started because this node isn't well yet, or hasn't done its work."""
    service = node.container.labels.get(COMPOSE_SERVICE)
    held = {item.container.labels.get(COMPOSE_SERVICE) for item in lab.nodes if item.container.state == "created"}
    conditions = {
        (wanted or {}).get("condition")
        for name, found in topology.config["services"].items()
        if name in held
        for other, wanted in (found.get("depends_on") or {}).items()
        if other == service
    }
    if _DONE in conditions:
        return True
    return "service_healthy" in conditions and node.container.health == "starting"
