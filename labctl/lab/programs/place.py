"""Where a program's host goes in a lab: its network, its addresses there, and what its neighbours have besides."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from labctl.engine.model import LABEL_FAMILIES, LABEL_LAB, LABEL_ROUTES, LABEL_RUN, Container, Engine, Network
from labctl.errors import LabError, nearest
from labctl.lab.model import Lab, find, plain
from labctl.lab.programs.wanted import OF_HOST

if TYPE_CHECKING:
    from labctl.topology.model import Subnet

FIRST = 100  # of a subnet's addresses: those before are for the nodes of topologies
LIKELY = 4096  # addresses that are looked at
BUILT_IN = ("bridge", "host", "none")  # the engine's own networks, which know no names
ALIVE = ("running", "paused")
TAKEN_OVER = (LABEL_FAMILIES, LABEL_ROUTES)  # what neighbours have, and a host of their network needs as well
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True)
class Place:
    """`labels` are those of the neighbours that this host takes over: their routes. `shares` is the container whose
    network it has in the place of one of its own."""

    network: str
    addresses: tuple[str, ...]
    labels: tuple[tuple[str, str], ...] = ()
    shares: str = ""


def lab_of(engine: Engine, name: str) -> Lab:
    """The lab, also where it has no nodes and only a network. Raises LabError `unknown-lab`."""
    try:
        return find(engine, name)
    except LabError:
        from labctl.lab.life.down import look

        found = look(engine, name)
        if not found.networks:
            raise
    from labctl.lab.owners import NOBODYS, standing

    return Lab(name, (), True, standing(found.labels) or NOBODYS)


def choose(engine: Engine, lab: Lab, network: str | None, address: str | None, without: Container | None) -> Place:
    """`network` is chosen by its name, with or without the lab's before it, or is a host's own (`service:HOST`, as in
    Compose); `address` is the one wished for; `without` is a container that will be gone by then, whose addresses are
    kept where they fit.

    Raises LabError `which-network`, `bad-address`, `network-full`, `unknown-node`, `not-running`, `bad-option`.
    """
    if network is not None and network.startswith(OF_HOST):
        return _shared(lab, network.removeprefix(OF_HOST), without)
    found = _network(engine, lab, network)
    taken = _taken(engine, lab, found, without)
    subnets = [ipaddress.ip_network(text) for text in found.subnets]
    labels = _of_neighbours(lab, found)
    if dict(labels).get(LABEL_FAMILIES) == "ipv6" and any(subnet.version == 6 for subnet in subnets):
        subnets = [subnet for subnet in subnets if subnet.version == 6]
    wished = _wished(found, subnets, address, taken) if address else None
    kept = _kept(engine, without)
    addresses = []
    for subnet in subnets:
        if wished and wished in subnet:
            addresses.append(str(wished))
            continue
        mine = next((one for one in kept if one in subnet and str(one) not in taken), None) or _free(subnet, taken)
        if mine is None:
            raise LabError("network-full", network=found.name, subnets=", ".join(found.subnets))
        addresses.append(str(mine))
    return Place(found.name, tuple(addresses), labels)


def _shared(lab: Lab, name: str, without: Container | None) -> Place:
    """The network of a host that runs."""
    node = lab.node(name)
    owner = node.owner or node
    if without and without.id == owner.container.id:
        why = f"{name} can't have its own network in its own place"
        raise LabError("bad-option", option="--network", why=why)
    if not owner.is_running:
        raise owner.does_not_run("labctl can't run a program in its network")
    return Place(next(iter(owner.networks), ""), (), shares=owner.container.id)


def _network(engine: Engine, lab: Lab, wanted: str | None) -> Network:
    used = {name for node in lab.nodes for name in node.networks}
    every = engine.networks()
    mine = [one for one in every if one.labels.get(LABEL_LAB) == lab.name or one.name in used]
    mine = sorted({one.name: one for one in mine if one.name not in BUILT_IN}.values(), key=lambda one: one.name)
    names = [one.name.removeprefix(f"{lab.name}_") for one in mine]
    if wanted is not None:
        for one, name in zip(mine, names, strict=True):
            if wanted in (name, one.name):
                return one
        count = f"no network {wanted}{nearest(wanted, names)}"
        raise LabError("which-network", lab=lab.name, count=count, networks=", ".join(names) or "none")
    if len(mine) != 1:
        count = f"{len(mine)} networks" if mine else "no network"
        raise LabError("which-network", lab=lab.name, count=count, networks=", ".join(names) or "none")
    return mine[0]


def _taken(engine: Engine, lab: Lab, network: Network, without: Container | None) -> dict[str, str]:
    """Who has which address of the network, or will have it when started: addresses in their one spelling."""
    found: dict[str, str] = {}
    gone = without.id if without else None
    for container in engine.containers(running=True):
        if container.id != gone:
            found |= dict.fromkeys(map(plain, container.addresses.get(network.name, ())), container.name)
    names = {node.container.id: node.name for node in lab.nodes}
    for node in lab.nodes:
        if node.container.id != gone:
            found |= dict.fromkeys(map(plain, node.container.addresses.get(network.name, ())), names[node.container.id])
            if node.container.state not in ALIVE:
                found |= dict.fromkeys(map(plain, engine.details(node.container.id).fixed), node.name)
    return found


def _kept(engine: Engine, without: Container | None) -> Sequence[Address]:
    """The addresses of the host that this one takes the place of."""
    return [ipaddress.ip_address(text) for text in engine.details(without.id).fixed] if without else []


def _wished(network: Network, subnets: Sequence[Subnet], text: str, taken: dict[str, str]) -> Address:
    def bad(why: str) -> LabError:
        return LabError("bad-address", address=text, network=network.name, why=why)

    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise bad("it is no IP address") from None
    subnet = next((one for one in subnets if address in one), None)
    if subnet is None:
        raise bad(f"its subnet is {', '.join(map(str, subnets)) or 'not known'}")
    if address in (subnet[0], subnet[1]) or (subnet.version == 4 and address == subnet[-1]):
        raise bad("it is the network's own, or the machine's")
    if str(address) in taken:
        raise bad(f"{taken[str(address)]} has it")
    return address


def _free(subnet: Subnet, taken: dict[str, str]) -> Address | None:
    """From the hundredth on, or in small subnets from the middle, where nodes of topologies seldom are; then those
    before."""
    size = subnet.num_addresses
    first = FIRST if size > 2 * FIRST else size // 2
    last = size - 2 if subnet.version == 4 else size - 1
    numbers = itertools.chain(range(max(2, first), min(last, first + LIKELY) + 1), range(2, max(2, first)))
    return next((subnet[number] for number in numbers if number <= last and str(subnet[number]) not in taken), None)


def _of_neighbours(lab: Lab, network: Network) -> tuple[tuple[str, str], ...]:
    """The labels that all other nodes of the network have alike, routers aside: a host among them needs the same."""
    near = [node for node in lab.nodes if network.name in node.networks and LABEL_RUN not in node.container.labels]
    hosts = [node.container.labels for node in near if len(node.networks) == 1]
    return tuple((key, value) for key in TAKEN_OVER if (value := _common([labels.get(key) for labels in hosts])))


def _common(values: Sequence[str | None]) -> str | None:
    return values[0] if values and len(set(values)) == 1 else None
