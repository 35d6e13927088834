"""A lab and its nodes, as found on the engine: the labels are the state."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

from labctl.engine.model import (
    COMPOSE_NUMBER,
    COMPOSE_PROJECT,
    COMPOSE_SERVICE,
    LABEL_FAMILIES,
    LABEL_LAB,
    LABEL_NODE,
    LABEL_PROBE,
    LABEL_ROLE,
    Container,
    Engine,
)
from labctl.errors import LabError, nearest
from labctl.lab.owners import NOBODYS, Standing, is_mine, standing
from labctl.topology.model import project_name

NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


@dataclass(frozen=True)
class Node:
    """One container of a lab. `role` is None for somebody's own image."""

    name: str
    role: str | None
    container: Container

    @property
    def is_running(self) -> bool:
        return self.container.state == "running"

    @property
    def has_network(self) -> bool:
        """A network of its own is there. While its programs are paused the kernel still answers for them."""
        return self.container.state in ("running", "paused") and not self.container.host_network

    @property
    def addresses(self) -> list[str]:
        return [address for found in self.container.addresses.values() for address in found]

    @property
    def networks(self) -> set[str]:
        return set(self.container.addresses)


@dataclass(frozen=True)
class Lab:
    """`ours` is False for a Compose project that labctl did not bring up; `standing` says whose it is."""

    name: str
    nodes: tuple[Node, ...]
    ours: bool = True
    standing: Standing = NOBODYS

    def node(self, name: str) -> Node:
        """Raises LabError `unknown-node`."""
        for node in self.nodes:
            if node.name == name:
                return node
        near = nearest(name, (node.name for node in self.nodes))
        raise LabError("unknown-node", name=name, lab=self.name, near=near)

    def running(self, name: str, action: str) -> Node:
        """A node whose programs must run, or `action`. Raises LabError `unknown-node`, `not-running`."""
        node = self._alive(name, action)
        if not node.is_running:
            mend = f"`labctl unpause {name}`"
            raise LabError("not-running", node=name, state=node.container.state, action=action, mend=mend)
        return node

    def networked(self, name: str, action: str) -> Node:
        """A node that must have a network of its own, or `action`.

        Raises LabError `unknown-node`, `not-running`, `host-namespace`.
        """
        node = self._alive(name, action)
        refuse_host_network(node)
        return node

    def _alive(self, name: str, action: str) -> Node:
        node = self.node(name)
        if node.container.state not in ("running", "paused"):
            mend = f"`labctl start {name}`"
            raise LabError("not-running", node=name, state=node.container.state, action=action, mend=mend)
        return node

    def owner(self, address: str) -> Node | None:
        """The node that has an address, in whichever way it is written."""
        wanted = plain(address)
        return next((node for node in self.nodes if wanted in map(plain, node.addresses)), None)

    def neighbours(self, node: Node) -> list[Node]:
        """The running nodes that share a network with a node."""
        return [other for other in self.nodes if other != node and other.is_running and other.networks & node.networks]


def refuse_host_network(node: Node) -> None:
    """Raises LabError `host-namespace` for a node on the machine's own network: nothing may be done to that."""
    if node.container.host_network:
        raise LabError("host-namespace", node=node.name, what="network", mode="network_mode: host")


@lru_cache(maxsize=4096)
def plain(address: str) -> str:
    """An address in its one spelling: that of IPv6 is RFC 5952's, without a zone, and what stands for IPv4 on a socket
    of IPv6 (`::ffff:10.77.0.5`, RFC 4291, section 2.5.5.2) is IPv4."""
    if ":" not in address:
        return address
    import ipaddress  # most commands meet no such address

    try:
        found = ipaddress.IPv6Address(address.partition("%")[0])
    except ValueError:
        return address
    return str(found.ipv4_mapped or found)


def of_containers(name: str, containers: Iterable[Container]) -> Lab:
    found = list(containers)
    ours = all(LABEL_LAB in container.labels for container in found)
    nodes = tuple(sorted((_node(item, found) for item in found), key=lambda node: node.name))
    return Lab(name, nodes, ours, standing(item.labels for item in found) or NOBODYS)


def _node(container: Container, all_of_lab: list[Container]) -> Node:
    labels = container.labels
    service = labels.get(LABEL_NODE) or labels.get(COMPOSE_SERVICE) or container.name
    same = sum(1 for other in all_of_lab if other.labels.get(COMPOSE_SERVICE) == labels.get(COMPOSE_SERVICE))
    # Compose's own way to tell the containers of one scaled service apart.
    name = f"{service}-{labels.get(COMPOSE_NUMBER, '1')}" if same > 1 and COMPOSE_SERVICE in labels else service
    if labels.get(LABEL_FAMILIES) == "ipv6":
        # What the engine gave it, a probe has taken away again.
        kept = {net: tuple(item for item in found if ":" in item) for net, found in container.addresses.items()}
        container = replace(container, addresses=kept)
    return Node(name, labels.get(LABEL_ROLE), container)


def find(engine: Engine, name: str | None = None) -> Lab:
    """The lab that a command is about: the named one, else LABCTL_LAB's, else the only one of the caller's.

    A Compose project that labctl did not make is found only by its name. Raises LabError.
    """
    wanted = name or os.environ.get("LABCTL_LAB") or None
    if wanted:
        check_name(wanted)
        containers = engine.containers([f"{COMPOSE_PROJECT}={wanted}"])
        if not containers:
            known = {lab.name for lab in find_all(engine)}
            raise LabError("unknown-lab", name=wanted, near=nearest(wanted, known))
        return of_containers(wanted, containers)
    every = find_all(engine)
    labs = [lab for lab in every if is_mine(engine, lab.standing.owner)]
    if every and not labs:
        raise LabError("no-lab-of-yours", names=", ".join(map(_with_owner, every)))
    if not labs:
        raise LabError("no-lab")
    if len(labs) > 1:
        raise LabError("ambiguous-lab", names=", ".join(lab.name for lab in labs))
    return labs[0]


def _with_owner(lab: Lab) -> str:
    return f"{lab.name} ({lab.standing.owner.shown})" if lab.standing.owner else lab.name


def find_all(engine: Engine) -> list[Lab]:
    """All labs that labctl made, by name."""
    groups: dict[str, list[Container]] = {}
    for container in engine.containers([LABEL_LAB]):
        if LABEL_PROBE in container.labels:
            continue  # a helper, no node
        groups.setdefault(container.labels[LABEL_LAB], []).append(container)
    return [of_containers(name, groups[name]) for name in sorted(groups)]


def check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        meant = project_name(name)
        near = f"; did you mean {meant}?" if NAME.fullmatch(meant) else ""
        raise LabError("bad-lab-name", name=name, near=near)


ROLE_WORDS = {
    "http": "an HTTP server",
    "echo": "an echo server",
    "echo-client": "an echo client",
    "udp": "a UDP peer",
    "chat": "a chat node",
    "router": "a router",
}


def need_role(lab: Lab, node: Node, role: str, command: str) -> None:
    """Raises LabError `wrong-role` that names the nodes that would do."""
    if node.role == role:
        return
    fitting = [other.name for other in lab.nodes if other.role == role]
    word = ROLE_WORDS[role]
    raise LabError(
        "wrong-role",
        node=node.name,
        actual=ROLE_WORDS.get(node.role or "", "somebody's own image"),
        command=command,
        wanted=word,
        fitting=f"{word} here: {', '.join(fitting)}" if fitting else f"this lab has none that is {word}",
    )
