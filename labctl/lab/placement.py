"""Where a lab goes on this machine: free subnets for networks that may move, free ports for ports that may."""

from __future__ import annotations

import copy
import ipaddress
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labctl.engine.model import COMPOSE_PROJECT, LABEL_LAB, LABEL_NODE, Container, Engine, Network
from labctl.errors import LabError
from labctl.lab.subnets import Chosen
from labctl.topology.model import Net, Subnet, Topology, moved
from labctl.topology.subnets import candidates

KERNEL_4 = Path("/proc/sys/net/ipv4")  # only on Linux
KERNEL_6 = Path("/proc/sys/net/ipv6")
ROUTES = Path("/proc/net/route")
ROUTES_6 = Path("/proc/net/ipv6_route")


def refuse_ipv6(topology: Topology, *, local: bool) -> None:
    """Raises LabError `no-ipv6` where a network has IPv6 and the kernel, if the engine runs on it, has not."""
    asked = [net.key for net in topology.networks if any(subnet.version == 6 for subnet in net.subnets)]
    if asked and local and KERNEL_4.is_dir() and not KERNEL_6.is_dir():
        raise LabError("no-ipv6", networks=f"the network{'' if len(asked) == 1 else 's'} {', '.join(asked)}")


def place_networks(
    topology: Topology, engine: Engine, config: Mapping[str, Any], attempt: int, chosen: Chosen
) -> dict[str, Any]:
    """The configuration with every movable network on its `chosen` subnet, else on a free one; on its old one where it
    exists already.

    The engine has the last word: it refuses a network that overlaps, and the caller tries again with the next
    `attempt`. Raises LabError `no-subnet`, `subnet-taken`, `network-missing`, `bad-subnet`.
    """
    out = dict(config)
    existing = engine.networks()
    for net in topology.networks:
        mine = next((network for network in existing if network.name == net.name), None)
        if net.external and not mine:
            raise LabError("network-missing", network=net.name)
        others = [network for network in existing if network.name != net.name]
        for wished in net.subnets:
            choice = chosen.get((net.key, wished))
            new = _existing(mine, wished, choice) if mine else _choose(net, wished, choice, others, attempt)
            if new and new != wished:
                out = moved(out, net.key, wished, new)
    return out


def _existing(network: Network, wished: Subnet, choice: Subnet | None) -> Subnet | None:
    """The subnet of the same family that a network of this lab has already."""
    found = [ipaddress.ip_network(subnet) for subnet in network.subnets]
    there = next((subnet for subnet in found if subnet.version == wished.version), None)
    if choice and there != choice:
        why = f"the network {network.name} is there already, on {there}; `labctl down` removes it"
        raise LabError("bad-subnet", text=choice, why=why)
    return there


def _choose(net: Net, wished: Subnet, choice: Subnet | None, others: list[Network], attempt: int) -> Subnet:
    if choice:
        _refuse_taken(net, choice, others)
        for route, interface in host_routes():
            if route.version == choice.version and route.overlaps(choice):
                owner = f"this machine's route to {route} ({interface})"
                raise LabError("subnet-taken", subnet=choice, network=net.name, owner=owner)
        return choice
    if not net.movable:
        _refuse_taken(net, wished, others)
        return wished
    taken = [ipaddress.ip_network(subnet) for network in others for subnet in network.subnets]
    found = next(candidates(wished, [*taken, *local_routes()], skip=attempt), None)
    if found is None:
        raise LabError("no-subnet", network=net.name, tried=f"{wished} and those after it")
    return found


def _refuse_taken(net: Net, wished: Subnet, others: list[Network]) -> None:
    """Raises LabError `subnet-taken`, which names who has it."""
    for network in others:
        for subnet in map(ipaddress.ip_network, network.subnets):
            if subnet.version == wished.version and subnet.overlaps(wished):
                owner = f"the network {network.name}{_whose(network)} ({subnet})"
                raise LabError("subnet-taken", subnet=wished, network=net.name, owner=owner)


def _whose(network: Network) -> str:
    if LABEL_LAB in network.labels:
        return f" of the lab {network.labels[LABEL_LAB]}"
    if COMPOSE_PROJECT in network.labels:
        return f" of the Compose project {network.labels[COMPOSE_PROJECT]}"
    return ""


def local_routes(table: Path = ROUTES) -> list[Subnet]:
    """What this machine's IPv4 routes lead to; nothing where there is no table."""
    return [subnet for subnet, _ in _ipv4_routes(table)]


def host_routes() -> list[tuple[Subnet, str]]:
    """This machine's routes of both families, each with its interface; default routes are left out."""
    return [*_ipv4_routes(ROUTES), *_ipv6_routes(ROUTES_6)]


def _ipv4_routes(table: Path) -> list[tuple[Subnet, str]]:
    """proc(5), Docker's bridges included."""
    try:
        lines = table.read_text().splitlines()[1:]
    except OSError:
        return []
    found: list[tuple[Subnet, str]] = []
    for line in lines:
        fields = line.split()
        destination, mask = (int.from_bytes(bytes.fromhex(fields[column]), "little") for column in (1, 7))
        if destination and mask:
            found.append((ipaddress.ip_network((destination, mask.bit_count())), fields[0]))
    return found


def _ipv6_routes(table: Path) -> list[tuple[Subnet, str]]:
    try:
        lines = table.read_text().splitlines()
    except OSError:
        return []
    found: list[tuple[Subnet, str]] = []
    for line in lines:
        fields = line.split()
        subnet = ipaddress.IPv6Network((int(fields[0], 16), int(fields[1], 16)))
        if subnet.prefixlen and not (subnet.is_link_local or subnet.is_multicast or fields[-1] == "lo"):
            found.append((subnet, fields[-1]))
    return found


def place_ports(
    topology: Topology, config: Mapping[str, Any], running: list[Container], *, local: bool
) -> dict[str, Any]:
    """The configuration with every movable port that is taken replaced by a free one; a running node keeps its own.

    `local`: the engine is on this machine, so a port can be tried here.
    """
    out = copy.deepcopy(dict(config))
    for member in topology.members:
        for port, item in zip(member.ports, out["services"][member.name].get("ports") or [], strict=True):
            if not port.movable or port.published is None:
                continue
            kept = _published_already(running, member.name, port.target)
            if kept:
                item["published"] = str(kept)
            elif local and not _is_free(port.host or "0.0.0.0", port.published):
                item["published"] = str(_free_port(port.host or "0.0.0.0"))
    return out


def _published_already(running: list[Container], node: str, target: int) -> int | None:
    for container in running:
        if container.labels.get(LABEL_NODE) == node:
            return next((port.public for port in container.ports if port.private == target and port.public), None)
    return None


def _is_free(host: str, port: int) -> bool:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as sock:
        # As a server would: a connection that lingers in TIME-WAIT is no reason to move.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, port))
        except OSError:
            return False
    return True


def _free_port(host: str) -> int:
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as sock:
        sock.bind((host, 0))
        return int(sock.getsockname()[1])
