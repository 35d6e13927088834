"""What a lab is to be: its topology as Compose reads it, and the configuration that Compose is then given.

Reading changes nothing, on the engine or elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labctl.engine.compose import Compose
from labctl.engine.endpoint import Endpoint
from labctl.engine.model import (
    LABEL_CONDITIONS,
    LABEL_FAMILIES,
    LABEL_LAB,
    LABEL_NODE,
    LABEL_ROLE,
    LABEL_ROUTES,
    LABEL_TITLE,
    LABEL_TOPOLOGY,
    Container,
    Engine,
    Image,
)
from labctl.lab.model import check_name
from labctl.lab.placement import place_networks, place_ports
from labctl.lab.standing import HOLD
from labctl.topology import builtin
from labctl.topology.model import Topology, labelled, parse


@dataclass(frozen=True)
class Blueprint:
    """A topology with where it came from."""

    topology: Topology
    source: builtin.Source
    endpoint: Endpoint

    def compose(self, **variables: str) -> Compose:
        """Compose with the variables that this topology is interpolated with, and more."""
        return Compose(self.endpoint, {**dict(self.source.variables), **variables})

    def image_of(self, service: str) -> str:
        """The name of a service's image; Compose's own default where the file names none: project-service."""
        return str(self.topology.config["services"][service].get("image") or f"{self.topology.name}-{service}")

    def configuration(self, images: Mapping[str, Image]) -> dict[str, Any]:
        """What Compose is given, before it has a place: with labels, and without the polling that labctl doesn't need.

        `images` holds the image of each service that has one by now.
        """
        topology = self.topology
        labels = {LABEL_LAB: topology.name, LABEL_TITLE: topology.title, LABEL_TOPOLOGY: str(topology.file)}
        config = labelled(topology.config, labels, LABEL_NODE)
        config["name"] = topology.name
        watched = {other for member in topology.members for other in member.waits_for_health_of}
        for member in topology.members:
            service = config["services"][member.name]
            if member.routes:
                # Kept with the node, so that its routes are known when it starts again, whoever starts it from where.
                service["labels"][LABEL_ROUTES] = json.dumps([str(route) for route in member.routes])
            if member.name in topology.without_ipv4:
                service["labels"][LABEL_FAMILIES] = "ipv6"
            sent = [
                (b, link.text)
                for link in topology.links
                for a, b in link.link.ways
                if a == member.name and link.conditions
            ]
            if sent:
                service["labels"][LABEL_CONDITIONS] = json.dumps(sent)
            image = images.get(member.name)
            # labctl waits for the `ready` event; polling costs a process in each node, again and again.
            if image and LABEL_ROLE in image.labels and member.name not in watched:
                service.setdefault("healthcheck", {"disable": True})
                if sent:
                    service["pids_limit"] = HOLD  # it waits for the rules on its links; whose health is awaited can't
        return config


def read(endpoint: Endpoint, name: str | None, lab: str | None = None) -> Blueprint:
    """The topology of that path or name, for a lab of its own name or of the one given. Raises LabError."""
    if lab:
        check_name(lab)
    source = builtin.find(name)
    compose = Compose(endpoint, dict(source.variables))
    topology = parse(compose.config(source.file, name=lab, text=source.text), source.file)
    check_name(topology.name)
    return Blueprint(topology, source, endpoint)


def place(
    topology: Topology,
    engine: Engine,
    config: Mapping[str, Any],
    running: list[Container],
    *,
    local: bool,
    attempt: int,
) -> dict[str, Any]:
    """The configuration with free subnets and ports; what a running lab has already, it keeps."""
    placed = place_networks(topology, engine, config, attempt)
    return place_ports(topology, placed, running, local=local)
