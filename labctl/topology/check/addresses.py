"""Fixed addresses: in their network's subnet, free, and one node's."""

from __future__ import annotations

from labctl.topology.check.plan import Address, Network, Plan, Pool, Service, Subnet, address_of
from labctl.topology.check.problems import Path, Place, Problems
from labctl.topology.check.reading.source import Source, shorten

_EXAMPLES = {4: "10.1.0.0/24", 6: "fd00:1::/64"}


def check_addresses(source: Source, plan: Plan) -> Problems:
    """Each node's fixed addresses, one after the other."""
    found = Problems()
    taken: dict[tuple[str, Address], list[tuple[Service, Place]]] = {}
    for service in plan.services.values():
        for attachment in service.networks or ():
            for version, written in ((4, attachment.ipv4), (6, attachment.ipv6)):
                if not written:
                    continue
                path: Path = ("services", service.name, "networks", attachment.network, f"ipv{version}_address")
                place = source.place(path)
                address = address_of(written)
                if address is None or address.version != version:
                    _malformed(written, version, path, place, found)
                    continue
                network = plan.networks.get(attachment.network)
                if network and not network.external:
                    _in_network(address, network, path, place, found)
                if service.replicas > 1:
                    found.add("address-scaled", path, place, address=address, replicas=service.replicas)
                others = taken.setdefault((attachment.network, address), [])
                other = next((found for found in others if found[0].beside(service)), None)
                if other:
                    values = {"address": address, "other": other[0].name, "line": other[1].line}
                    found.add("address-twice", path, place, network=attachment.network, **values)
                others.append((service, place))
    return found


def _malformed(written: str, version: int, path: Path, place: Place, found: Problems) -> None:
    example = "10.1.0.5, say" if version == 4 else "fd00:1::5, say"
    found.add("bad-address", path, place, text=shorten(written), family=f"IPv{version}", example=example)


def _in_network(address: Address, network: Network, path: Path, place: Place, found: Problems) -> None:
    subnets = [pool.subnet for pool in network.pools if pool.subnet and pool.subnet.version == address.version]
    if not network.known or any(pool.text and not pool.subnet for pool in network.pools):
        return  # the subnet can't be known, or is wrong itself
    if address.version == 6 and network.ipv6 is False:
        found.add("ipv6-off", path, place, text=address, network=network.key)
        return
    if not subnets:
        values = {"family": f"IPv{address.version}", "example": _EXAMPLES[address.version]}
        found.add("address-without-subnet", path, place, address=address, network=network.key, **values)
        return
    pool = next((pool for pool in network.pools if pool.subnet and address in pool.subnet), None)
    if not pool or not pool.subnet:
        first, last = usable(subnets[0])
        shown = ", ".join(map(str, subnets))
        values = {"subnets": shown, "first": str(first), "last": str(last)}
        found.add("address-outside", path, place, address=address, network=network.key, **values)
        return
    what = _reserved(address, pool, network)
    if what:
        found.add("address-reserved", path, place, address=address, what=what, network=network.key, subnet=pool.subnet)


def usable(subnet: Subnet) -> tuple[Address, Address]:
    """The first and the last address that a node can have, where the gateway takes the first."""
    if subnet.num_addresses <= 2:
        return subnet[-1], subnet[-1]
    return subnet[2], subnet[-2] if subnet.version == 4 else subnet[-1]


def gateway_of(pool: Pool, network: Network) -> Address | None:
    """The gateway that is chosen, or that the engine takes by itself: the first address for hosts. In a /31 or /32 that
    is the very first one."""
    if pool.gateway:
        return address_of(pool.gateway)
    if not network.bridged or not pool.subnet:
        return None
    size = pool.subnet.num_addresses
    return pool.subnet[1] if size > 2 or (size == 2 and pool.subnet.version == 6) else pool.subnet[0]


def _reserved(address: Address, pool: Pool, network: Network) -> str:
    subnet = pool.subnet
    if subnet is None:
        return ""
    if subnet.num_addresses > 2 or subnet.version == 6:
        if address == subnet[0]:
            return "the subnet's own address"
        if address == subnet[-1] and subnet.version == 4:
            return "the broadcast address"
    return "the gateway's address" if address == gateway_of(pool, network) else ""
