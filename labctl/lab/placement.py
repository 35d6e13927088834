"""Where a lab goes on this machine: free subnets for networks that may move, free ports for ports that may."""

from __future__ import annotations

import copy
import ipaddress
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from labctl.engine.model import Container, Engine, Network
from labctl.errors import LabError
from labctl.topology.model import Net, Subnet, Topology, moved
from labctl.topology.subnets import candidates


def place_networks(topology: Topology, engine: Engine, config: Mapping[str, Any], attempt: int) -> dict[str, Any]:
    """The configuration with every movable network on a free subnet; on its old one where it exists already.

    The engine has the last word: it refuses a network that overlaps, and the caller tries again with the next
    `attempt`. Raises LabError `no-subnet`, `subnet-taken`, `network-missing`.
    """
    out = dict(config)
    existing = engine.networks()
    for net in topology.networks:
        mine = next((network for network in existing if network.name == net.name), None)
        if net.external and not mine:
            raise LabError("network-missing", network=net.name)
        others = [network for network in existing if network.name != net.name]
        for wished in net.subnets:
            chosen = _existing(mine, wished) if mine else _choose(net, wished, others, attempt)
            if chosen and chosen != wished:
                out = moved(out, net.key, wished, chosen)
    return out


def _existing(network: Network, wished: Subnet) -> Subnet | None:
    """The subnet of the same family that a network of this lab has already."""
    found = [ipaddress.ip_network(subnet) for subnet in network.subnets]
    return next((subnet for subnet in found if subnet.version == wished.version), None)


def _choose(net: Net, wished: Subnet, others: list[Network], attempt: int) -> Subnet:
    owners = {ipaddress.ip_network(subnet): network.name for network in others for subnet in network.subnets}
    if not net.movable:
        for subnet, owner in owners.items():
            if subnet.version == wished.version and subnet.overlaps(wished):
                raise LabError("subnet-taken", subnet=wished, network=net.name, owner=f"the network {owner} ({subnet})")
        return wished
    found = next(candidates(wished, [*owners, *local_routes()], skip=attempt), None)
    if found is None:
        raise LabError("no-subnet", network=net.name, tried=f"{wished} and those after it")
    return found


def local_routes(table: Path = Path("/proc/net/route")) -> list[Subnet]:
    """What this machine's routes lead to (proc(5)), Docker's bridges included; nothing where there is no table."""
    try:
        lines = table.read_text().splitlines()[1:]
    except OSError:
        return []
    found: list[Subnet] = []
    for line in lines:
        fields = line.split()
        destination, mask = (int.from_bytes(bytes.fromhex(fields[column]), "little") for column in (1, 7))
        if destination and mask:
            found.append(ipaddress.ip_network((destination, mask.bit_count())))
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
    from labctl.engine.model import LABEL_NODE

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
