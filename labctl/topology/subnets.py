"""Free subnets: candidates near the wished one that overlap with nothing that is known. No I/O."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterable, Iterator

from labctl.topology.model import Subnet

# Private addresses (RFC 1918, RFC 4193); those between a provider and its customers (RFC 6598) where no other is free.
RANGES: dict[int, tuple[str, ...]] = {
    4: ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10"),
    6: ("fd00::/8",),
}


def candidates(wished: Subnet, taken: Iterable[Subnet], *, skip: int = 0) -> Iterator[Subnet]:
    """Subnets of the wished one's size that are free: itself first, then those after it in its private range, then
    those before it, then those of the other private ranges.

    `skip` leaves out the first so many: several labs that start at once then don't all try the same.
    """
    busy = [subnet for subnet in taken if subnet.version == wished.version]
    free = (subnet for low, high in _spans(wished) for subnet in _between(low, high, wished, busy))
    return itertools.islice(free, skip, None)


def ranges(wished: Subnet) -> list[Subnet]:
    """Where a subnet may go, its own range first; itself alone where it is in none of them."""
    every = [ipaddress.ip_network(text) for text in RANGES[wished.version]]
    own = next((whole for whole in every if contains(whole, wished)), None)
    return [own, *(whole for whole in every if whole != own)] if own else [wished]


def overlap(one: Subnet, other: Subnet) -> bool:
    if isinstance(one, ipaddress.IPv4Network) and isinstance(other, ipaddress.IPv4Network):
        return one.overlaps(other)
    if isinstance(one, ipaddress.IPv6Network) and isinstance(other, ipaddress.IPv6Network):
        return one.overlaps(other)
    return False


def contains(whole: Subnet, part: Subnet) -> bool:
    return overlap(whole, part) and whole.prefixlen <= part.prefixlen


def _spans(wished: Subnet) -> Iterator[tuple[int, int]]:
    """First address and last of where to look, in order."""
    start = int(wished.network_address)
    for number, whole in enumerate(ranges(wished)):
        low, high = int(whole.network_address), int(whole.broadcast_address)
        if number:
            yield low, high
        else:
            yield start, high
            yield low, start - 1


def _between(low: int, high: int, wished: Subnet, busy: list[Subnet]) -> Iterator[Subnet]:
    make = ipaddress.IPv4Network if wished.version == 4 else ipaddress.IPv6Network
    step, number = wished.num_addresses, low
    while number + step - 1 <= high:
        subnet = make((number, wished.prefixlen))
        blocker = next((one for one in busy if overlap(subnet, one)), None)
        if blocker is None:
            yield subnet
            number += step
        else:  # on behind it at once: a VPN's route may cover 65,536 of them
            number += max(1, -(-(int(blocker.broadcast_address) + 1 - number) // step)) * step
