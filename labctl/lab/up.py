"""Brings a lab up: images, a place on this machine, Compose, and each node's own word that it is ready."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labctl.engine.compose import Compose
from labctl.engine.docker import DockerEngine
from labctl.engine.model import (
    COMPOSE_PROJECT,
    LABEL_LAB,
    LABEL_NODE,
    LABEL_ROLE,
    LABEL_ROUTES,
    LABEL_SOURCE,
    LABEL_TITLE,
    LABEL_TOPOLOGY,
    PROBE_IMAGE,
    Container,
    Engine,
    Image,
)
from labctl.errors import LabError
from labctl.lab.down import remove_containers
from labctl.lab.model import Lab, check_name, of_containers
from labctl.lab.placement import place_networks, place_ports
from labctl.lab.ready import wait_ready
from labctl.lab.routes import set_routes
from labctl.topology import builtin
from labctl.topology.model import Topology, labelled, parse

ATTEMPTS = 16  # at a subnet that somebody else takes in the same moment
_OVERLAP = re.compile(r"overlaps with other one|Pool overlaps|pool overlaps", re.I)
_PORT_TAKEN = re.compile(r"port is already allocated|address already in use", re.I)


@dataclass(frozen=True)
class Request:
    """What `labctl up` was asked for. `timeout` is in seconds and holds for starting, not for building."""

    topology: str | None = None
    name: str | None = None
    build: bool = False
    timeout: float = 120.0
    build_timeout: float = 1800.0


class Up:
    """One bringing-up of one lab; `report(text)` gets what goes on."""

    def __init__(self, engine: DockerEngine, request: Request, report: Callable[[str], None]) -> None:
        self._engine, self._request, self._report = engine, request, report
        self._variables: dict[str, str] = {}
        self._compose = Compose(engine.endpoint)
        self._source = builtin.Source(builtin.ROOT / "compose.yaml")

    def run(self) -> Lab:
        """Raises LabError. What this run began is taken back when it is interrupted or Compose fails; when a node
        fails, all stays for a look."""
        topology = self._read()
        before = self._existing(topology.name)
        images = self._images(topology)
        self._probe_image(topology)
        config = self._prepare(topology, images)
        deadline = time.monotonic() + self._request.timeout
        try:
            self._start(topology, config, before, deadline)
        except BaseException:
            self._take_back(topology.name, before)
            raise
        lab = of_containers(topology.name, self._engine.containers([f"{LABEL_LAB}={topology.name}"]))
        try:
            set_routes(self._engine, lab, lab.nodes)
            wait_ready(self._engine, lab, deadline, self._request.timeout, self._report)
        except LabError:
            raise
        except BaseException:
            self._take_back(topology.name, before)
            raise
        return lab

    def build(self) -> list[str]:
        """Builds the images that are missing or stale; the names of all of them."""
        topology = self._read()
        return sorted({_image_name(topology, name) for name in self._images(topology)})

    def _read(self) -> Topology:
        if self._request.name:
            check_name(self._request.name)
        self._source = builtin.find(self._request.topology)
        self._variables |= dict(self._source.variables)
        self._compose = Compose(self._engine.endpoint, self._variables)
        file = self._source.file
        topology = parse(self._compose.config(file, name=self._request.name, text=self._source.text), file)
        check_name(topology.name)
        if topology.links:
            links = ", ".join(f"{condition.link} {condition.text}" for condition in topology.links)
            raise LabError("conditions-not-supported", file=file, links=links)
        return topology

    def _existing(self, name: str) -> list[Container]:
        containers = self._engine.containers([f"{COMPOSE_PROJECT}={name}"])
        if any(LABEL_LAB not in container.labels for container in containers):
            raise LabError("lab-not-ours", name=name)
        return containers

    def _images(self, topology: Topology) -> dict[str, Image]:
        """Builds what is missing, or was built from other sources than those that are there now."""
        services: Mapping[str, Any] = topology.config["services"]
        stale = []
        digests: dict[str, str] = {}
        for member in topology.members:
            if not member.builds:
                continue
            build = services[member.name]["build"]
            wanted = None
            if "SOURCE" in (build.get("args") or {}):
                context = build["context"]
                digests.setdefault(context, builtin.digest(Path(context)))
                wanted = digests[context]
            image = self._engine.image(_image_name(topology, member.name))
            if self._request.build or image is None or (wanted and image.labels.get(LABEL_SOURCE) != wanted):
                stale.append(member.name)
        if stale:
            self._build(topology, stale, digests)
        return {name: image for name in services if (image := self._engine.image(_image_name(topology, name)))}

    def _build(self, topology: Topology, services: list[str], digests: Mapping[str, str]) -> None:
        from labctl.engine import base

        variables = {**self._variables, "LABCTL_SOURCE": next(iter(digests.values()), "")}
        if digests:
            variables["LABCTL_DEBIAN"] = base.ensure(self._engine, self._engine.endpoint, self._report)
        self._report(f"building {', '.join(services)}")
        compose = Compose(self._engine.endpoint, variables)
        limit = self._request.build_timeout
        compose.build(topology.file, services, lambda line: None, limit, text=self._source.text)

    def _probe_image(self, topology: Topology) -> None:
        """Builds the image of the helpers that set routes, where they are needed and it is missing or stale."""
        if not any(member.routes for member in topology.members):
            return
        wanted = builtin.digest(builtin.ROOT / "services")
        image = self._engine.image(PROBE_IMAGE)
        if image is None or image.labels.get(LABEL_SOURCE) != wanted:
            from labctl.engine import base

            self._report("building the probe")
            variables = {"LABCTL_SOURCE": wanted}
            variables["LABCTL_DEBIAN"] = base.ensure(self._engine, self._engine.endpoint, self._report)
            file = builtin.ROOT / "services" / "nodes.yaml"
            limit = self._request.build_timeout
            Compose(self._engine.endpoint, variables).build(file, ["probe"], lambda line: None, limit)

    def _prepare(self, topology: Topology, images: Mapping[str, Image]) -> dict[str, Any]:
        labels = {
            LABEL_LAB: topology.name,
            LABEL_TITLE: topology.title,
            LABEL_TOPOLOGY: str(topology.file),
        }
        config = labelled(topology.config, labels, LABEL_NODE)
        config["name"] = topology.name
        for member in topology.members:
            if member.routes:
                # Kept with the node, so that its routes are known when it starts again, whoever starts it from where.
                routes = json.dumps([str(route) for route in member.routes])
                config["services"][member.name]["labels"][LABEL_ROUTES] = routes
        watched = {other for member in topology.members for other in member.waits_for_health_of}
        for member in topology.members:
            image = images.get(member.name)
            # labctl waits for the `ready` event; polling costs a process in each node, again and again.
            if image and LABEL_ROLE in image.labels and member.name not in watched:
                config["services"][member.name].setdefault("healthcheck", {"disable": True})
        return config

    def _start(self, topology: Topology, config: dict[str, Any], before: list[Container], deadline: float) -> None:
        local = self._engine.endpoint.is_local
        for attempt in range(ATTEMPTS):
            placed = place_networks(topology, self._engine, config, attempt)
            placed = place_ports(topology, placed, before, local=local)
            try:
                text = json.dumps(placed)
                limit = max(1.0, deadline - time.monotonic())
                self._compose.up(topology.name, topology.folder, text, self._report, limit)
                return
            except LabError as problem:
                why = str(problem.values.get("why", ""))
                movable = any(net.movable for net in topology.networks)
                retry = (movable and _OVERLAP.search(why)) or (_has_movable_port(topology) and _PORT_TAKEN.search(why))
                if not retry or attempt == ATTEMPTS - 1:
                    raise
                self._report("another lab took that place at the same moment; trying the next")

    def _take_back(self, name: str, before: list[Container]) -> None:
        """Removes what this run made: containers that were not there before, and, with the last, the networks."""
        self._report("taking back what was begun")
        old = {container.id for container in before}
        label = [f"{LABEL_LAB}={name}"]
        new = [container for container in self._engine.containers(label) if container.id not in old]
        remove_containers(self._engine, new, self._report)
        if not self._engine.containers(label):
            for network in self._engine.networks(label):
                self._engine.remove_network(network.id)
            for volume in self._engine.volumes(label):
                self._engine.remove_volume(volume)


def _image_name(topology: Topology, service: str) -> str:
    """Compose's own default for a service that builds and names no image: project-service."""
    return str(topology.config["services"][service].get("image") or f"{topology.name}-{service}")


def _has_movable_port(topology: Topology) -> bool:
    return any(port.movable for member in topology.members for port in member.ports)


def build(engine: Engine, request: Request, report: Callable[[str], None]) -> list[str]:
    """See Up.build."""
    if not isinstance(engine, DockerEngine):
        raise LabError("compose-missing", minimum="2.20", found="this engine has none")
    return Up(engine, request, report).build()


def up(engine: Engine, request: Request, report: Callable[[str], None]) -> Lab:
    """See Up.run. Only a Docker engine can be driven by Compose."""
    if not isinstance(engine, DockerEngine):
        raise LabError("compose-missing", minimum="2.20", found="this engine has none")
    return Up(engine, request, report).run()
