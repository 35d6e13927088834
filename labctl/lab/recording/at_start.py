"""Recorders from a lab's or a node's first moment on: `labctl up --record`, and `restart` of a node that is recorded.

A recorder lives in its node's network namespace, which is there only while the node runs; so a node of labctl's own is
told to wait until it is recorded, in the way that it waits for rules (labctl/lab/faults/gate.py). Somebody's own
image knows nothing of that, and its very first packets may be missed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from labctl.engine.model import COMPOSE_SERVICE, LABEL_ROLE, Container, Engine
from labctl.errors import EngineError, ProbeError
from labctl.lab import probes
from labctl.lab.faults import gate
from labctl.lab.model import Lab, Node
from labctl.lab.recording import recorders
from labctl.topology.model import replicas

MOST = 16  # nodes: the recorders of more would take longer to come than a node waits
GIVES_SIGN = {"LABCTL_SIGN": "1"}  # tells a recorder to tell its node


def can_wait(config: Mapping[str, Any]) -> bool:
    """Whether nodes of a configuration can be told to wait: not where one waits for another, and not too many."""
    services = config["services"].values()
    return sum(map(replicas, services)) <= MOST and not any(service.get("depends_on") for service in services)


def waiting(config: Mapping[str, Any], made: Iterable[Container]) -> list[Container]:
    """Of containers that don't run yet, those that are to wait. A node whose links have conditions waits already."""
    services = config["services"]
    limits = {name: service.get("pids_limit") for name, service in services.items() if _is_ours(service)}
    return [item for item in made if limits.get(item.labels.get(COMPOSE_SERVICE, "")) == gate.OPEN]


def _is_ours(service: Mapping[str, Any]) -> bool:
    # What labctl disables is the healthcheck of its own nodes, whose word it waits for instead.
    own_program = (service.get("labels") or {}).get(LABEL_ROLE) == ""
    return not own_program and bool((service.get("healthcheck") or {}).get("disable"))


def waiting_again(engine: Engine, lab: Lab, node: Node) -> list[Container] | None:
    """The node, if it is to wait at its next start since it was recorded until now, or is still; None: it was not.

    A plain program is recorded as soon as others of its lab are: a client may be at its end by the time that
    somebody could ask for it."""
    if node.owner:
        return None  # the network goes on, and its recorder with it
    there = probes.all_of(engine, lab.name, probes.CAPTURE)
    recorder = there.get(node.probed)
    if recorder is None and not (node.is_plain and is_any(there.values())):
        return None
    if recorder and recorder.state == "paused":
        return None
    # A gate that is shut though no rules ask for it is what a labctl that was killed has left.
    usual = (gate.SHUT, gate.usual(node.container))
    able = gate.can_wait(node) and engine.details(node.container.id).processes in usual
    return [node.container] if able and not gate.has_rules(engine, lab, node) else []


def is_any(found: Iterable[Container]) -> bool:
    """Whether any of a lab's recorders runs."""
    return any(recorder.state == "running" for recorder in found)


def record(engine: Engine, lab: Lab, waiters: Iterable[Container] = (), chosen: Iterable[Node] | None = None) -> None:
    """Recorders at the running nodes that have none, or at some of these; then nobody waits at another start.

    A node that ends meanwhile has nothing to be recorded; why it ended, whoever started it tells. Raises LabError.
    """
    hosts = lab.hosts if chosen is None else list({host.name: host for host in map(lab.host, chosen)}.values())
    there = recorders.recorders(engine, lab, hosts)
    nodes = [node for node in hosts if node.has_network and node.name not in there]
    waiters = list(waiters)
    names = {container.id for container in waiters}
    try:
        signs = {node.name: GIVES_SIGN for node in nodes if node.container.id in names}
        try:
            recorders.start(engine, lab, nodes, signs)
        except (EngineError, ProbeError):
            left = _still_running(engine, nodes)
            if len(left) == len(nodes):
                raise
            recorders.start(engine, lab, left, signs)
    finally:
        gate.release(engine, waiters)


def _still_running(engine: Engine, nodes: Sequence[Node]) -> list[Node]:
    running = {container.id for container in engine.containers() if container.state == "running"}
    return [node for node in nodes if node.container.id in running]
