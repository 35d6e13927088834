"""Where a lab goes on this machine: free subnets for networks that may move, free ports for ports that may."""

from __future__ import annotations

import copy
import errno
import ipaddress
import os
import socket
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from labctl.engine.model import COMPOSE_PROJECT, LABEL_LAB, LABEL_NODE, Container, Engine, Network
from labctl.errors import LabError
from labctl.lab.placing.subnets import Chosen
from labctl.named import NamedTuple
from labctl.topology.model import Net, Published, Subnet, Topology, moved
from labctl.topology.subnets import candidates, overlap, ranges

KERNEL_4 = Path("/proc/sys/net/ipv4")  # only on Linux
KERNEL_6 = Path("/proc/sys/net/ipv6")
ROUTES = Path("/proc/net/route")
ROUTES_6 = Path("/proc/net/ipv6_route")
RTF_GATEWAY = 0x2  # route(8): not on a network of the machine's own
PIECES = 3  # a route for so few leading bits is a default route in pieces, as some VPNs set it (0.0.0.0/1, 128.0.0.0/1)


class Route(NamedTuple):
    """A route of this machine. `direct`: to a network that the machine itself is on."""

    subnet: Subnet
    interface: str
    direct: bool

    def __str__(self) -> str:
        return f"this machine's route to {self.subnet} ({self.interface})"


class Ground(NamedTuple):
    """What is there already where a lab is to go. `own` are the subnets of its other networks that are known by now;
    `allow`: networks may overlap with routes, as that is meant."""

    networks: list[Network]
    routes: list[Route]
    own: list[Subnet]
    allow: bool = False


def refuse_ipv6(topology: Topology, *, local: bool) -> None:
    """Raises LabError `no-ipv6` where a network has IPv6 and the kernel, if the engine runs on it, has not."""
    asked = [net.key for net in topology.networks if net.ipv6 and any(subnet.version == 6 for subnet in net.subnets)]
    if asked and local and KERNEL_4.is_dir() and not KERNEL_6.is_dir():
        raise LabError("no-ipv6", networks=f"the network{'' if len(asked) == 1 else 's'} {', '.join(asked)}")


def place_networks(
    topology: Topology,
    engine: Engine,
    config: Mapping[str, Any],
    attempt: int,
    chosen: Chosen,
    *,
    allow_overlap: bool = False,
) -> dict[str, Any]:
    """The configuration with every movable network on its `chosen` subnet, else on a free one; on its old one where it
    exists already.

    The engine has the last word: it refuses a network that overlaps, and the caller tries again with another
    `attempt`: so many free ones are passed over, where there are more. Raises LabError `no-subnet`, `subnet-taken`,
    `subnet-routed`, `network-missing`, `bad-subnet`, `network-otherwise`.
    """
    out = dict(config)
    existing = engine.networks()
    routes = host_routes() if engine.is_local else []  # another machine's routes can't be asked for
    every = [(net, wished, chosen.get((net.key, wished))) for net in topology.networks for wished in net.subnets]
    own = [choice or wished for net, wished, choice in every if choice or not net.movable]
    for net in topology.networks:
        mine = next((network for network in existing if network.name == net.name), None)
        if net.external and not mine:
            raise LabError("network-missing", network=net.name)
        if mine and not net.external and mine.internal != net.internal:
            there = "without a way outside" if mine.internal else "with a way outside"
            raise LabError("network-otherwise", network=net.name, there=there, lab=topology.name)
        ground = Ground([network for network in existing if network.name != net.name], routes, own, allow_overlap)
        for wished in net.subnets:
            choice = chosen.get((net.key, wished))
            new = (
                _existing(topology, net, mine, wished, choice)
                if mine
                else _choose(net, wished, choice, ground, attempt)
            )
            own.append(new or wished)
            if new and new != wished:
                out = moved(out, net.key, wished, new)
    return out


def _existing(topology: Topology, net: Net, network: Network, wished: Subnet, choice: Subnet | None) -> Subnet | None:
    """The subnet of the same family that a network of this lab has already: one that can't move has that of its file,
    or is another one than the file says."""
    found = [ipaddress.ip_network(subnet) for subnet in network.subnets]
    there = next((subnet for subnet in found if subnet.version == wished.version), None)
    if choice and there != choice:
        why = f"the network {network.name} is there already, on {there}; `labctl down` removes it"
        raise LabError("bad-subnet", text=choice, why=why)
    if not net.movable and not net.external and wished not in found:
        where = f"on {', '.join(map(str, found)) or 'no subnet that it was given'}, and {wished} is wanted"
        raise LabError("network-otherwise", network=net.name, there=where, lab=topology.name)
    return there


def _choose(net: Net, wished: Subnet, choice: Subnet | None, ground: Ground, attempt: int) -> Subnet:
    if choice or not net.movable:
        subnet = choice or wished
        _refuse_taken(net, subnet, ground.networks)
        if not net.external:
            _refuse_routed(net, subnet, ground, any_route=choice is not None)
        return subnet
    taken = [ipaddress.ip_network(subnet) for network in ground.networks for subnet in network.subnets]
    busy = [*taken, *ground.own, *([] if ground.allow else [route.subnet for route in ground.routes])]
    found = next(candidates(wished, busy, skip=attempt), None) or next(candidates(wished, busy), None)
    if found is None:
        raise LabError("no-subnet", network=net.name, key=net.key, why=_all_taken(wished, ground))
    return found


def _all_taken(wished: Subnet, ground: Ground) -> str:
    """Where it was looked for, and what is in the way there that a person may not think of."""
    places = ranges(wished)
    blocking = [route for route in ground.routes if any(overlap(route.subnet, place) for place in places)]
    wide = sorted(blocking, key=lambda route: route.subnet.prefixlen)[:4]
    count = len([network for network in ground.networks if network.subnets])
    there = [*map(str, [] if ground.allow else wide), f"{count} Docker networks"]
    return f"a /{wished.prefixlen} in {', '.join(map(str, places))} was looked for; there are {', '.join(there)}"


def _refuse_routed(net: Net, subnet: Subnet, ground: Ground, *, any_route: bool) -> None:
    """Raises LabError `subnet-routed` where this machine would no longer reach what it reaches by that route.

    A subnet that the file names may lie in a wider one that is behind a gateway: what is beside it there is still
    reached.
    """
    for route in ground.routes:
        if not ground.allow and (any_route or route.direct) and overlap(route.subnet, subnet):
            raise LabError("subnet-routed", subnet=subnet, network=net.name, route=route)


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


def host_routes() -> list[Route]:
    """This machine's routes of both families; default routes are left out."""
    return [route for route in (*_ipv4_routes(ROUTES), *_ipv6_routes(ROUTES_6)) if route.subnet.prefixlen > PIECES]


def _ipv4_routes(table: Path) -> list[Route]:
    """proc(5), Docker's bridges included."""
    found: list[Route] = []
    for line in _lines(table)[1:]:
        fields = line.split()
        destination, mask = (int.from_bytes(bytes.fromhex(fields[column]), "little") for column in (1, 7))
        subnet = ipaddress.IPv4Network((destination, mask.bit_count()))
        # `*` is no interface: what has such a route (blackhole, unreachable) the machine doesn't reach.
        found.append(Route(subnet, fields[0], fields[0] != "*" and not int(fields[3], 16) & RTF_GATEWAY))
    return found


def _ipv6_routes(table: Path) -> list[Route]:
    found: list[Route] = []
    for line in _lines(table):
        fields = line.split()
        subnet = ipaddress.IPv6Network((int(fields[0], 16), int(fields[1], 16)))
        if not (subnet.is_link_local or subnet.is_multicast or fields[-1] == "lo"):
            found.append(Route(subnet, fields[-1], not int(fields[8], 16) & RTF_GATEWAY))
    return found


def _lines(table: Path) -> list[str]:
    try:
        return table.read_text().splitlines()
    except OSError:
        return []


def place_ports(
    topology: Topology,
    config: Mapping[str, Any],
    running: list[Container],
    *,
    local: bool,
    elsewhere: Collection[tuple[str, int]] = (),
    again: bool = False,
) -> dict[str, Any]:
    """The configuration with every movable port that is taken replaced by a free one; a node keeps what it has.

    `local`: the engine is on this machine, so a port can be tried here. Of other machines it is known which their
    containers have: those `elsewhere`, as (protocol, port); `again`: the last choice was taken there all the same.
    """
    out = copy.deepcopy(dict(config))
    for member in topology.members:
        given: set[tuple[str, str, str]] = set()  # protocol, address and port of the lines before
        for port, item in zip(member.ports, out["services"][member.name].get("ports") or [], strict=True):
            if not port.movable or port.published is None:
                continue
            kept = _published_already(running, member.name, port, given)
            if kept:
                item["published"] = str(kept)
            elif local and not _is_free(port.host or "0.0.0.0", port.published, port.proto):
                item["published"] = str(_free_port(port.host or "0.0.0.0", port.proto))
            elif not local and (again or (port.proto, port.published) in elsewhere):
                free = (number for number in iter(_any_port, 0) if (port.proto, number) not in elsewhere)
                item["published"] = str(next(free))
            given.add((port.proto, port.host, str(item["published"])))
    return out


def published(engine: Engine, topology: Topology) -> set[tuple[str, int]]:
    """The ports that containers have on machines where no port can be tried, as (protocol, port)."""
    if engine.is_local or not _has_movable(topology):
        return set()
    running = engine.containers(running=True)
    return {(port.proto, port.public) for item in running for port in item.ports if port.public}


def with_bound(engine: Engine, topology: Topology, running: list[Container]) -> list[Container]:
    """The containers, each with the ports that it has whenever it runs: of one that doesn't the engine lists none."""
    if not _has_movable(topology):
        return running
    runs = ("running", "paused")
    return [item if item.state in runs else item._replace(ports=engine.details(item.id).bound) for item in running]


def _has_movable(topology: Topology) -> bool:
    return any(port.movable for member in topology.members for port in member.ports)


def _published_already(
    running: list[Container], node: str, wished: Published, given: set[tuple[str, str, str]]
) -> int | None:
    """Where a node publishes a port now: of several places for the same one, the wished one, else one that no other
    line of the file is `given`."""
    for container in running:
        if container.labels.get(LABEL_NODE) == node:
            mine = [port for port in container.ports if (port.private, port.proto) == (wished.target, wished.proto)]
            there = [port for port in mine if port.public and not {_line(wished, port.public)} & given]
            there.sort(key=lambda port: ((port.host or "") != wished.host, port.public != wished.published))
            return there[0].public if there else None
    return None


def _line(wished: Published, public: int) -> tuple[str, str, str]:
    return wished.proto, wished.host, str(public)


def _is_free(host: str, port: int, proto: str) -> bool:
    with _socket(host, proto) as sock:
        # As a server would: a connection that lingers in TIME-WAIT is no reason to move. Of UDP it would hide another.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(proto != "udp"))
        try:
            sock.bind((host, port))
        except OSError as problem:
            # No address of this machine: the engine says so better, and no other port would do.
            return problem.errno == errno.EADDRNOTAVAIL
    return True


def _free_port(host: str, proto: str) -> int:
    with _socket(host, proto) as sock:
        sock.bind((host, 0))
        return int(sock.getsockname()[1])


def _any_port() -> int:
    """One of those that nobody has for good (RFC 6335, section 6)."""
    return 49152 + int.from_bytes(os.urandom(2), "big") % 16384


def _socket(host: str, proto: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.socket(family, socket.SOCK_DGRAM if proto == "udp" else socket.SOCK_STREAM)
