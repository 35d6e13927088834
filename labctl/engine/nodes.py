"""What an engine makes outside a topology: a single node, for somebody's own program, and a network to put it on.

Such a node is made as Compose makes those of labctl's topologies; Compose itself knows it by its labels as a one-off
container (`docker compose run`), which it leaves alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from labctl.named import NamedTuple

if TYPE_CHECKING:
    from labctl.engine.model import Network, Port

USER = "10001:10001"  # as the nodes' own images have it
PROCESSES = 256
PROGRAMS_GATE = "/opt/gate"  # what begins somebody's own program in labctl's image
GRACE = 3  # seconds between SIGTERM and SIGKILL


class NodeOrder(NamedTuple):
    """A container that is to be a node: not root, without capabilities, with a read-only file system, limits, a
    keyboard, and a log that is bounded.

    `command` is empty where the image's own is to run. `folder`, if any, is a path of this machine that is seen
    read-only at `place`, the working directory: mounted, or, where the engine is on another machine, sent there.
    `scratch` is where it may write, in memory, up to `scratch_size` bytes. `addresses` are those that it has whenever
    it runs, one of a family; `ports` are published at their place. `shares` is the container whose network it has in
    the place of one of its own; then these aren't its, nor is the `hostname`. `memory` is in bytes, `processes` how
    many it may have. Of an engine that is several, `machine` is the one that is to have it; "" for any.
    """

    name: str
    hostname: str
    image: str
    command: Sequence[str]
    labels: Mapping[str, str]
    environment: Mapping[str, str]
    network: str
    addresses: Sequence[str]
    memory: int
    processes: int = PROCESSES
    folder: str | None = None
    place: str = ""
    scratch: str = "/tmp"
    scratch_size: int = 64 * 1024**2
    ports: Sequence[Port] = ()
    machine: str = ""
    shares: str = ""


class Nodes(Protocol):
    """All raise LabError `engine-refused`."""

    def create_node(self, order: NodeOrder) -> str | None:
        """Makes a node, and doesn't start it; its id, None where its name is taken."""

    def send_folder(self, container: str, folder: str, place: str) -> None:
        """Sends a node's folder once more, where it isn't mounted. Raises LabError `folder-not-sent`."""

    def create_network(self, name: str, labels: Mapping[str, str], subnet: str, *, internal: bool = False) -> Network:
        """Makes a network, or gives the one that has the name already: of several who ask at once, one makes it.
        `internal`: nothing leads out of it."""

    def join(self, network: str, container: str, aliases: Sequence[str]) -> str:
        """A container that runs joins a network, where it has these names as well; its first address there."""

    def leave(self, network: str, container: str) -> None:
        """A container that runs leaves a network that it has joined."""
