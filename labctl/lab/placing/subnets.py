"""Subnets that a person chose (`--subnet`): for which networks they are, and whether they would do. No engine."""

from __future__ import annotations

import contextlib
import ipaddress
from collections.abc import Mapping, Sequence

from labctl.errors import LabError
from labctl.topology.model import Net, Subnet, Topology, extra_hosts, replicas

Chosen = Mapping[tuple[str, Subnet], Subnet]  # by the network's key and the subnet that the file names


def choose(topology: Topology, texts: Sequence[str]) -> dict[tuple[str, Subnet], Subnet]:
    """`NETWORK=CIDR` is for that network; a bare CIDR for the first movable one, by name, that has none of its family.

    Raises LabError `bad-subnet`.
    """
    out: dict[tuple[str, Subnet], Subnet] = {}
    # Those with a name first: a bare one takes what they leave.
    for text in sorted(texts, key=lambda text: "=" not in text):
        key, _, written = text.rpartition("=")
        subnet = _read(text, written)
        place = _place(topology, text, key, subnet, out)
        _refuse_overlap(topology, text, place, subnet, out)
        _refuse_small(topology, text, place, subnet)
        out[place] = subnet
    return out


def _read(text: str, written: str) -> Subnet:
    try:
        subnet = ipaddress.ip_network(written)
    except ValueError:
        try:
            meant = f"; {ipaddress.ip_interface(written).network} is meant, perhaps" if "/" in written else ""
        except ValueError:
            meant = ""
        raise _bad(text, f"{written!r} is no subnet{meant}") from None
    if "/" not in written:
        raise _bad(text, f"{written} is an address, and no subnet")
    if subnet.is_loopback or subnet.is_multicast or subnet.is_link_local or subnet.is_unspecified:
        raise _bad(text, f"no node can have an address in {subnet}, which is reserved for other things")
    return subnet


def _place(topology: Topology, text: str, key: str, subnet: Subnet, taken: Chosen) -> tuple[str, Subnet]:
    movable = [net for net in topology.networks if net.movable]
    if key and key not in {net.key for net in movable}:
        fixed = any(net.key == key for net in topology.networks)
        why = (
            f"the network {key} is not marked `x-labctl: {{movable: true}}`" if fixed else f"there is no network {key}"
        )
        raise _bad(text, f"{why} (movable: {', '.join(net.key for net in movable) or 'none'})")
    wished = [(net.key, old) for net in movable if key in ("", net.key) for old in net.subnets]
    free = [place for place in wished if place[1].version == subnet.version and place not in taken]
    if not free:
        left = " left" if taken else ""
        of = f"the network {key}" if key else f"{topology.name}"
        raise _bad(text, f"{of} has no movable IPv{subnet.version} subnet{left}")
    return free[0]


def _refuse_overlap(topology: Topology, text: str, place: tuple[str, Subnet], subnet: Subnet, taken: Chosen) -> None:
    others = [(key, chosen) for (key, _), chosen in taken.items()]
    others += [(net.key, old) for net in topology.networks if not net.movable for old in net.subnets]
    for key, other in others:
        if other.version == subnet.version and other.overlaps(subnet):
            raise _bad(text, f"it overlaps with {other} of the network {key}")


def _refuse_small(topology: Topology, text: str, place: tuple[str, Subnet], subnet: Subnet) -> None:
    """All nodes must find room, and each fixed address its place in it."""
    key, old = place
    net = next(net for net in topology.networks if net.key == key)
    places = [*_fixed(topology, net, old), *_kept(topology, net, old)]
    offsets = [_offset(old, address) for _, address in places]
    alone = [one for one in topology.members if one.owner is None]  # the others have no addresses of their own
    nodes = sum(replicas(topology.config["services"][one.name]) for one in alone if key in one.networks)
    # Before the nodes the network's own address and the gateway, after them the broadcast address of IPv4.
    beside = 3 if subnet.version == 4 else 2
    needed = max([nodes + beside, *(offset + beside - 1 for offset in offsets)])
    if subnet.num_addresses < needed:
        prefix = subnet.max_prefixlen - (needed - 1).bit_length()
        last = max(places, key=lambda one: _offset(old, one[1]), default=None)
        why = f"{nodes} nodes are on the network {key}"
        if last and _offset(old, last[1]) + beside - 1 > nodes + beside:
            why = f"{last[0]} has address {_offset(old, last[1])} of the network {key}"
        raise _bad(text, f"{subnet} is too small: {why}, which takes a /{prefix} at least")


def _fixed(topology: Topology, net: Net, old: Subnet) -> list[tuple[str, str]]:
    """(node, address) in one subnet of a network."""
    return [
        (member.name, address)
        for member in topology.members
        if member.owner is None
        for key, address in member.addresses
        if key == net.key and ipaddress.ip_address(address) in old
    ]


def _kept(topology: Topology, net: Net, old: Subnet) -> list[tuple[str, str]]:
    """(what it is, address) of all else in one subnet of a network that has its place there."""
    found: list[tuple[str, object]] = []
    for pool in (topology.config["networks"][net.key].get("ipam") or {}).get("config") or []:
        found.append(("the gateway", pool.get("gateway")))
        found += [(f"aux_addresses.{name}", address) for name, address in (pool.get("aux_addresses") or {}).items()]
        with contextlib.suppress(ValueError):
            block = ipaddress.ip_network(pool.get("ip_range") or "")
            found.append(("ip_range", block[-2] if block.num_addresses > 1 else block[0]))  # its last may be the last
    for name, service in topology.config["services"].items():
        found += [
            (f"a host that {name} knows", address) for _, address in extra_hosts(service.get("extra_hosts") or [])
        ]
    out = []
    for what, text in found:
        with contextlib.suppress(ValueError):
            address = ipaddress.ip_address(str(text))
            if address.version == old.version and address in old:
                out.append((what, str(address)))
    return out


def _offset(subnet: Subnet, address: str) -> int:
    return int(ipaddress.ip_address(address)) - int(subnet.network_address)


def _bad(text: str, why: str) -> LabError:
    return LabError("bad-subnet", text=text, why=why)
