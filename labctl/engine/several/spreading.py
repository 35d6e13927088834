"""Which machine gets which containers of a project. No I/O.

Services that share what can't be shared between machines (a network namespace, a volume, a network that carries
broadcasts) go together; each container of a scaled service may go elsewhere. What is there already stays where it is,
unless it was asked for otherwise.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from labctl.engine.making.references import link
from labctl.errors import LabError, nearest
from labctl.topology.model import owner_of, replicas

SPREAD = "spread"  # as many on each machine
PACK = "pack"  # as few machines as will do
MOST_ON_NETWORK = 1000  # a Linux bridge has 1,024 ports
MOST_PACKED = 250  # containers on a machine before the next one is begun
ALONE = ("host", "bridge", "none")
_LOCAL_DRIVERS = ("macvlan", "ipvlan", "host", "none")
_NUMBERED = re.compile(r"(.+)-(\d+)")

One = tuple[str, int]  # a service, and the number of one of its containers


@dataclass(frozen=True)
class Wish:
    """Where a lab's nodes are to go: the `machines` that may have some, in order; `places` says it for single nodes
    (`alice`, `web-2`); `policy` decides about the others."""

    machines: tuple[str, ...]
    places: Mapping[str, str] = field(default_factory=dict)
    policy: str = SPREAD


def spread(config: Mapping[str, Any], wish: Wish, there: Mapping[One, str]) -> dict[str, dict[str, list[int]]]:
    """The numbers of each service's containers on each machine. `there` is where some are already.

    Raises LabError `bad-place`, `bridge-full`.
    """
    groups = together(config)
    wanted = {group: _containers(config, group, there) for group in groups}
    places = _places(config, wish, groups, wanted)
    load: Counter[str] = Counter()
    ends: Counter[tuple[str, str]] = Counter()  # containers on a network of a machine
    out: dict[str, dict[str, list[int]]] = {name: {} for name in wish.machines}

    def put(members: Sequence[One], machine: str) -> None:
        load[machine] += len(members)
        for service, number in members:
            out[machine].setdefault(service, []).append(number)
            ends.update((machine, key) for key in config["services"][service].get("networks") or {"default": None})

    left: list[list[One]] = []
    for group in groups:
        for members in _units(config, group, wanted[group]):
            machine = _asked(places, members) or _present(there, members, wish.machines)
            put(members, machine) if machine else left.append(members)
    for members in left:
        put(members, _best(wish, load, ends, config, members))
    _refuse_full(ends)
    return {machine: {name: sorted(numbers) for name, numbers in found.items()} for machine, found in out.items()}


def together(config: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The services in groups, each of which has to be on one machine."""
    services: Mapping[str, Mapping[str, Any]] = config["services"]
    parent = {name: name for name in services}

    def root(name: str) -> str:
        while parent[name] != name:
            name = parent[name]
        return name

    shared: dict[str, str] = {}
    for name, service in services.items():
        for other in _needs_beside(service):
            if other in services:
                parent[root(name)] = root(other)
        for thing in _shares(service, config):
            first = shared.setdefault(thing, name)
            parent[root(name)] = root(first)
    groups: dict[str, list[str]] = {}
    for name in services:
        groups.setdefault(root(name), []).append(name)
    return [tuple(group) for group in groups.values()]


def is_local(network: Mapping[str, Any]) -> bool:
    """Whether a network is one machine's: by what it is, or as what its nodes send to all must reach them."""
    own = network.get("x-labctl") or {}
    return bool(own.get("one_machine")) or network.get("driver") in _LOCAL_DRIVERS


def _needs_beside(service: Mapping[str, Any]) -> Iterator[str]:
    for key in ("network_mode", "ipc", "pid"):
        owner = owner_of(service.get(key))
        if owner:
            yield owner
    yield from (link(text)[0] for text in service.get("links") or ())
    yield from (str(text).split(":")[0] for text in service.get("volumes_from") or ())


def _shares(service: Mapping[str, Any], config: Mapping[str, Any]) -> Iterator[str]:
    for mount in service.get("volumes") or ():
        if mount.get("type") == "volume" and mount.get("source"):
            yield f"volume {mount['source']}"
    for key in service.get("networks") or {"default": None}:
        if not service.get("network_mode") and is_local((config.get("networks") or {}).get(key) or {}):
            yield f"network {key}"


def _containers(config: Mapping[str, Any], group: Iterable[str], there: Mapping[One, str]) -> list[One]:
    """Of each service as Compose has it: the lowest numbers stay, and new ones are above all that there are."""
    found: list[One] = []
    for name in group:
        count = replicas(config["services"][name])
        numbers = sorted(number for service, number in there if service == name)
        above = max(numbers, default=0) + 1
        kept = numbers[:count]
        found += [(name, number) for number in (*kept, *range(above, above + count - len(kept)))]
    return found


def _units(config: Mapping[str, Any], group: Sequence[str], members: list[One]) -> list[list[One]]:
    """What can't be apart: all of a group, but each container of a service that shares nothing."""
    service = config["services"][group[0]]
    if len(group) == 1 and not any(_needs_beside(service)) and not any(_shares(service, config)):
        return [[one] for one in members]
    return [members] if members else []


def _places(
    config: Mapping[str, Any],
    wish: Wish,
    groups: Sequence[tuple[str, ...]],
    wanted: Mapping[tuple[str, ...], list[One]],
) -> dict[One, str]:
    """The places that were asked for. Raises LabError `bad-place`."""
    of_service: dict[str, list[One]] = {}
    for members in wanted.values():
        for one in members:
            of_service.setdefault(one[0], []).append(one)
    found: dict[One, str] = {}
    for text, machine in wish.places.items():
        if machine not in wish.machines:
            why = f"it is none of {', '.join(wish.machines)}{nearest(machine, wish.machines)}"
            raise LabError("bad-place", node=text, machine=machine, why=why)
        numbered = _NUMBERED.fullmatch(text)
        if text in of_service:
            found |= dict.fromkeys(of_service[text], machine)
        elif numbered and (numbered[1], int(numbered[2])) in of_service.get(numbered[1], ()):
            found[(numbered[1], int(numbered[2]))] = machine
        else:
            near = nearest(text, config["services"])
            raise LabError("bad-place", node=text, machine=machine, why=f"the topology has no node {text}{near}")
    for group in groups:
        for members in _units(config, group, wanted[group]):
            asked = {found[one]: one[0] for one in members if one in found}
            if len(asked) > 1:
                (machine, mate), (other, node) = list(asked.items())[:2]
                why = f"it has to be on the machine of {mate} ({machine}), with which it shares a network or a volume"
                raise LabError("bad-place", node=node, machine=other, why=why)
    return found


def _asked(places: Mapping[One, str], members: Sequence[One]) -> str | None:
    return next((places[one] for one in members if one in places), None)


def _present(there: Mapping[One, str], members: Sequence[One], machines: Sequence[str]) -> str | None:
    return next((there[one] for one in members if there.get(one) in machines), None)


def _best(
    wish: Wish,
    load: Mapping[str, int],
    ends: Mapping[tuple[str, str], int],
    config: Mapping[str, Any],
    members: Sequence[One],
) -> str:
    needs = Counter(
        key for service, _ in members for key in config["services"][service].get("networks") or ("default",)
    )

    def has_room(machine: str) -> bool:
        return all(ends.get((machine, key), 0) + count <= MOST_ON_NETWORK for key, count in needs.items())

    fit = [machine for machine in wish.machines if has_room(machine)] or list(wish.machines)
    if wish.policy == PACK:
        begun = [machine for machine in fit if load.get(machine, 0) + len(members) <= MOST_PACKED]
        return begun[0] if begun else min(fit, key=lambda machine: load.get(machine, 0))
    return min(fit, key=lambda machine: load.get(machine, 0))


def _refuse_full(ends: Mapping[tuple[str, str], int]) -> None:
    for (machine, key), count in ends.items():
        if count > MOST_ON_NETWORK:
            raise LabError("bridge-full", network=key, machine=machine, count=count, most=MOST_ON_NETWORK)
