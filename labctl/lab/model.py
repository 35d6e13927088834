"""A lab and its nodes, as found on the engine: the labels are the state."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache

from labctl.engine.model import (
    COMPOSE_NUMBER,
    COMPOSE_PROJECT,
    COMPOSE_SERVICE,
    LABEL_FAMILIES,
    LABEL_LAB,
    LABEL_NODE,
    LABEL_PROBE,
    LABEL_PROGRAM,
    LABEL_ROLE,
    LABEL_RUN,
    LABEL_TOPOLOGY,
    PROGRAM_IMAGE,
    Container,
    Details,
    Engine,
)
from labctl.errors import LabError, nearest
from labctl.lab.owners import NOBODYS, Standing, is_mine, standing
from labctl.named import NamedTuple

NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


LESSONS = "lesson-"  # how the names of labs begin that lessons are played on
TOGETHER = "+"  # between the names of nodes that are one host; no service's name has it


class Node(NamedTuple):
    """One container of a lab. `role` is None for somebody's own image. `owner` is the node whose network it shares
    (`network_mode: service:NAME`), None where it has its own: nodes with one network are one host with several
    programs, which `Lab.host` gives."""

    name: str
    role: str | None
    container: Container
    owner: Node | None = None

    @property
    def is_running(self) -> bool:
        return self.container.state == "running"

    @property
    def is_program(self) -> bool:
        """`labctl run` made it: it is in no topology."""
        return LABEL_RUN in self.container.labels

    @property
    def is_plain(self) -> bool:
        """Somebody's own program without a contract, which is ready when it listens: of `labctl run`, or of a topology
        with the same image."""
        return self.role is None and (self.is_program or self.container.image == PROGRAM_IMAGE)

    @property
    def has_network(self) -> bool:
        """A network other than the machine's is there. While its programs are paused the kernel still answers for
        them."""
        states = {self.container.state, (self.owner or self).container.state}
        return states <= {"running", "paused"} and not self.container.host_network

    @property
    def probed(self) -> str:
        """The name under which helpers in its network are known: its own, or of several nodes the owner's."""
        return self.owner.name if self.owner else self.name.partition(TOGETHER)[0]

    @property
    def condition(self) -> str:
        """How it is, as the end of a sentence: `exited (1) 12 seconds ago`, `is paused`."""
        container = self.container
        ended = f"exited ({container.exit_code}) {container.ended}" if container.exit_code is not None else ""
        if container.state == "restarting":
            return f"is about to be started again (it {ended})" if ended else "is about to be started again"
        if container.state == "created":
            return "has not been started"
        return ended or f"is {container.state}"

    def does_not_run(self, action: str) -> LabError:
        """LabError `not-running`: `action` is what can't be for that, and what to do depends on how the node is."""
        mend = f"`labctl start {self.name}`"
        if self.container.state == "paused":
            mend = f"`labctl unpause {self.name}`"
        elif self.container.state == "restarting":
            mend = f"`labctl logs {self.name}` shows its last lines; `labctl stop {self.name}` keeps it from that"
        elif self.container.exit_code is not None:
            mend = f"`labctl logs {self.name}` shows its last lines; {mend}"
        return LabError("not-running", node=self.name, state=self.condition, action=action, mend=mend)

    @property
    def addresses(self) -> list[str]:
        return [address for found in self.container.addresses.values() for address in found]

    @property
    def networks(self) -> set[str]:
        return set(self.container.addresses)


class Lab(NamedTuple):
    """`ours` is False for a Compose project that labctl did not bring up; `standing` says whose it is. `ready` has what
    the engine said, a moment ago, of nodes that have said by now that they are: by container, and of who waited."""

    name: str
    nodes: tuple[Node, ...]
    ours: bool = True
    standing: Standing = NOBODYS
    ready: Mapping[str, Details] = {}

    @property
    def programs(self) -> tuple[Node, ...]:
        """The nodes that `labctl run` made."""
        return tuple(node for node in self.nodes if node.is_program)

    def with_nodes(self, nodes: Iterable[Node]) -> Lab:
        """The same lab with these nodes alone."""
        return self._replace(nodes=tuple(sorted(nodes, key=lambda node: node.name)))

    def node(self, name: str) -> Node:
        """Raises LabError `unknown-node`."""
        for node in self.nodes:
            if node.name == name:
                return node
        if TOGETHER in name:
            return self.host(self.node(name.partition(TOGETHER)[0]))
        near = nearest(name, (node.name for node in self.nodes))
        raise LabError("unknown-node", name=name, lab=self.name, near=near)

    def running(self, name: str, action: str) -> Node:
        """A node whose programs must run, or `action`. Raises LabError `unknown-node`, `not-running`."""
        node = self._alive(name, action)
        if not node.is_running:
            raise node.does_not_run(action)
        return node

    def networked(self, name: str, action: str) -> Node:
        """A node that must have a network other than the machine's, or `action`.

        Raises LabError `unknown-node`, `not-running`, `host-namespace`.
        """
        node = self._alive(name, action)
        refuse_host_network(node)
        if node.owner:
            self._alive(node.owner.name, f"{action}: its network is that of {node.owner.name}")
        return node

    @property
    def hosts(self) -> list[Node]:
        """One node for each network namespace, as `host` gives it."""
        shared = {node.owner.container.id for node in self.nodes if node.owner}
        own = [node for node in self.nodes if node.owner is None]
        return [self.host(node) if node.container.id in shared else node for node in own]

    def host(self, node: Node) -> Node:
        """The host that a node is: itself, or where several share a network their owner, under all their names."""
        members = self.members(node)
        if len(members) < 2:
            return node
        return members[0]._replace(name=TOGETHER.join(member.name for member in members))

    def members(self, node: Node) -> list[Node]:
        """The nodes that are one host with a node, itself among them, and the owner of their network first."""
        owner = next((one for one in self.nodes if one.container.id == (node.owner or node).container.id), node)
        return [owner, *(one for one in self.nodes if one.owner and one.owner.container.id == owner.container.id)]

    def are_one(self, one: Node, other: Node) -> bool:
        """Whether two nodes are the same host: what they say to each other never leaves it."""
        return (one.owner or one).container.id == (other.owner or other).container.id

    def _alive(self, name: str, action: str) -> Node:
        node = self.node(name)
        if node.container.state not in ("running", "paused"):
            raise node.does_not_run(action)
        return node

    def owner(self, address: str) -> Node | None:
        """The host that has an address, in whichever way it is written."""
        wanted = plain(address)
        found = next((node for node in self.nodes if wanted in map(plain, node.addresses)), None)
        return self.host(found) if found else None

    def partner(self, address: str, role: str) -> Node | None:
        """Who is meant by an address where something of that role is to be: of several nodes on one host the one that
        has it, else the host."""
        host = self.owner(address)
        found = [node for node in self.members(host) if node.role == role] if host else []
        return found[0] if len(found) == 1 else host

    def neighbours(self, node: Node) -> list[Node]:
        """The running hosts that share a network with a node."""
        return [
            other
            for other in self.hosts
            if not self.are_one(other, node) and other.is_running and other.networks & node.networks
        ]


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
    scale = Counter(item.labels.get(COMPOSE_SERVICE) for item in found)
    nodes = sorted((_node(item, scale) for item in found), key=lambda node: node.name)
    owned = tuple(_owned(node, nodes) for node in nodes)
    return Lab(name, owned, ours, standing(item.labels for item in found) or NOBODYS)


def _owned(node: Node, nodes: list[Node]) -> Node:
    """The node with the owner of its network. Where that is no node of this lab, the first that shares it stands for
    it."""
    network = node.container.network_of
    if not network:
        return node
    owner = next((one for one in nodes if one.container.id == network), None)
    owner = owner or next(one for one in nodes if one.container.network_of == network)
    if owner is node:
        return node
    return node._replace(owner=owner, container=node.container._replace(addresses=owner.container.addresses))


def _node(container: Container, scale: Mapping[str | None, int]) -> Node:
    """`scale` is how many containers each service has."""
    labels = container.labels
    service = labels.get(LABEL_NODE) or labels.get(COMPOSE_SERVICE) or container.name
    # Compose's own way to tell the containers of one scaled service apart.
    is_scaled = COMPOSE_SERVICE in labels and scale[labels[COMPOSE_SERVICE]] > 1
    name = f"{service}-{labels.get(COMPOSE_NUMBER, '1')}" if is_scaled else service
    if labels.get(LABEL_FAMILIES) == "ipv6":
        # What the engine gave it, a probe has taken away again.
        kept = {net: tuple(item for item in found if ":" in item) for net, found in container.addresses.items()}
        container = container._replace(addresses=kept)
    return Node(name, _role(container), container)


def _role(container: Container) -> str | None:
    """A role is its program's: where an image of ours runs another command, that is somebody's own program."""
    program = container.labels.get(LABEL_PROGRAM)
    if program and container.command and program not in container.command:
        return None
    return container.labels.get(LABEL_ROLE) or None


def find(engine: Engine, name: str | None = None) -> Lab:
    """The lab that is meant: the named one, else the caller's only one; beside it, those of lessons don't count.

    A Compose project that labctl did not make is found only by its name. Raises LabError.
    """
    if name:
        check_name(name)
        containers = containers_of(engine, name)
        if not containers:
            known = {lab.name for lab in find_all(engine)}
            raise LabError("unknown-lab", name=name, near=nearest(name, known))
        return of_containers(name, containers)
    every = find_all(engine)
    labs = [lab for lab in every if is_mine(engine, lab.standing.owner)]
    if every and not labs:
        raise LabError("no-lab-of-yours", names=", ".join(map(_with_owner, every)))
    if not labs:
        raise LabError("no-lab")
    names = without_lessons([lab.name for lab in labs])
    if len(names) > 1:
        raise LabError("ambiguous-lab", names=", ".join(names))
    return next(lab for lab in labs if lab.name == names[0])


def without_lessons(names: list[str]) -> list[str]:
    """Those of some labs that somebody may mean who names none: a lesson's only where no other is there."""
    return [name for name in names if not name.startswith(LESSONS)] or names


def _with_owner(lab: Lab) -> str:
    return f"{lab.name} ({lab.standing.owner.shown})" if lab.standing.owner else lab.name


def find_all(engine: Engine) -> list[Lab]:
    """All labs that labctl made, by name."""
    groups: dict[str, list[Container]] = {}
    for container in engine.containers([LABEL_LAB]):
        if LABEL_PROBE in container.labels:
            continue  # a helper, no node
        groups.setdefault(container.labels[LABEL_LAB], []).append(container)
    for name, found in groups.items():
        if all(LABEL_RUN in item.labels and not item.labels.get(LABEL_TOPOLOGY) for item in found):
            groups[name] = containers_of(engine, name)  # a project of others, where programs run
    return [of_containers(name, groups[name]) for name in sorted(groups)]


def containers_of(engine: Engine, name: str) -> list[Container]:
    """All of a lab's project, and of no other: an engine may have many hundred."""
    return engine.containers([f"{COMPOSE_PROJECT}={name}"])


def check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        from labctl.topology.model import project_name  # which imports a reader of YAML

        meant = project_name(name)
        near = f"; did you mean {meant}?" if NAME.fullmatch(meant) else ""
        raise LabError("bad-lab-name", name=name, near=near)
