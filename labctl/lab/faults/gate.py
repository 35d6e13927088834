"""The gate at a node's start: whether its program waits, before its first packet, for what is made ready from outside.

Of all that can be changed about a container that is stopped, only its limits can be seen from inside: a limit of SHUT
processes says that the program is to wait (services/base/labnode/gate.py, and for programs of `labctl run`
services/program/gate.sh). Somebody's own image knows nothing of it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from labctl.engine.model import LABEL_CONDITIONS, LABEL_RUN, PROGRAM_IMAGE, Container, Engine
from labctl.engine.nodes import PROCESSES
from labctl.errors import EngineRefused
from labctl.lab import probes
from labctl.lab.model import Lab, Node

SHUT, OPEN = 63, 64  # processes: labnode.gate.SHUT, and a node's usual limit


def usual(container: Container) -> int:
    """The limit of a container that does not wait."""
    return PROCESSES if LABEL_RUN in container.labels else OPEN


def can_wait(node: Node) -> bool:
    """Whether what runs in a node looks at the gate."""
    return bool(node.role) or node.container.image == PROGRAM_IMAGE


def shut(engine: Engine, containers: Iterable[Container]) -> None:
    """Tells nodes of labctl's own to wait at their next start."""
    for container in containers:
        engine.limit_processes(container.id, SHUT)


def release(engine: Engine, containers: Iterable[Container]) -> None:
    """Nobody waits at another start."""
    for container in containers:
        try:
            engine.limit_processes(container.id, usual(container))
        except EngineRefused:  # its program ended at this moment; of a container that doesn't run limits can be changed
            engine.limit_processes(container.id, usual(container))


def follow_rules(engine: Engine, node: Node, kept: bool) -> None:
    """Shut where rules come first: those that are `kept` for the node's start, or its topology's; else open."""
    if node.role:
        (shut if kept or conditions_of(node) else release)(engine, [node.container])


def has_rules(engine: Engine, lab: Lab, node: Node) -> bool:
    """Whether rules wait for the node's next start."""
    return bool(conditions_of(node)) or node.name in probes.all_of(engine, lab.name, probes.ON_START)


def conditions_of(node: Node) -> list[tuple[str, str]]:
    """`(receiver, conditions)` as the topology has them for what this node sends."""
    return [(to, text) for to, text in json.loads(node.container.labels.get(LABEL_CONDITIONS, "[]"))]
