"""All that labctl knows of a node, in one place."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from labctl.engine.model import (
    COMPOSE_IMAGE,
    COMPOSE_SERVICE,
    LABEL_LAB,
    LABEL_PROBE,
    LABEL_PROBED,
    LABEL_ROUTES,
    LABEL_TITLE,
    LABEL_TOPOLOGY,
    Details,
    Engine,
)
from labctl.engine.settings import Settings
from labctl.lab.choosing import several
from labctl.lab.life.status import Status, ps
from labctl.lab.model import Lab

NEVER = "0001-"  # how the year begins of a time that never was


@dataclass(frozen=True)
class Inspected:
    """A node as it is (`status`), how its last run went (`details`), how it was made (`settings`); `helpers` are the
    purposes of the containers that labctl keeps beside it."""

    status: Status
    details: Details
    settings: Settings
    helpers: tuple[str, ...]

    @property
    def topology(self) -> str:
        return self.status.node.container.labels.get(LABEL_TOPOLOGY, "")

    @property
    def title(self) -> str:
        return self.status.node.container.labels.get(LABEL_TITLE, "")

    @property
    def service(self) -> str:
        return self.status.node.container.labels.get(COMPOSE_SERVICE, "")

    @property
    def is_over(self) -> bool:
        """It has run, and has ended."""
        return self.status.node.container.state in ("exited", "dead")

    @property
    def routes(self) -> tuple[str, ...]:
        return tuple(json.loads(self.status.node.container.labels.get(LABEL_ROUTES, "[]")))

    def as_json(self) -> dict[str, Any]:
        container, made = self.status.node.container, self.settings
        found = {**self.status.as_json(), "name": container.name, "id": container.id}
        found |= {"image_id": container.labels.get(COMPOSE_IMAGE), "service": self.service, "topology": self.topology}
        found |= {"started": _time(self.details.started), "finished": _time(self.details.finished)}
        found |= {"error": self.details.error, "keyboard": self.details.stdin_open}
        found |= {"processes": self.details.processes, "gateways": list(container.gateways)}
        found |= {"aliases": {name: list(names) for name, names in self.details.aliases.items()}}
        found |= {key: value for key, value in asdict(made).items() if key not in ("added", "dropped")}
        found |= {"capabilities": {"added": list(made.added), "dropped": list(made.dropped)}}
        return found | {"routes": list(self.routes), "helpers": list(self.helpers), "labels": dict(container.labels)}


def _time(text: str) -> str | None:
    return None if text.startswith(NEVER) else text


def inspect(engine: Engine, lab: Lab, names: Sequence[str]) -> list[Inspected]:
    """The named nodes, else all. Raises LabError `unknown-node`."""
    nodes = several(lab, names) or list(lab.nodes)
    helpers = engine.containers([f"{LABEL_LAB}={lab.name}", LABEL_PROBE])
    found = []
    for status in ps(engine, lab._replace(nodes=tuple(nodes))):
        ident, names = status.node.container.id, (status.node.name, status.node.probed)
        mine = {helper.labels[LABEL_PROBE] for helper in helpers if helper.labels.get(LABEL_PROBED) in names}
        found.append(Inspected(status, engine.details(ident), engine.settings(ident), tuple(sorted(mine))))
    return found
