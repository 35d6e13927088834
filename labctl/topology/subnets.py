"""Free subnets: candidates near the wished one that overlap with nothing that is known. No I/O."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterable, Iterator

from labctl.topology.model import Subnet

TRIES = 4096


def candidates(wished: Subnet, taken: Iterable[Subnet], *, skip: int = 0) -> Iterator[Subnet]:
    """Subnets of the wished one's size, itself first, then those after it in its private range, that are free.

    `skip` leaves out the first so many free ones: several labs that start at once then don't all try the same.
    """
    busy = [subnet for subnet in taken if subnet.version == wished.version]
    free = (subnet for subnet in itertools.islice(_after(wished), TRIES) if not any(_overlap(subnet, b) for b in busy))
    return itertools.islice(free, skip, None)


def _overlap(one: Subnet, other: Subnet) -> bool:
    if isinstance(one, ipaddress.IPv4Network) and isinstance(other, ipaddress.IPv4Network):
        return one.overlaps(other)
    if isinstance(one, ipaddress.IPv6Network) and isinstance(other, ipaddress.IPv6Network):
        return one.overlaps(other)
    return False


def _after(first: Subnet) -> Iterator[Subnet]:
    """The subnets of one size from `first` to the end of its private range, then from the range's beginning."""
    make = ipaddress.IPv4Network if first.version == 4 else ipaddress.IPv6Network
    ranges = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16") if first.version == 4 else ("fd00::/8",)
    step = first.num_addresses
    start = int(first.network_address)
    for text in ranges:
        whole = make(text)
        low, high = int(whole.network_address), int(whole.broadcast_address)
        if low <= start <= high:
            for number in itertools.chain(range(start, high, step), range(low, start, step)):
                yield make((number, first.prefixlen))
            return
    yield first  # not a private range: there is no telling where else it may go
