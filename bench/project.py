"""Compose projects for measuring: on a free subnet, labelled, and removed again whatever happens.

Their names are fixed and begin with `bench-`, so that a run finds what an earlier one that was killed has left.
"""

from __future__ import annotations

import ipaddress
import json
import socket
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bench.commands import Failed, Ran, docker, run
from labctl.engine.docker import DockerEngine
from labctl.engine.model import COMPOSE_PROJECT, LABEL_LAB, Container
from labctl.lab.placing.placement import host_routes
from labctl.topology.subnets import candidates

ROOT = Path(__file__).resolve().parents[1]
LABEL = "dev.labctl.bench"
WISHED = ipaddress.IPv4Network("10.79.0.0/24")
LIMIT = 300.0  # seconds for one command of Compose or labctl


@dataclass(frozen=True)
class Project:
    """A Compose project: its name and its file."""

    name: str
    file: Path

    def compose(self, *arguments: str, limit: float = LIMIT) -> Ran:
        return run([docker(), "compose", "-p", self.name, "-f", str(self.file), *arguments], limit)

    def containers(self) -> list[Container]:
        return DockerEngine().containers([f"{COMPOSE_PROJECT}={self.name}"])

    def settle(self, limit: float = LIMIT) -> None:
        """Returns once no container's first healthcheck is under way: these take both cores. Raises Failed."""
        filters = ["--filter", f"label={COMPOSE_PROJECT}={self.name}", "--filter", "health=starting"]
        deadline = time.monotonic() + limit
        while run([docker(), "ps", "--quiet", *filters], limit).out.strip():
            if time.monotonic() > deadline:
                raise Failed(f"{self.name} has containers that are neither healthy nor unhealthy after {limit:g} s")
            time.sleep(0.1)


@contextmanager
def project(name: str, text: str, links: Mapping[str, Path] | None = None) -> Iterator[Project]:
    """A project of the given Compose file, removed on leaving; `links` are folders that the file names."""
    with tempfile.TemporaryDirectory(prefix="labctl-bench-") as folder:
        for link, target in (links or {}).items():
            (Path(folder) / link).symlink_to(target)
        file = Path(folder) / "compose.yaml"
        file.write_text(text)
        remove(f"bench-{name}")
        try:
            yield Project(f"bench-{name}", file)
        finally:
            remove(f"bench-{name}")


def remove(name: str) -> None:
    """Removes all of a project, again until nothing is found: an interrupted command's last wishes may come late."""
    engine = DockerEngine()
    label = [f"{COMPOSE_PROJECT}={name}"]
    for _ in range(3):
        networks = engine.networks(label)
        # labctl's helpers are none of Compose's.
        found = [*engine.containers(label), *engine.containers([f"{LABEL_LAB}={name}"])]
        containers = list({container.id: container for container in found}.values())
        if not containers and not networks:
            return
        with ThreadPoolExecutor(8) as pool:
            # By force: here nobody waits for programs to close their sockets.
            list(pool.map(lambda container: engine.remove_container(container.id), containers))
        for network in networks:
            engine.remove_network(network.id)
        time.sleep(0.5)


def free_subnet(wished: ipaddress.IPv4Network = WISHED) -> ipaddress.IPv4Network:
    taken = [ipaddress.ip_network(subnet) for network in DockerEngine().networks() for subnet in network.subnets]
    return ipaddress.IPv4Network(str(next(candidates(wished, [*taken, *(route.subnet for route in host_routes())]))))


def default_lab() -> str:
    """compose.yaml, word for word but for its subnet and its published port, which somebody else may be using."""
    text = (ROOT / "compose.yaml").read_text()
    network = yaml.safe_load(text)["services"]["web"]["networks"]["lab"]["ipv4_address"].rpartition(".")[0]
    text = text.replace(f"{network}.", str(free_subnet().network_address).removesuffix("0"))
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return text.replace("${LABCTL_PORT:-8080}", str(sock.getsockname()[1]))


def hardening() -> dict[str, Any]:
    """What compose.yaml gives to each of its nodes, and our label."""
    common: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text())["x-node"]
    return {**common, "labels": {LABEL: "1"}}


def image(service: str) -> str:
    """The image of one of compose.yaml's services."""
    return str(yaml.safe_load((ROOT / "compose.yaml").read_text())["services"][service]["image"])


def one_network(services: Mapping[str, Mapping[str, Any]]) -> str:
    """A Compose file of services on one /24, with a fixed address each. JSON is YAML, too."""
    subnet = free_subnet()
    addressed = {
        name: {**service, "hostname": name, "networks": {"lab": {"ipv4_address": str(subnet[number + 2])}}}
        for number, (name, service) in enumerate(services.items())
    }
    network = {"driver": "bridge", "ipam": {"config": [{"subnet": str(subnet)}]}, "labels": {LABEL: "1"}}
    return json.dumps({"services": addressed, "networks": {"lab": network}}, indent=1)


def many(count: int, command: Sequence[str] = ()) -> str:
    """`count` hardened UDP peers in a ring; with `command`, the same containers running something else."""
    names = [f"n{number:02}" for number in range(1, count + 1)]
    override = {"command": list(command)} if command else {}
    return one_network(
        {
            name: {**hardening(), "image": image("udp1"), "environment": {"PEER": f"{peer}:5005"}, **override}
            for name, peer in zip(names, [*names[1:], names[0]], strict=True)
        }
    )
