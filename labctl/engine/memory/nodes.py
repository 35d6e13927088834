"""Single nodes on the engine in memory. It runs no programs: such a node is one that can be typed at, which runs until
it is stopped; what it prints and where it listens, a test says (`node_program`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from ipaddress import ip_network
from itertools import islice

from labctl.engine.memory import making
from labctl.engine.memory.containers import MemoryContainer, Plan, stamp
from labctl.engine.model import Container, Image, Network
from labctl.engine.nodes import USER, NodeOrder
from labctl.engine.settings import Mount, Settings
from labctl.errors import LabError

LOG = (20_000_000, 3)  # bytes of a file, and files


class MemoryNodes:
    """See labctl.engine.nodes.Nodes. `node_program(container, order)` is called whenever such a node begins to run."""

    images: dict[str, Image]
    node_program: Callable[[MemoryContainer, NodeOrder], None] | None = None
    _containers: dict[str, MemoryContainer]
    _networks: dict[str, Network]
    _new_id: Callable[[], str]

    def create_node(self, order: NodeOrder) -> str | None:
        if order.image not in self.images:
            raise LabError("engine-refused", action=f"make {order.hostname}", why=f"No such image: {order.image}")
        if any(found.record.name == order.name for found in list(self._containers.values())):
            return None
        ident = self._new_id()
        labels = {**self.images[order.image].labels, **order.labels}
        command = " ".join(order.command)
        record = Container(ident, order.name, order.image, "created", labels, ports=tuple(order.ports), command=command)
        made = self._containers[ident] = MemoryContainer(record._replace(network_of=order.shares))
        made.plan = Plan({} if order.shares else {order.network: tuple(order.addresses)}, tuple(order.ports))
        made.environment, made.processes = dict(order.environment), order.processes
        made.aliases = {} if order.shares else {order.network: (order.hostname, ident[:12])}
        made.fixed, made.log, made.made_as = tuple(order.addresses), LOG, _settings(order)
        if self.node_program:
            made.begins = partial(self.node_program, made, order)
        return ident

    def send_folder(self, container: str, folder: str, place: str) -> None:
        """Nothing is elsewhere."""

    def create_network(self, name: str, labels: Mapping[str, str], subnet: str, *, internal: bool = False) -> Network:
        if name not in self._networks:
            found = making.subnets([subnet], list(self._networks.values()), ipv6=False)
            self._networks[name] = Network(name, name, dict(labels), found, internal)
        return self._networks[name]

    def join(self, network: str, container: str, aliases: Sequence[str]) -> str:
        found = self._containers.get(container)
        if found is None or network not in self._networks:
            raise LabError("engine-refused", action=f"join {network}", why=f"No such container or network: {container}")
        taken = {one for other in self._containers.values() for ends in other.record.addresses.values() for one in ends}
        subnet = ip_network(self._networks[network].subnets[0])
        address = next(str(one) for one in islice(subnet.hosts(), 1, None) if str(one) not in taken)
        found.record = found.record._replace(addresses={**found.record.addresses, network: (address,)})
        found.aliases = {**found.aliases, network: tuple(aliases)}
        return address

    def leave(self, network: str, container: str) -> None:
        found = self._containers.get(container)
        if found is None or network not in found.record.addresses:
            raise LabError(
                "engine-refused", action=f"leave {network}", why=f"{container} is not connected to {network}"
            )
        rest = {name: ends for name, ends in found.record.addresses.items() if name != network}
        found.record = found.record._replace(addresses=rest)
        found.aliases = {name: own for name, own in found.aliases.items() if name != network}


def _settings(order: NodeOrder) -> Settings:
    folder = [Mount("bind", order.folder, order.place, False)] if order.folder else []
    return Settings(
        created=stamp(),
        command=tuple(order.command),
        user=USER,
        hostname=order.hostname,
        environment=dict(order.environment),
        read_only=True,
        privileged=False,
        added=(),
        dropped=("ALL",),
        memory=order.memory,
        cpus=None,
        restart="no",
        stop_signal="SIGTERM",
        mounts=(*folder, Mount("tmpfs", "", order.scratch, True)),
        macs={},
    )
