"""What runs: the nodes of a lab with their addresses and ports, and the labs of an engine."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

from labctl.engine.model import LABEL_TITLE, LABEL_TOPOLOGY, Details, Engine, Listening, Port
from labctl.events.codec import normalise
from labctl.lab.life.present_run import Look, Run, look_at
from labctl.lab.model import Lab, Node, find_all
from labctl.lab.owners import is_mine
from labctl.lab.spanning import machines_of
from labctl.named import NamedTuple

READ_LIMIT = 10.0  # seconds
_ALIVE = ("running", "paused")  # the states in which there is a program, and with it a network
_NEVER = "0001-"  # the year in which the engine puts what never was


class Status(NamedTuple):
    """`state` is Docker's, or `ready` for a running node that said so; of somebody's image that has a healthcheck, what
    that says. `listening` is the kernel's word, None where that can't be had. `since` is when this state began, as
    events hold times; `restarts` is how often the engine started the node again by itself."""

    node: Node
    state: str
    listening: tuple[Listening, ...] | None
    since: str | None = None
    restarts: int = 0
    out_of_memory: bool = False

    @property
    def published(self) -> list[Port]:
        """The ports that are open on the engine's machine."""
        return [port for port in self.node.container.ports if port.public]

    @property
    def told(self) -> str:
        """The state, and what there is to say of it: `exited (1) 12 seconds ago`."""
        container, said = self.node.container, self.state
        if container.exit_code is not None:
            memory = ", out of memory" if self.out_of_memory else ""
            said += f" ({container.exit_code}{memory}) {container.ended}"
        elif self.out_of_memory:
            said += ", out of memory"  # one of its programs was killed for that, and another goes on
        if self.restarts:
            said += f", restarted {self.restarts} time{'s' if self.restarts > 1 else ''}"
        return said

    def as_json(self) -> dict[str, Any]:
        """As `labctl ps --json` has it."""
        container = self.node.container
        listening = None
        if self.listening is not None:
            listening = [{"proto": item.proto, "port": item.port, "address": item.address} for item in self.listening]
        return {
            "node": self.node.name,
            "role": self.node.role,
            "state": self.state,
            "since": self.since,
            "exit_code": container.exit_code,
            "out_of_memory": self.out_of_memory,
            "restarts": self.restarts,
            "health": container.health,
            "image": container.image,
            "container": container.id[:12],
            **({"machine": container.machine} if container.machine else {}),
            **({"network_of": self.node.owner.name} if self.node.owner else {}),
            "networks": {name: list(addresses) for name, addresses in container.addresses.items()},
            "listening": listening,
            "published": [
                {"host": port.host, "port": port.public, "proto": port.proto, "target": port.private}
                for port in self.published
            ],
        }


def ps(engine: Engine, lab: Lab) -> list[Status]:
    """Each node's state, by the engine's word and its own; where it listens, by its kernel's."""
    unknown = [node for node in lab.nodes if node.container.id not in lab.ready]
    look = look_at(engine, unknown, [node for node in unknown if node.role and _is_alive(node)], follow=False)
    details = {**lab.ready, **look.details}  # without those of nodes that are being removed
    ready = {*lab.ready, *_ready(engine, lab, look)}
    # On the machine's own network the table is the machine's, and doesn't say which of it is the node's.
    alive = [node.container for node in lab.nodes if _is_alive(node)]
    pids = {item.id: details[item.id].pid for item in alive if item.id in details and not item.host_network}
    listening = engine.listening(pids)
    return [
        _status(node, details.get(node.container.id), node.container.id in ready, listening.get(node.container.id))
        for node in lab.nodes
    ]


def _is_alive(node: Node) -> bool:
    return node.container.state in _ALIVE


def _ready(engine: Engine, lab: Lab, look: Look) -> set[str]:
    """The containers whose logs say that they are, in this run. Whose logging driver gives nothing back has none."""
    nodes = {node.container.id: node for node in lab.nodes}
    runs = {ident: Run(nodes[ident], look.details[ident]) for ident in look.logs}
    ready: set[str] = set()
    try:
        waiting = set(runs)
        for happening in engine.wait(look.logs.values(), time.monotonic() + READ_LIMIT) if runs else ():
            container = happening.stream.container
            if happening.line is not None:
                if not runs[container].is_ready(happening.line):
                    continue
                ready.add(container)
            waiting.discard(container)
            if not waiting:
                break
    finally:
        look.close()
    return ready


def _status(node: Node, details: Details | None, is_ready: bool, listening: tuple[Listening, ...] | None) -> Status:
    container = node.container
    state = "ready" if is_ready and container.state == "running" else container.state
    if not node.role and container.health:
        state = container.health
    if node.is_plain and state == "running" and _serves(node, listening or ()):
        state = "ready"
    if details is None:
        return Status(node, state, None)
    is_alive = container.state in _ALIVE
    since = normalise(details.started if is_alive else details.finished)
    return Status(
        node,
        state,
        listening if is_alive else (),
        None if since is None or since.startswith(_NEVER) else since,
        details.restarts,
        details.out_of_memory,
    )


def _serves(node: Node, listening: tuple[Listening, ...]) -> bool:
    """Whether a plain program listens; of one that was to print a text that says nothing."""
    from labctl.lab.programs.awaiting import servers  # labs of topologies have none
    from labctl.lab.programs.wanted import expected_of

    expected = expected_of(node.container.labels)
    return expected.text is None and bool(servers(listening, expected.listen))


class Summary(NamedTuple):
    """`mine`: it is the caller's, or nobody's."""

    lab: Lab
    mine: bool = True

    @property
    def running(self) -> int:
        return sum(node.is_running for node in self.lab.nodes)

    def as_json(self) -> dict[str, Any]:
        labels, owner = self.lab.nodes[0].container.labels, self.lab.standing.owner
        machines = [name for name in machines_of(node.container for node in self.lab.nodes) if name]
        return {
            "lab": self.lab.name,
            "title": labels.get(LABEL_TITLE, ""),
            "topology": labels.get(LABEL_TOPOLOGY, ""),
            "owner": owner.as_json() if owner else None,
            "mine": self.mine,
            **({"machines": machines} if machines else {}),
            "nodes": len(self.lab.nodes),
            "running": self.running,
        }


def labs(engine: Engine) -> list[Summary]:
    """All labs that labctl made, by name. Raises LabError."""
    return [Summary(lab, is_mine(engine, lab.standing.owner)) for lab in find_all(engine)]


def document(lab: Lab, found: Iterable[Status]) -> dict[str, Any]:
    return {"lab": lab.name, "nodes": [status.as_json() for status in found]}
