"""A lab without nodes: one network, for programs alone."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable

from labctl.engine.model import (
    COMPOSE_NETWORK,
    COMPOSE_PROJECT,
    LABEL_LAB,
    LABEL_OWNER,
    LABEL_TITLE,
    LABEL_TOPOLOGY,
    Engine,
    Network,
)
from labctl.engine.projects import is_subnet_taken
from labctl.errors import LabError
from labctl.lab import owners
from labctl.lab.life.down import look
from labctl.lab.locks import LabLock
from labctl.lab.model import check_name, find_all
from labctl.lab.placing.placement import host_routes
from labctl.topology.subnets import candidates

NAME = "lab"
ORIGIN = "empty"  # what stands for its topology
TITLE = "Programs"
KEY = "lab"  # of its network, as a Compose file would have it
WISHED = ipaddress.ip_network("10.77.0.0/24")
ATTEMPTS = 16  # at a subnet that somebody else takes in the same moment
LOCK_LIMIT = 60.0  # seconds that another labctl may take with the lab


def start(engine: Engine, name: str | None, report: Callable[[str], None], *, isolated: bool = False) -> str:
    """Makes an empty lab, of that name or its own, or finds the one that is there; its name. `isolated`: nothing leads
    out of its network.

    Raises LabError `bad-lab-name`, `lab-of-another`, `no-empty-lab`.
    """
    if name:
        check_name(name)
    wished = name or NAME
    there = _there(engine, wished)
    if there and not name and not _is_mine(engine, there):
        wished = owners.own_name(wished)
        there = _there(engine, wished)
    lock = LabLock(wished)
    lock.acquire(LOCK_LIMIT, report, engine.cancels)
    try:
        there = there or _there(engine, wished)
        if there is None:
            lock.begin([f"{wished}_{KEY}"])
            there = _make(engine, wished, isolated=isolated)
            lock.finish()
    finally:
        lock.close()
    if not _is_mine(engine, there):
        mend = "give yours another name (--lab NAME)"
        owners.refuse_anothers(engine, wished, owners.standing([there.labels]), mend)
    return wished


def is_needed(engine: Engine, name: str | None) -> bool:
    """Whether there is no lab that could be meant: none of that name, or, without one, none of the caller's."""
    if name:
        return not engine.containers([f"{COMPOSE_PROJECT}={name}"])
    return not any(owners.is_mine(engine, lab.standing.owner) for lab in find_all(engine))


def is_left_alone(engine: Engine, name: str) -> bool:
    """Whether nothing is left of an empty lab but its network."""
    found = look(engine, name)
    return not found.containers and bool(found.networks) and all(is_empty(one) for one in found.networks)


def is_empty(network: Network) -> bool:
    """Whether it is an empty lab's."""
    return network.labels.get(LABEL_TOPOLOGY) == ORIGIN


def _there(engine: Engine, lab: str) -> Network | None:
    return next((one for one in engine.networks([f"{LABEL_LAB}={lab}"]) if is_empty(one)), None)


def _is_mine(engine: Engine, network: Network) -> bool:
    return owners.is_mine(engine, owners.read(network.labels))


def _make(engine: Engine, lab: str, *, isolated: bool) -> Network:
    labels = {LABEL_LAB: lab, LABEL_TITLE: TITLE, LABEL_TOPOLOGY: ORIGIN, LABEL_OWNER: str(owners.me())}
    labels |= {COMPOSE_PROJECT: lab, COMPOSE_NETWORK: KEY}
    routes = [route.subnet for route in host_routes()] if engine.is_local else []
    for attempt in range(ATTEMPTS):
        taken = [ipaddress.ip_network(text) for network in engine.networks() for text in network.subnets]
        skip = int.from_bytes(os.urandom(1), "big") % (1 << min(attempt, 6))
        subnet = next(candidates(WISHED, [*taken, *routes], skip=skip), None)
        if subnet is None:
            raise LabError("no-empty-lab", why="no subnet of private addresses is free (`docker network ls`)")
        try:
            return engine.create_network(f"{lab}_{KEY}", labels, str(subnet), internal=isolated)
        except LabError as problem:
            if not is_subnet_taken(problem):
                raise
    raise LabError("no-empty-lab", why="others took each free subnet at the same moment")
