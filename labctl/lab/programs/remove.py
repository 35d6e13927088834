"""Removes programs' hosts, with their helpers, and nothing else of their lab."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from labctl.engine.model import LABEL_LAB, LABEL_RUN, LABEL_TARGET, Engine
from labctl.errors import LabError
from labctl.lab.life.down import LOCK_LIMIT, remove_containers
from labctl.lab.locks import LabLock
from labctl.lab.model import Lab, Node


def remove(engine: Engine, lab: Lab, names: Sequence[str], report: Callable[[str], None]) -> None:
    """With the rules on their links, all at once. Raises LabError `unknown-node`, `not-a-program`, `lab-busy`; then
    none is removed."""
    from labctl.lab.faults.rules import clear, listing  # who runs a program anew has no use for it

    nodes = [need_program(lab, name) for name in dict.fromkeys(names)]
    about = [fault for fault in listing(engine, lab) if not {*names}.isdisjoint(fault.link.split(":"))]
    if about:
        clear(engine, lab, about)
    lock = LabLock(lab.name)
    lock.acquire(LOCK_LIMIT, report, engine.cancels)
    try:
        take_away(engine, lab, nodes, report)
    finally:
        lock.close()


def need_program(lab: Lab, name: str) -> Node:
    """Raises LabError `unknown-node`, `not-a-program`."""
    node = lab.node(name)
    if not node.is_program:
        raise LabError("not-a-program", node=name)
    return node


def take_away(engine: Engine, lab: Lab, nodes: Sequence[Node], report: Callable[[str], None]) -> None:
    """As `remove`, by who holds the lab's lock: the nodes end in order, and their helpers after them."""
    ends = {node.container.id for node in nodes}
    helpers = [
        item
        for item in engine.containers([f"{LABEL_LAB}={lab.name}"])
        if item.labels.get(LABEL_TARGET) in ends and LABEL_RUN not in item.labels
    ]
    remove_containers(engine, [node.container for node in nodes], report)
    remove_containers(engine, helpers, report)
