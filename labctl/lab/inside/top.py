"""The processes of some nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from labctl.engine.model import Engine, Process
from labctl.lab.choosing import several
from labctl.lab.model import Lab
from labctl.lab.probes import at_once


@dataclass(frozen=True)
class Running:
    """The processes of one node."""

    node: str
    processes: tuple[Process, ...]

    def as_json(self) -> dict[str, Any]:
        keys = ("pid", "parent", "user", "cpu", "memory", "elapsed", "command")
        return {"node": self.node, "processes": [{key: getattr(one, key) for key in keys} for one in self.processes]}


def top(engine: Engine, lab: Lab, names: Sequence[str]) -> list[Running]:
    """What runs at the named nodes, else at all that run. Raises LabError `unknown-node`, `not-running`."""
    from labctl.errors import LabError

    nodes = several(lab, names) or [node for node in lab.nodes if node.container.state in ("running", "paused")]
    if not nodes:
        raise LabError("none-running", lab=lab.name)
    for node in nodes:
        if node.container.state != "paused":
            lab.running(node.name, "it has no processes")
    return at_once(lambda node: Running(node.name, tuple(engine.top(node.container.id))), nodes)
