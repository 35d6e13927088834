"""Which nodes a command is about: names, names of scaled services, all."""

from __future__ import annotations

from collections.abc import Sequence

from labctl.engine.model import COMPOSE_NUMBER, COMPOSE_SERVICE, LABEL_NODE
from labctl.errors import LabError
from labctl.lab.model import Lab, Node


def of_service(lab: Lab, service: str) -> list[Node]:
    """The nodes of a service, in the order of Compose's numbers; of one that isn't scaled the only one."""
    return sorted((node for node in lab.nodes if _service(node) == service), key=_number)


def several(lab: Lab, names: Sequence[str], *, everything: bool = False) -> list[Node]:
    """The named nodes, each once; the name of a scaled service stands for all of its nodes. Raises LabError."""
    if everything:
        return list(lab.nodes)
    found: dict[str, Node] = {}
    for name in names:
        known = any(node.name == name for node in lab.nodes)
        for node in [lab.node(name)] if known else of_service(lab, name) or [lab.node(name)]:
            found[node.name] = node
    return list(found.values())


def one(lab: Lab, name: str, index: int | None = None) -> str:
    """The name of one node; of a scaled service, of its first node or the one with a number, as Compose has it.

    Raises LabError `unknown-node`.
    """
    if index is None and any(node.name == name for node in lab.nodes):
        return name
    nodes = of_service(lab, name)
    if index is not None and nodes:
        for node in nodes:
            if _number(node) == index:
                return node.name
        raise LabError(
            "bad-option",
            option="--index",
            why=f"{name} has no container {index}, but {', '.join(str(_number(node)) for node in nodes)}",
        )
    return nodes[0].name if nodes else lab.node(name).name


def _service(node: Node) -> str | None:
    labels = node.container.labels
    return labels.get(LABEL_NODE) or labels.get(COMPOSE_SERVICE)


def _number(node: Node) -> int:
    text = node.container.labels.get(COMPOSE_NUMBER, "1")
    return int(text) if text.isdecimal() else 1
