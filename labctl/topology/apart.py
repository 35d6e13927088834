"""Nodes without an address of their own, kept off the addresses that others have in the file. No I/O.

The engine gives such a node the lowest free address, which may be one that another node is to have a moment later. So
their addresses come from a range in which no node has a fixed one (`ip_range`). That also holds for scaled services and
for whoever joins the network later. Where no such range has room for all, single nodes get free addresses outright.
"""

from __future__ import annotations

import contextlib
import copy
import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from labctl.errors import LabError
from labctl.topology.model import Subnet, replicas

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
FIRST_6 = 112
_FIELDS = {4: "ipv4_address", 6: "ipv6_address"}


def apart(config: Mapping[str, Any], beside: int = 0) -> dict[str, Any]:
    """The configuration with room for nodes without an address, on each network where others have one; `beside` is how
    many addresses of each the engine takes for itself (of an overlay, one for every machine).

    A network with a range of its own, of somebody else's or of another driver stays as it is. Raises LabError
    `subnet-small`.
    """
    out = copy.deepcopy(dict(config))
    for key, net in (out.get("networks") or {}).items():
        if net and not net.get("external") and net.get("driver") in (None, "", "bridge"):
            for pool in (net.get("ipam") or {}).get("config") or []:
                if pool.get("subnet") and not pool.get("ip_range"):
                    _part(out["services"], key, pool, beside)
    return out


def _part(services: dict[str, Any], key: str, pool: dict[str, Any], beside: int) -> None:
    subnet = ipaddress.ip_network(pool["subnet"])
    field = _FIELDS[subnet.version]
    free: dict[str, int] = {}  # how many containers of each service have no address here
    fixed: set[Address] = set()
    for name, service in services.items():
        if key in (service.get("networks") or {}):
            options = service["networks"][key] or {}
            if options.get(field):
                fixed.add(ipaddress.ip_address(options[field]))
            else:
                free[name] = replicas(service)
    fixed = {address for address in fixed if address in subnet}
    gateway = ipaddress.ip_address(pool.get("gateway") or subnet[min(1, subnet.num_addresses - 1)])
    wanted = sum(free.values()) + beside
    if not fixed or not wanted or gateway in fixed:
        return
    taken = fixed | _kept(pool) | {gateway}
    block = max(_empty(subnet, taken), key=lambda one: (_room(subnet, one), int(one.network_address)), default=None)
    if block and _room(subnet, block) >= wanted:
        pool["ip_range"] = str(block)
        pool["gateway"] = str(gateway)  # else the engine takes one from the range
    elif beside:
        raise LabError("subnet-small", network=key, subnet=subnet, count=wanted)
    else:
        _assign(services, key, field, [name for name, count in free.items() if count == 1], _hosts(subnet, taken))


def _kept(pool: Mapping[str, Any]) -> set[Address]:
    """The addresses that are set aside; what is none, the engine refuses."""
    found: set[Address] = set()
    for text in (pool.get("aux_addresses") or {}).values():
        with contextlib.suppress(ValueError):
            found.add(ipaddress.ip_address(text))
    return found


def _assign(services: dict[str, Any], key: str, field: str, names: list[str], addresses: Iterator[Address]) -> None:
    for name, address in zip(names, addresses, strict=False):
        services[name]["networks"][key] = {**(services[name]["networks"][key] or {}), field: str(address)}


def _hosts(subnet: Subnet, taken: set[Address]) -> Iterator[Address]:
    return (address for address in subnet.hosts() if address not in taken)


def _empty(subnet: Subnet, taken: set[Address]) -> list[Subnet]:
    """The largest blocks in which nothing is taken: of IPv6 within the first 65,536 addresses, as the engine counts
    them in 64 bits and refuses the upper half of a /64."""
    full: list[Subnet] = [subnet]
    if subnet.version == 6 and subnet.prefixlen < FIRST_6:
        full = [next(subnet.subnets(new_prefix=FIRST_6))]
    while full and full[0].prefixlen < subnet.max_prefixlen:
        halves = [half for block in full for half in block.subnets()]
        full = [half for half in halves if any(address in half for address in taken)]
        if len(full) < len(halves):
            return [half for half in halves if half not in full]
    return []


def _room(subnet: Subnet, block: Subnet) -> int:
    """How many addresses of a block the engine gives: not the subnet's own, nor its broadcast address."""
    kept = [subnet.network_address, *([subnet.broadcast_address] if subnet.version == 4 else [])]
    return block.num_addresses - sum(address in block for address in kept)
