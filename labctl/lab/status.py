"""What runs: the nodes of a lab with their addresses and ports, and the labs of an engine."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from labctl.engine.model import LABEL_TITLE, LABEL_TOPOLOGY, Engine, Port, Stream
from labctl.events.codec import decode, normalise
from labctl.lab.model import Lab, Node

READ_LIMIT = 10.0  # seconds


@dataclass(frozen=True)
class Status:
    """`state` is Docker's, or `ready` for a running node that said so; of somebody's image that has a healthcheck, what
    that says. `listening` is (protocol, port)."""

    node: Node
    state: str
    listening: tuple[tuple[str, int], ...]

    @property
    def published(self) -> list[Port]:
        return [port for port in self.node.container.ports if port.public]

    def as_json(self) -> dict[str, Any]:
        container = self.node.container
        return {
            "node": self.node.name,
            "role": self.node.role,
            "state": self.state,
            "image": container.image,
            "container": container.id[:12],
            **({"network_of": self.node.owner.name} if self.node.owner else {}),
            "networks": {name: list(addresses) for name, addresses in container.addresses.items()},
            "listening": [{"proto": proto, "port": port} for proto, port in self.listening],
            "published": [
                {"host": port.host, "port": port.public, "proto": port.proto, "target": port.private}
                for port in self.published
            ],
        }


def ps(engine: Engine, lab: Lab) -> list[Status]:
    """Each node's state. Listening ports are what its own journal says; for somebody's image, what it declares."""
    streams: dict[str, Stream] = {}
    before: dict[str, str] = {}  # when the run before this one ended
    said: dict[str, set[tuple[str, int]]] = {}
    ready: set[str] = set()
    for node in lab.nodes:
        if node.role and node.container.state in ("running", "paused"):
            before[node.container.id] = normalise(engine.details(node.container.id).finished) or ""
            streams[node.container.id] = engine.logs(node.container.id, since=before[node.container.id] or None)
    try:
        waiting = set(streams)
        for happening in engine.wait(streams.values(), time.monotonic() + READ_LIMIT) if streams else ():
            container = happening.stream.container
            if happening.line is not None:
                event = decode(happening.line.text, node="")
                if event.ts <= before[container]:
                    continue
                proto = str(event.get("proto"))
                if event.local and (event.name == "listen" or (event.name == "bind" and proto == "udp")):
                    said.setdefault(container, set()).add((proto, event.local[1]))
                if event.name != "ready":
                    continue
                ready.add(container)
            waiting.discard(container)
            if not waiting:
                break
    finally:
        for stream in streams.values():
            stream.close()
    return [_status(node, node.container.id in ready, said.get(node.container.id, set())) for node in lab.nodes]


def _status(node: Node, is_ready: bool, said: set[tuple[str, int]]) -> Status:
    state = "ready" if is_ready and node.container.state == "running" else node.container.state
    if not node.role and node.container.health:
        state = node.container.health
    if node.container.state not in ("running", "paused"):
        said = set()
    elif not node.role:
        said = {(port.proto, port.private) for port in node.container.ports}
    return Status(node, state, tuple(sorted(said)))


@dataclass(frozen=True)
class Summary:
    lab: Lab

    @property
    def running(self) -> int:
        return sum(node.is_running for node in self.lab.nodes)

    def as_json(self) -> dict[str, Any]:
        labels = self.lab.nodes[0].container.labels
        return {
            "lab": self.lab.name,
            "title": labels.get(LABEL_TITLE, ""),
            "topology": labels.get(LABEL_TOPOLOGY, ""),
            "nodes": len(self.lab.nodes),
            "running": self.running,
        }
