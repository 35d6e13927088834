"""Who reaches whom: names, addresses and the programs behind them, of all containers of the engine in memory."""

from __future__ import annotations

import ipaddress
import itertools
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

from labctl.engine.memory.containers import MemoryContainer
from labctl.engine.model import COMPOSE_SERVICE, LABEL_ROUTES

if TYPE_CHECKING:
    from labctl.engine.memory.programs.base import NodeProgram

P = TypeVar("P", bound="NodeProgram")
FIRST_PORT, PORTS = 32768, 28232  # Linux's own range of ports that it chooses from


class Unreachable(Exception):
    """Why nobody can be reached there: an errno's name, and a sentence."""

    def __init__(self, error: str, reason: str) -> None:
        super().__init__(reason)
        self.error, self.reason = error, reason


class Net:
    """All containers of an engine, by their ids, as hosts."""

    def __init__(self, containers: Mapping[str, MemoryContainer]) -> None:
        self._containers = containers
        self._ports = itertools.count()

    def port(self) -> int:
        """A port of the kernel's choice."""
        return FIRST_PORT + next(self._ports) % PORTS

    def networks(self, container: MemoryContainer) -> Mapping[str, tuple[str, ...]]:
        """A host's addresses by network; those of another container where it shares that one's network."""
        owner = self._containers.get(container.record.network_of)
        return (owner or container).record.addresses

    def resolve(self, container: MemoryContainer, name: str) -> str:
        """The first address that a name has for a container. Raises Unreachable."""
        try:
            return str(ipaddress.ip_address(name))
        except ValueError:
            pass
        if container.plan and name in container.plan.hosts:
            return container.plan.hosts[name]
        mine = self.networks(container)
        for other in self._running():
            shared = [net for net in other.record.addresses if net in mine]
            for net in shared:
                known = (*other.aliases.get(net, ()), other.record.name, other.record.labels.get(COMPOSE_SERVICE))
                if name in known and other.record.addresses[net]:
                    return other.record.addresses[net][0]
        raise Unreachable("EAI_NONAME", f"no address is known for {name}")

    def local(self, container: MemoryContainer, peer: str) -> str:
        """The address that a container reaches another one from: on the network that both are on, else, where it has
        routes, any of the same family. Raises Unreachable."""
        mine = self.networks(container)
        version = ipaddress.ip_address(peer).version
        shared = {net for other in self._running() for net, found in other.record.addresses.items() if peer in found}
        routed = container.record.labels.get(LABEL_ROUTES)
        for net, addresses in mine.items():
            for address in addresses:
                if ipaddress.ip_address(address).version == version and (net in shared or routed):
                    return address
        raise Unreachable("ENETUNREACH", f"no way leads to {peer}")

    def at(self, address: str, kind: type[P]) -> P | None:
        """The program of that kind that runs at an address."""
        return next((found for found in self.all(kind) if any(address in a for a in self._addresses(found))), None)

    def all(self, kind: type[P]) -> Iterator[P]:
        """The programs of a kind that run."""
        return (item.program for item in self._running() if isinstance(item.program, kind))

    def _addresses(self, program: NodeProgram) -> list[tuple[str, ...]]:
        return list(self.networks(program.container).values())

    def _running(self) -> list[MemoryContainer]:
        return [item for item in list(self._containers.values()) if item.record.state == "running"]
