"""Networks: subnets that are subnets, that don't overlap, and that have room for all nodes."""

from __future__ import annotations

import ipaddress
from bisect import bisect_left, insort

from labctl.topology.check.addresses import gateway_of, usable
from labctl.topology.check.plan import Network, Plan, Pool, Subnet, address_of
from labctl.topology.check.problems import Path, Problems
from labctl.topology.check.reading.source import Source, shorten


def check_subnets(source: Source, plan: Plan) -> Problems:
    """Each network of the file that labctl or Compose will make."""
    found = Problems()
    seen = _Seen()
    for network in plan.networks.values():
        if network.external:
            continue
        for pool in network.pools:
            path = (*pool.path, "subnet")
            if pool.text and pool.subnet is None:
                _malformed(source, pool, path, found)
            elif pool.subnet and pool.subnet.version == 6 and network.ipv6 is False:  # the engine leaves it out
                found.add("ipv6-off", path, source.place(path), text=pool.subnet, network=network.key)
            elif pool.subnet:
                _gateway(source, pool, pool.subnet, found)
                _overlap(source, network, pool.subnet, path, seen, found)
        _room(source, plan, network, found)
    return found


def _malformed(source: Source, pool: Pool, path: Path, found: Problems) -> None:
    head, slash, length = pool.text.partition("/")
    why, mend = "it has no length", f"write {head}/24, say"
    if slash:
        try:
            right = ipaddress.ip_network(pool.text, strict=False)
            why, mend = f"{head} is a host in it", f"write {right}"
        except ValueError:
            known = address_of(head)
            why = f"its length is {length or 'missing'}" if known else f"{shorten(head)} is no address"
            mend = f"write {known or '10.1.0.0'}/{64 if known and known.version == 6 else 24}, say"
    elif address_of(head) is None:
        why, mend = "an address and a length are needed", "write 10.1.0.0/24, say"
    found.add("bad-subnet", path, source.place(path), text=shorten(pool.text), why=why, mend=mend)


def _gateway(source: Source, pool: Pool, subnet: Subnet, found: Problems) -> None:
    path = (*pool.path, "gateway")
    if not pool.gateway:
        return
    gateway = address_of(pool.gateway)
    if gateway is None or gateway.version != subnet.version:
        example = f"{usable(subnet)[0]}, say"
        values = {"text": shorten(pool.gateway), "family": f"IPv{subnet.version}", "example": example}
        found.add("bad-address", path, source.place(path), **values)
    elif gateway not in subnet:
        first, last = usable(subnet)
        found.add("bad-gateway", path, source.place(path), gateway=gateway, subnet=subnet, first=first, last=last)


class _Seen:
    """The subnets of bridged networks so far. Two of them overlap where one holds the other, so neither search takes
    time for each of them."""

    def __init__(self) -> None:
        self._at: dict[Subnet, tuple[Network, int]] = {}
        self._starts: list[tuple[int, int, int]] = []  # version, first address, length of the prefix

    def add(self, subnet: Subnet, network: Network, line: int) -> None:
        if subnet not in self._at:
            self._at[subnet] = network, line
            insort(self._starts, (subnet.version, int(subnet.network_address), subnet.prefixlen))

    def overlapping(self, subnet: Subnet) -> tuple[Subnet, Network, int] | None:
        first, last = int(subnet.network_address), int(subnet.broadcast_address)
        for length in range(subnet.prefixlen, -1, -1):
            holder = _of(subnet.version, first, length)
            if holder in self._at:
                return holder, *self._at[holder]
        at = bisect_left(self._starts, (subnet.version, first, 0))
        if at < len(self._starts):
            version, start, length = self._starts[at]
            if version == subnet.version and start <= last:
                inside = _of(version, start, length)
                return inside, *self._at[inside]
        return None


def _of(version: int, address: int, length: int) -> Subnet:
    """The subnet of that length in which an address is."""
    make = ipaddress.IPv4Network if version == 4 else ipaddress.IPv6Network
    host = (32 if version == 4 else 128) - length
    return make((address >> host << host, length))


def _overlap(source: Source, network: Network, subnet: Subnet, path: Path, seen: _Seen, found: Problems) -> None:
    """A macvlan or ipvlan network may stand on another's subnet: on another interface."""
    if not network.bridged:
        return
    place = source.place(path)
    other = seen.overlapping(subnet)
    if other:
        theirs, owner, line = other
        values = {"subnet": subnet, "other": theirs, "line": line, "example": _after(subnet, theirs)}
        found.add("subnets-overlap", path, place, network=owner.key, **values)
    seen.add(subnet, network, place.line)


def _after(subnet: Subnet, other: Subnet) -> Subnet:
    """A subnet of the same size behind both."""
    start = max(int(subnet.broadcast_address), int(other.broadcast_address)) + 1
    size = subnet.num_addresses
    start += -start % size
    if start + size > 1 << subnet.max_prefixlen:
        start = 10 << 24 if subnet.version == 4 else 0xFD00 << 112
        start += -start % size
    make = ipaddress.IPv4Network if subnet.version == 4 else ipaddress.IPv6Network
    return make((start, subnet.prefixlen))


def _room(source: Source, plan: Plan, network: Network, found: Problems) -> None:
    """Nodes of profiles are left out: not all of them need to be up together."""
    nodes = sum(
        service.replicas
        for service in plan.services.values()
        if not service.profiles and any(one.network == network.key for one in service.networks or ())
    )
    for version in (4,) if network.ipv6 is False else (4, 6):
        pools = [pool for pool in network.pools if pool.subnet and pool.subnet.version == version]
        room = sum(_hosts(pool, network) for pool in pools)
        if not pools or not network.known or nodes <= room:
            continue
        path = (*pools[0].path, "subnet")
        shown = ", ".join(str(pool.subnet) for pool in pools)
        beside = (2 if version == 4 else 1) + 1
        bits = (nodes + beside - 1).bit_length()
        prefix = (32 if version == 4 else 128) - max(bits, 2)
        values = {"subnet": shown, "room": room, "nodes": nodes, "prefix": prefix}
        found.add("subnet-too-small", path, source.place(path), **values)


def _hosts(pool: Pool, network: Network) -> int:
    subnet = pool.subnet
    if subnet is None:
        return 0
    size = int(subnet.num_addresses)
    size -= 1 if subnet.version == 6 else 2 if size > 2 else 0
    if gateway_of(pool, network) is not None:
        size -= 1
    return max(size, 0)
