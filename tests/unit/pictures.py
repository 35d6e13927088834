"""Topologies and pictures to draw, without an engine and without Compose."""

from __future__ import annotations

import json
import re
from pathlib import Path

import yaml

from labctl.engine.memory import MemoryEngine
from labctl.lab.drawing import picture
from labctl.lab.drawing.picture import Attachment, DrawnLink, DrawnNetwork, DrawnNode, DrawnRoute, Picture
from labctl.lab.drawing.role_labels import Roles
from labctl.topology.model import parse

ROOT = Path(__file__).parents[2]


def hello() -> Picture:
    """The default lab, as Compose gives it: variables filled in, short ports written out, paths absolute."""
    text = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", (ROOT / "compose.yaml").read_text())
    config = yaml.safe_load(text)
    for service in config["services"].values():
        service["build"]["context"] = str(ROOT / "services")
        service["ports"] = [
            dict(zip(("host_ip", "published", "target"), port.split(":"), strict=True))
            for port in service.get("ports", [])
        ]
    topology = parse(json.dumps(config), ROOT / "compose.yaml")
    return picture.of_topology(topology, Roles(topology, MemoryEngine).of)


def made(
    networks: dict[str, tuple[str, ...]],
    nodes: dict[str, dict[str, tuple[str, ...]]],
    *,
    routers: tuple[str, ...] = (),
    links: tuple[DrawnLink, ...] = (),
    routes: tuple[DrawnRoute, ...] = (),
    **words: str,
) -> Picture:
    """A picture of `nodes`: the addresses of each on its networks."""
    found = picture.arranged(
        Picture(words.get("name", "lab"), words.get("title", ""), words.get("description", ""), links=links),
        [DrawnNetwork(name, subnets) for name, subnets in networks.items()],
        [DrawnNode(name, "router" if name in routers else "udp", words.get("state")) for name in nodes],
        [Attachment(node, net, addresses) for node, where in nodes.items() for net, addresses in where.items()],
        routes,
    )
    return found
