"""What a picture of a lab shows: networks, nodes, and how they hang together; from a file, or from what runs."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from labctl.engine.model import COMPOSE_PROJECT, LABEL_FAMILIES, LABEL_TITLE, Engine, Network, Port, place
from labctl.lab.life.static_routes import routes_of
from labctl.lab.model import TOGETHER, Lab, Node
from labctl.lab.roles import forwards
from labctl.topology.model import Member, Net, Published, Topology, replicas

MACHINE = "on this machine's own network"
NOWHERE = "on no network"
BRIDGE = "bridge"  # the engine's own network, for `network_mode: bridge`
MASQUERADE_TO = (
    "MASQUERADE_TO"  # what a router's image reads: one of its own names, on the network that it hides behind
)


@dataclass(frozen=True)
class DrawnNetwork:
    """`name` is unique in the picture. No subnets: the engine chooses one. `internal`: no way leads outside; `mtu` in
    bytes, where one was chosen."""

    name: str
    subnets: tuple[str, ...] = ()
    internal: bool = False
    mtu: int | None = None

    @property
    def facts(self) -> tuple[str, ...]:
        """What is written beside its name."""
        rest = [*(["internal"] if self.internal else []), *([f"MTU {self.mtu}"] if self.mtu else [])]
        return (*self.subnets, *rest)


@dataclass(frozen=True)
class DrawnNode:
    """`state` is Docker's; None for a node of a file. `published` has texts such as `127.0.0.1:8080 -> 8080/tcp`. Of
    several that share one network there is one, whose name has the names of all `members`. `on_machine`: it has the
    machine's own network, and none of the lab's. `machine` is the name of the one that it is on, "" where there is one.

    `masquerades`: the network towards which a router puts its own address for the senders'; empty where it does so and
    which network it is can't be told.
    """

    name: str
    role: str | None = None
    state: str | None = None
    published: tuple[str, ...] = ()
    masquerades: str | None = None
    members: tuple[str, ...] = ()
    on_machine: bool = False
    machine: str = ""

    @property
    def is_router(self) -> bool:
        return any(map(forwards, (self.role or "").split(TOGETHER)))

    @property
    def kind(self) -> str | None:
        """The role, and what a router does besides."""
        if self.masquerades is None:
            return self.role
        return f"{self.role}, NAT to {self.masquerades}" if self.masquerades else f"{self.role}, NAT"

    @property
    def where(self) -> str | None:
        """What is said in place of a network of the lab."""
        return MACHINE if self.on_machine else None

    @property
    def note(self) -> str | None:
        """The state, where it is worth a word."""
        return None if self.state in (None, "running") else self.state


@dataclass(frozen=True)
class Attachment:
    """A node on a network. A file may leave the address to the engine, and a stopped node has none."""

    node: str
    network: str
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True)
class DrawnRoute:
    """`route` is a text such as `default via router`."""

    node: str
    route: str


@dataclass(frozen=True)
class DrawnLink:
    """A standing condition, from `a` to `b` or both ways."""

    a: str
    b: str
    both: bool
    condition: str

    @property
    def name(self) -> str:
        return f"{self.a}{'-' if self.both else ':'}{self.b}"


@dataclass(frozen=True)
class Picture:
    """Networks stand in an order in which those that share nodes are near each other, attachments by network and
    address, nodes in that of their first attachment."""

    name: str
    title: str = ""
    description: str = ""
    networks: tuple[DrawnNetwork, ...] = ()
    nodes: tuple[DrawnNode, ...] = ()
    attachments: tuple[Attachment, ...] = ()
    routes: tuple[DrawnRoute, ...] = ()
    links: tuple[DrawnLink, ...] = ()

    @property
    def heading(self) -> str:
        title = " ".join(self.title.split())
        return f"{self.name}: {title}" if title and title != self.name else self.name

    @property
    def prose(self) -> str:
        """The description in one line, whatever lines it had in its file."""
        return " ".join(self.description.split())

    def ids(self) -> dict[str, str]:
        """A word for each node that is no other's, by its name and by those of its members."""
        found = {name: f"node{at}" for at, node in enumerate(self.nodes) for name in node.members}
        return found | {node.name: f"node{at}" for at, node in enumerate(self.nodes)}

    def attachments_of(self, network: str) -> list[Attachment]:
        return [item for item in self.attachments if item.network == network]

    def networks_of(self) -> dict[str, list[Attachment]]:
        """Each node's attachments, in the networks' order."""
        found: dict[str, list[Attachment]] = {node.name: [] for node in self.nodes}
        for item in self.attachments:
            found[item.node].append(item)
        return found


def of_topology(topology: Topology, role_of: Callable[[Member], str | None]) -> Picture:
    """The picture of a file; `role_of` finds what its text alone doesn't say."""
    nodes: list[DrawnNode] = []
    attachments: list[Attachment] = []
    routes: list[DrawnRoute] = []
    sharing = _sharing(topology)
    closed = {net.key for net in topology.networks if net.internal}  # what is on no others publishes nothing
    six = {net.key for net in topology.networks if net.ipv6 or net.external}
    for member in topology.members:
        service = topology.config["services"][member.name]
        if any(member in others for others in sharing.values()):
            continue
        for number, own in enumerate(_copies(member, service)):
            # What shares the network of a scaled service, Compose gives to its first container.
            others = sharing.get(member.name, []) if number == 0 else []
            copies = [(own, member), *((one, other) for other in others for one in _of(other, topology))]
            name, roles = TOGETHER.join(one for one, _ in copies), [role_of(one) for _, one in copies]
            hidden = service.get("network_mode") in ("host", "none") or (
                bool(member.networks) and set(member.networks) <= closed
            )
            ports = () if hidden else tuple(_wanted_port(port) for _, one in copies for port in one.ports)
            masquerades = _masquerades(service) if forwards(roles[0]) else None
            members = tuple(one for one, _ in copies) if others else ()
            on_machine = service.get("network_mode") == "host"
            nodes.append(DrawnNode(name, _roles(roles), None, ports, masquerades, members, on_machine))
            for key in member.networks:
                found = tuple(
                    address
                    for network, address in member.addresses
                    if network == key and (key in six or ":" not in address)
                )
                attachments.append(Attachment(name, key, found))
            if service.get("network_mode") == BRIDGE:
                attachments.append(Attachment(name, BRIDGE))
            routes += [DrawnRoute(name, str(route)) for _, one in copies for route in one.routes]
    networks = [DrawnNetwork(net.key, _given(net), net.internal, net.mtu) for net in topology.networks]
    if any(item.network == BRIDGE for item in attachments) and BRIDGE not in {net.name for net in networks}:
        networks.append(DrawnNetwork(BRIDGE))
    links = [DrawnLink(link.a, link.b, link.both, link.text.strip()) for link in topology.links]
    bare = Picture(topology.name, topology.title, topology.description, links=tuple(links))
    return arranged(bare, networks, nodes, attachments, routes)


def _given(net: Net) -> tuple[str, ...]:
    """The subnets of a file's network from which the engine gives addresses."""
    return tuple(str(subnet) for subnet in net.subnets if (net.ipv4 if subnet.version == 4 else net.ipv6))


def _sharing(topology: Topology) -> dict[str, list[Member]]:
    """The members that share another one's network, by its name."""
    found: dict[str, list[Member]] = {}
    for member in topology.members:
        if member.owner in topology.config["services"]:
            found.setdefault(str(member.owner), []).append(member)
    return found


def _of(member: Member, topology: Topology) -> list[str]:
    return _copies(member, topology.config["services"][member.name])


def _roles(roles: Iterable[str | None]) -> str | None:
    """The roles of one host's programs."""
    return TOGETHER.join(role for role in dict.fromkeys(roles) if role) or None


def _masquerades(service: Mapping[str, Any]) -> str | None:
    """See DrawnNode, of a service as Compose writes it out."""
    name = (service.get("environment") or {}).get(MASQUERADE_TO)
    networks = service.get("networks") or {}
    return _facing(name, {key: tuple((how or {}).get("aliases") or ()) for key, how in networks.items()})


def _facing(name: str | None, aliases: Mapping[str, Sequence[str]]) -> str | None:
    """The network on which a router has that name; empty where none or several are, None without a name."""
    if not name:
        return None
    found = [network for network, names in aliases.items() if name in names]
    return found[0] if len(found) == 1 else ""


def of_lab(engine: Engine, lab: Lab) -> Picture:
    """The picture of what runs, also of a Compose project that labctl did not make."""
    every = engine.networks()
    used = {name for node in lab.nodes for name in node.container.addresses}
    found = [net for net in every if net.name in used or net.labels.get(COMPOSE_PROJECT) == lab.name]
    names = _short_names(lab.name, used | {net.name for net in found})
    subnets = {net.name: _subnets(net, lab) for net in found}
    hosts = lab.hosts
    labels = _unique(hosts)
    nodes, attachments, routes = [], [], []
    for label, node in zip(labels, hosts, strict=True):
        members = lab.members(node)
        ports = tuple(_published_port(port) for one in members for port in one.container.ports if port.public)
        facing = None
        if forwards(node.role):
            details = engine.details(node.container.id)
            facing = _facing(details.environment.get(MASQUERADE_TO), details.aliases)
        masquerades = names.get(facing, facing) if facing else facing
        role, together = _roles(one.role for one in members), tuple(one.name for one in members)
        drawn = DrawnNode(label, role, _state(members), tuple(dict.fromkeys(ports)), masquerades)
        drawn = replace(drawn, on_machine=node.container.host_network, machine=node.container.machine)
        nodes.append(replace(drawn, members=together) if len(members) > 1 else drawn)
        for network, addresses in node.container.addresses.items():
            attachments.append(Attachment(label, names[network], addresses))
        routes += [DrawnRoute(label, str(route)) for one in members for route in routes_of(one)]
    known = {net.name: net for net in found}
    networks = [
        DrawnNetwork(short, subnets[full], known[full].internal, known[full].mtu)
        if full in known
        else DrawnNetwork(short)
        for full, short in names.items()
    ]
    title = lab.nodes[0].container.labels.get(LABEL_TITLE, "") if lab.nodes else ""
    return arranged(Picture(lab.name, title), networks, nodes, attachments, routes)


def _state(members: Sequence[Node]) -> str:
    """Docker's state of a host: that of its one program, or of those that don't run."""
    if len(members) == 1:
        return members[0].container.state
    return ", ".join(f"{one.name} {one.container.state}" for one in members if not one.is_running) or "running"


def _subnets(network: Network, lab: Lab) -> tuple[str, ...]:
    """A network's subnets; where all nodes on it have IPv6 alone, only those that they use."""
    here = [node for node in lab.nodes if network.name in node.networks]
    if here and all(node.container.labels.get(LABEL_FAMILIES) == "ipv6" for node in here):
        return tuple(subnet for subnet in network.subnets if ":" in subnet)
    return network.subnets


def natural(name: str) -> tuple[tuple[int, str], ...]:
    """An order in which n2 comes before n10."""
    return tuple((int(part) if part.isdecimal() else -1, part) for part in re.split(r"(\d+)", name))


def arranged(
    picture: Picture,
    networks: Iterable[DrawnNetwork],
    nodes: Iterable[DrawnNode],
    attachments: Sequence[Attachment],
    routes: Iterable[DrawnRoute],
) -> Picture:
    """The picture with all of these in it, in the order that Picture promises."""
    placed = _near_each_other(networks, attachments)
    place = {net.name: number for number, net in enumerate(placed)}
    attached = sorted(attachments, key=lambda item: (place[item.network], *_by_address(item), natural(item.node)))
    first = {item.node: number for number, item in reversed(list(enumerate(attached)))}
    known = list(nodes)
    rank = {node.name: (first.get(node.name, len(attached)), natural(node.name)) for node in known}
    return replace(
        picture,
        networks=tuple(placed),
        nodes=tuple(sorted(known, key=lambda node: rank[node.name])),
        attachments=tuple(attached),
        routes=tuple(sorted(routes, key=lambda route: rank[route.node])),
    )


def _by_address(item: Attachment) -> tuple[int, int]:
    """IPv4 by number, then IPv6, then those without; a text that is no address is none."""
    try:
        first = ipaddress.ip_address(item.addresses[0])
    except (IndexError, ValueError):
        return 9, 0
    return first.version, int(first)


def _near_each_other(networks: Iterable[DrawnNetwork], attachments: Iterable[Attachment]) -> list[DrawnNetwork]:
    """Beginning at one with few neighbours, always the network next that shares a node with the latest one placed.
    Empty ones come last."""
    left = {net.name: net for net in sorted(networks, key=lambda net: natural(net.name))}
    members: dict[str, set[str]] = {name: set() for name in left}
    joins: dict[str, set[str]] = {}
    for item in attachments:
        members[item.network].add(item.node)
        joins.setdefault(item.node, set()).add(item.network)
    near = {name: {other for node in members[name] for other in joins[node]} - {name} for name in left}
    placed: list[DrawnNetwork] = []
    while left:
        latest = next((net.name for net in reversed(placed) if near[net.name] & left.keys()), None)
        choice = [name for name in left if name in near[latest]] if latest else list(left)
        chosen = min(choice, key=lambda name: (not members[name], len(near[name]), natural(name)))
        placed.append(left.pop(chosen))
    return placed


def _copies(member: Member, service: Mapping[str, Any]) -> list[str]:
    """The names that the containers of a service get, as labctl.lab.model gives them."""
    count = replicas(service)
    return [member.name] if count == 1 else [f"{member.name}-{number}" for number in range(1, count + 1)]


def _wanted_port(port: Published) -> str:
    wanted = port.published or port.choice
    where = place(port.host, wanted) if wanted else "any free port"
    return f"{where} -> {port.target}/{port.proto}"


def _published_port(port: Port) -> str:
    return f"{port.place} -> {port.private}/{port.proto}"


def _short_names(lab: str, names: set[str]) -> dict[str, str]:
    """Networks' full names to those that the file gave them, where these are still told apart."""
    short = {name: name.removeprefix(f"{lab}_") for name in sorted(names)}
    count = Counter(short.values())
    return {name: brief if count[brief] == 1 else name for name, brief in short.items()}


def _unique(nodes: Iterable[Node]) -> list[str]:
    """Nodes' names; their containers' where two have the same (`docker compose run` counts on its own)."""
    found = list(nodes)
    count = Counter(node.name for node in found)
    return [node.name if count[node.name] == 1 else node.container.name for node in found]
