"""Swarms of engines in memory: those that share a `Fabric` can be in one."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labctl.engine.model import Image
from labctl.engine.swarm import SWARM_PORT, Member, Reading
from labctl.errors import LabError


@dataclass
class _Swarm:
    ident: str
    token: str
    members: dict[str, MemorySwarm] = field(default_factory=dict)  # by node id
    left: dict[str, Member] = field(default_factory=dict)


class Fabric:
    """What machines in memory reach each other by. `cut` are the names of those that nobody reaches."""

    def __init__(self) -> None:
        self.numbers = itertools.count(1)
        self.swarms: dict[str, _Swarm] = {}  # by token
        self.cut: set[str] = set()


class MemorySwarm:
    """See MachineEngine. `hostname` and `address` are the machine's; its clock is `ahead` of this process's, in
    nanoseconds, and takes `delay` to answer."""

    hostname = "memory"
    address = "192.0.2.1"
    fabric: Fabric | None = None
    ahead = 0
    delay = 0
    images: dict[str, Image]
    _swarm: _Swarm | None = None
    _node = ""

    def swarm_members(self) -> list[Member]:
        swarm = self._managed("list the machines of its swarm")
        there = [
            Member(node, one.hostname, one.is_manager, one.is_manager, "ready", one.address)
            for node, one in swarm.members.items()
        ]
        return [*there, *swarm.left.values()]

    @property
    def is_manager(self) -> bool:
        return self._swarm is not None and next(iter(self._swarm.members)) == self._node

    def begin_swarm(self, address: str) -> None:
        if self._swarm:
            raise _refused("make a swarm", "This node is already part of a swarm")
        self.address = address or self.address
        number = next(self._fabric().numbers)
        self._swarm = self._fabric().swarms[f"token-{number}"] = _Swarm(f"cluster-{number}", f"token-{number}")
        self._enter()

    def worker_token(self) -> str:
        return self._managed("tell how to join its swarm").token

    def join_swarm(self, managers: Sequence[str], token: str, address: str) -> None:
        found = self._fabric().swarms.get(token)
        if found is None or self.hostname in self._fabric().cut:
            raise _refused("join a swarm", "Timeout was reached before node joined")
        if self._swarm:
            raise _refused("join a swarm", "This node is already part of a swarm")
        self.address = address or self.address
        self._swarm = found
        self._enter()

    def leave_swarm(self, *, force: bool = False) -> None:
        if self.is_manager and not force:
            raise _refused("leave its swarm", "You are attempting to leave the swarm on a node that is a manager")
        if self._swarm:
            self._swarm.left[self._node] = Member(self._node, self.hostname, False, False, "down", self.address)
            del self._swarm.members[self._node]
        self._swarm, self._node = None, ""

    def forget_member(self, node: str) -> None:
        self._managed("take a machine off its swarm's list").left.pop(node, None)

    def create_overlay(self, name: str, labels: Mapping[str, str]) -> str:
        self._managed("make a network")
        raise _refused("make a network", "an engine in memory has no overlays")

    def save_images(self, names: Sequence[str], archive: Path, limit: float) -> None:
        archive.write_text(json.dumps({name: (self.images[name].id, dict(self.images[name].labels)) for name in names}))

    def load_images(self, archive: Path, limit: float) -> str | None:
        found = json.loads(archive.read_text())
        self.images |= {name: Image(ident, labels, names=(name,)) for name, (ident, labels) in found.items()}
        return None

    def readings(self, count: int, limit: float) -> list[Reading]:
        found = []
        for number in range(count):
            now = time.time_ns()
            late = self.delay * (number + 1)  # the first is the quickest
            found.append(Reading(now, now + late // 2 + self.ahead, now + late))
        return found

    def _swarm_info(self) -> dict[str, Any]:
        """As Docker's /info has it."""
        if self._swarm is None:
            return {"LocalNodeState": "inactive"}
        managers = [{"NodeID": n, "Addr": f"{one.address}:{SWARM_PORT}"} for n, one in self._swarm.members.items()][:1]
        return {
            "LocalNodeState": "active",
            "NodeID": self._node,
            "NodeAddr": self.address,
            "ControlAvailable": self.is_manager,
            "RemoteManagers": managers,
            **({"Cluster": {"ID": self._swarm.ident}} if self.is_manager else {}),
        }

    def _fabric(self) -> Fabric:
        self.fabric = self.fabric or Fabric()
        return self.fabric

    def _enter(self) -> None:
        assert self._swarm
        self._node = f"node-{next(self._fabric().numbers)}"
        self._swarm.members[self._node] = self

    def _managed(self, action: str) -> _Swarm:
        if not (self._swarm and self.is_manager):
            raise _refused(action, "This node is not a swarm manager")
        return self._swarm


def _refused(action: str, why: str) -> LabError:
    return LabError("engine-refused", action=action, why=why)
