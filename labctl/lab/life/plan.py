"""What `up` would make of a topology, and change of a running lab: looked at, not done."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from labctl.engine.model import (
    COMPOSE_HASH,
    COMPOSE_IMAGE,
    LABEL_LAB,
    LABEL_MADE,
    LABEL_NODE,
    LABEL_ROLE,
    LABEL_RUN,
    Container,
    Engine,
    Image,
    place,
)
from labctl.lab import owners, spanning
from labctl.lab.drawing.role_labels import role_of
from labctl.lab.images import needed
from labctl.lab.placing import blueprint as blueprints
from labctl.lab.placing import claim
from labctl.lab.placing.subnets import choose
from labctl.topology.builtin import NO_OPTIONS, Options
from labctl.topology.model import Member, Topology, replicas

NOWHERE: Mapping[str, str] = {}  # no node has a place of its own
Change = Literal["create", "keep", "recreate", "start", "remove"]


@dataclass(frozen=True)
class PlannedNetwork:
    """`gateway` of a subnet is the engine's own choice where the file names none: its first address. `internal`: no way
    leads outside."""

    name: str
    subnets: tuple[str, ...]
    change: Change
    internal: bool = False


@dataclass(frozen=True)
class PlannedNode:
    """`addresses` by network; a network without one leaves the choice to the engine. `why` explains a change. `owner`
    is the node whose network it shares, None where it has its own: the addresses are that one's. `machines` are where
    it is to be, where a lab is on several."""

    name: str
    role: str | None
    image: str
    addresses: Mapping[str, tuple[str, ...]]
    routes: tuple[str, ...]
    ports: tuple[str, ...]
    count: int
    change: Change
    why: str = ""
    owner: str | None = None
    machines: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """What bringing a topology up would do to each network and node: `change` says make, keep and the like."""

    lab: str
    title: str
    networks: tuple[PlannedNetwork, ...]
    nodes: tuple[PlannedNode, ...]

    @property
    def changes(self) -> bool:
        """Whether it would do anything."""
        changes = [net.change for net in self.networks] + [node.change for node in self.nodes]
        return any(change != "keep" for change in changes)

    def as_json(self) -> dict[str, Any]:
        return {
            "lab": self.lab,
            "title": self.title,
            "networks": [
                {"name": n.name, "subnets": list(n.subnets), "internal": n.internal, "change": n.change}
                for n in self.networks
            ],
            "nodes": [
                {
                    "node": node.name,
                    "role": node.role,
                    "image": node.image,
                    "addresses": {name: list(found) for name, found in node.addresses.items()},
                    "routes": list(node.routes),
                    "ports": list(node.ports),
                    "count": node.count,
                    "change": node.change,
                    "why": node.why,
                    **({"network_of": node.owner} if node.owner else {}),
                    **({"machines": list(node.machines)} if node.machines else {}),
                }
                for node in self.nodes
            ],
        }


def plan(
    engine: Engine,
    name: str | None,
    lab: str | None = None,
    subnets: Sequence[str] = (),
    options: Options = NO_OPTIONS,
    *,
    take_over: bool = False,
    allow_overlap: bool = False,
    isolated: bool = False,
    hosts: Sequence[str] = (),
    places: Mapping[str, str] = NOWHERE,
    policy: str = "spread",
    report: Callable[[str], None] = lambda line: None,
) -> Plan:
    """Reads the topology and the engine, and touches neither. Subnets are those that are free now, or the chosen ones.
    `hosts`, `places` and `policy` as `up` has them (labctl.lab.life.up.Request). Raises LabError."""
    every, engine = engine, spanning.to_read(engine, hosts)
    blueprint = claim.read(engine, name, lab, report, options, take_over=take_over, isolated=isolated)
    topology = blueprint.topology
    engine = spanning.to_make(every, topology.name, hosts, places, policy)
    spanning.refuse_ipv6(engine, topology)
    running = claim.existing(engine, topology.name)
    claim.refuse_programs(topology, running)
    programs = [item for item in running if LABEL_RUN in item.labels]
    running = [item for item in running if item not in programs]
    found = needed.present(engine, blueprint)
    config = blueprint.configuration(found, owners.same(engine, running))
    placed = blueprints.place(
        topology,
        engine,
        config,
        running,
        attempt=0,
        chosen=choose(topology, subnets),
        allow_overlap=allow_overlap,
    )
    shares = engine.shares(placed)
    hashes = engine.hashes(blueprint.source, _joined(topology, placed, running)) if running else {}
    nodes = []
    changes: dict[str, Change] = {}
    for member in sorted(topology.members, key=lambda member: member.owner is not None):
        mine = [item for item in running if item.labels.get(LABEL_NODE) == member.name]
        change, why = _change(member, mine, hashes, found.get(member.name), replicas(placed["services"][member.name]))
        if mine and change != "create" and changes.get(member.owner or "") in ("create", "recreate"):
            change, why = "recreate", f"it shares the network of {member.owner}"
        changes[member.name] = change
        machines = tuple(machine for machine, services in shares.items() if services.get(member.name))
        planned = _node(blueprint, placed, member, found.get(member.name), change, why)
        nodes.append(replace(planned, machines=machines))
    order = [member.name for member in topology.members]
    nodes.sort(key=lambda node: order.index(node.name))
    known = set(order)
    left = {item.labels[LABEL_NODE]: item for item in running if item.labels[LABEL_NODE] not in known}
    nodes += [_left(node, item, "remove", blueprints.NO_MORE) for node, item in sorted(left.items())]
    nodes += [_left(item.labels[LABEL_NODE], item, "keep", "`labctl run` made it") for item in programs]
    held = {name for item in programs for name in item.addresses}
    return Plan(topology.name, topology.title, tuple(_networks(engine, topology, placed, held)), tuple(nodes))


def _joined(topology: Topology, placed: Mapping[str, Any], running: Sequence[Container]) -> dict[str, Any]:
    """The configuration as Compose compares it: what shares another one's network, with that one's container."""
    services = dict(placed["services"])
    for member in topology.members:
        owner = next((item for item in running if item.labels.get(LABEL_NODE) == member.owner), None)
        if owner:
            services[member.name] = {**services[member.name], "network_mode": f"container:{owner.id}"}
    return {**placed, "services": services}


def _networks(
    engine: Engine, topology: Topology, placed: Mapping[str, Any], held: Collection[str]
) -> list[PlannedNetwork]:
    """`held` are those that programs are on, which stay."""
    every = engine.networks()
    there = {network.name: network for network in every if network.labels.get(LABEL_LAB) == topology.name}
    wanted = {net.name for net in topology.networks}
    out = [
        PlannedNetwork(name, found.subnets, "keep" if name in held else "remove", found.internal)
        for name, found in there.items()
        if name not in wanted
    ]
    external = {net.name for net in topology.networks if net.external}
    there |= {network.name: network for network in every if network.name in external}
    for net in topology.networks:
        configs = (placed["networks"][net.key].get("ipam") or {}).get("config") or []
        subnets = tuple(str(item["subnet"]) for item in configs if item.get("subnet"))
        if net.name in there:
            subnets = there[net.name].subnets
        internal = there[net.name].internal if net.external else net.internal
        out.append(PlannedNetwork(net.name, subnets, "keep" if net.name in there else "create", internal))
    return out


def _change(
    member: Member, mine: list[Container], hashes: Mapping[str, str], image: Image | None, count: int
) -> tuple[Change, str]:
    """What Compose would do with a service's containers, by what it compares itself."""
    if not mine:
        return ("create", "it is new") if count else ("keep", "none is wanted")
    if any(
        hashes.get(member.name) not in (item.labels.get(LABEL_MADE), item.labels.get(COMPOSE_HASH)) for item in mine
    ):
        return "recreate", "its configuration changed"
    if image and any(item.labels.get(COMPOSE_IMAGE, image.id) != image.id for item in mine):
        return "recreate", "its image changed"
    if len(mine) != count:
        return "create" if len(mine) < count else "remove", f"{len(mine)} run, {count} are wanted"
    if any(item.state in ("exited", "created", "dead") for item in mine):
        return "start", "it does not run"
    return "keep", ""


def _node(
    blueprint: blueprints.Blueprint,
    placed: Mapping[str, Any],
    member: Member,
    image: Image | None,
    change: Change,
    why: str,
) -> PlannedNode:
    service = placed["services"][member.name]
    names = {net.key: net.name for net in blueprint.topology.networks}
    addresses = {
        names.get(key, key): tuple(
            str(ipaddress.ip_address(options[field]))
            for field in ("ipv4_address", "ipv6_address")
            if options and options.get(field)
        )
        for key, options in (placed["services"][member.owner or member.name].get("networks") or {}).items()
    }
    ports = tuple(
        f"{place(port.get('host_ip'), port.get('published', ''))}->{port['target']}/{port['protocol']}"
        for port in service.get("ports") or []
    )
    return PlannedNode(
        name=member.name,
        role=role_of(service, image) if image else None,
        image=blueprint.image_of(member.name),
        addresses=addresses,
        routes=tuple(str(route) for route in member.routes),
        ports=ports,
        count=replicas(service),
        change=change,
        why=why if image or change != "create" else "it is new, and its image is still to be had",
        owner=member.owner,
    )


def _left(node: str, item: Container, change: Change, why: str) -> PlannedNode:
    """A node that is there and in no topology."""
    role = item.labels.get(LABEL_ROLE) or None
    return PlannedNode(node, role, item.image, item.addresses, (), (), 1, change, why)
