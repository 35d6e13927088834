"""Docker's Swarm, as far as labctl uses it: which machines belong together, and who of them makes networks for all.

Nothing is ever run as a service of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from labctl.engine.model import Engine
from labctl.named import NamedTuple

SWARM_PORT = 2377  # of managers


class Membership(NamedTuple):
    """What an engine says of itself. `state` is Docker's: inactive, pending, active, error, locked. `node` is its id in
    the swarm; `cluster` the swarm's, which only managers know; `managers` are their ids with their addresses
    (ADDRESS:PORT), as far as it knows them; `address` is the one at which the others reach it."""

    state: str = "inactive"
    node: str = ""
    address: str = ""
    is_manager: bool = False
    cluster: str = ""
    managers: Mapping[str, str] | None = None
    error: str = ""

    @property
    def is_in(self) -> bool:
        """Whether it belongs to a swarm, also to one that it can't reach at present."""
        return self.state != "inactive"


class Member(NamedTuple):
    """What a manager says of a machine of its swarm. `state` is Docker's: ready, down, unknown, disconnected."""

    node: str
    hostname: str
    is_manager: bool
    is_leader: bool
    state: str
    address: str = ""


class Reading(NamedTuple):
    """What an engine's clock said between two readings of this machine's own; all in nanoseconds since the epoch."""

    asked: int
    said: int
    answered: int


def membership(info: Mapping[str, Any]) -> Membership:
    """Out of what `Engine.info` gives."""
    found = info.get("Swarm") or {}
    managers = {one["NodeID"]: one["Addr"] for one in found.get("RemoteManagers") or ()}
    return Membership(
        found.get("LocalNodeState") or "inactive",
        found.get("NodeID") or "",
        found.get("NodeAddr") or "",
        bool(found.get("ControlAvailable")),
        (found.get("Cluster") or {}).get("ID") or "",
        managers,
        found.get("Error") or "",
    )


class MachineEngine(Engine, Protocol):
    """The engine of one machine, which may be in a swarm with others. All raise LabError."""

    def swarm_members(self) -> list[Member]:
        """All machines of the swarm; only a manager tells them."""

    def begin_swarm(self, address: str) -> None:
        """Makes a swarm of this machine alone. `address` is the one at which others reach it, "" for the engine's own
        choice."""

    def worker_token(self) -> str:
        """What another machine joins this manager's swarm by. It is a secret."""

    def join_swarm(self, managers: Sequence[str], token: str, address: str) -> None:
        """Joins the swarm of some managers (ADDRESS:PORT); `address` as for `begin_swarm`."""

    def leave_swarm(self, *, force: bool = False) -> None:
        """`force`: also as a manager, whose swarm ends with its last one."""

    def forget_member(self, node: str) -> None:
        """Takes a machine that has left off the swarm's list; only a manager can."""

    def create_overlay(self, name: str, labels: Mapping[str, str]) -> str:
        """Makes a network over all machines of the swarm, which containers can join and nothing leads out of; its id.
        Only a manager can."""

    def save_images(self, names: Sequence[str], archive: Path, limit: float) -> None:
        """Writes images to a file; `limit` in seconds."""

    def load_images(self, archive: Path, limit: float) -> str | None:
        """Takes in what `save_images` wrote; None when it is there, else why not."""

    def readings(self, count: int, limit: float) -> list[Reading]:
        """The engine's clock, some times, on one connection; `limit` in seconds for all."""
