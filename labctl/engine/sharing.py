"""Containers that have another container's network: its addresses are theirs."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from labctl.engine.model import LABEL_PROBE, Container


def with_networks(found: Iterable[Container], every: Callable[[], Iterable[Container]]) -> list[Container]:
    """The containers, each with the addresses that its network gives it.

    `network_of` may be an id, a part of one, or a name, and is an id afterwards: that of the container which has the
    network itself. `every` gives all containers there are; it is asked only where an owner isn't among the `found`.
    Helpers of labctl's, which all share some node's, are left as they are.
    """
    out = list(found)
    shared = {item.id for item in out if item.network_of and LABEL_PROBE not in item.labels}
    if not shared:
        return out
    known = {item.id: item for item in out}
    if any(item.id in shared and _named(item.network_of, known.values()) is None for item in out):
        known |= {item.id: item for item in every() if item.id not in known}
    return [_sharing(item, list(known.values())) if item.id in shared else item for item in out]


def _sharing(item: Container, known: list[Container]) -> Container:
    owner, seen = item, {item.id}
    while owner.network_of:
        further = _named(owner.network_of, known)
        if further is None or further.id in seen:
            return item  # it is gone, and its network with it
        owner = further
        seen.add(owner.id)
    return item._replace(
        network_of=owner.id,
        addresses=owner.addresses,
        gateways=owner.gateways,
        host_network=owner.host_network,
    )


def _named(text: str, known: Iterable[Container]) -> Container | None:
    return next((item for item in known if text == item.name or (len(text) >= 12 and item.id.startswith(text))), None)
