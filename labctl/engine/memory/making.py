"""Makes containers of the engine in memory from a project's configuration: names, labels, addresses, ports, limits."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from labctl.engine.memory.containers import MemoryContainer, Plan, stamp
from labctl.engine.model import (
    COMPOSE_NUMBER,
    COMPOSE_PROJECT,
    COMPOSE_SERVICE,
    LABEL_ROLE,
    Container,
    Image,
    Network,
    Port,
)
from labctl.engine.settings import Mount, Settings
from labctl.errors import LabError
from labctl.named import NamedTuple
from labctl.topology.model import extra_hosts

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
POOL = ipaddress.ip_network("172.16.0.0/12")  # networks without a subnet of their own get a /16 of it
POOL_6 = ipaddress.ip_network("fdab:2::/32")
DYNAMIC = 32768  # the first port of the engine's own choice


class Order(NamedTuple):
    """A container to be made: the `number`-th of a service, of an image that is called `title`."""

    project: str
    service: str
    number: int
    title: str
    image: Image
    config: Mapping[str, Any]
    labels: Mapping[str, str]


def container(order: Order, ident: str, keys: Mapping[str, Any], networks: Mapping[str, Network]) -> MemoryContainer:
    """A container that was made and not started. `keys` holds the file's networks by their keys there."""
    config = order.config
    name = str(config.get("container_name") or f"{order.project}-{order.service}-{order.number}")
    labels = {**order.image.labels, **(config.get("labels") or {}), **order.labels}
    labels |= {COMPOSE_PROJECT: order.project, COMPOSE_SERVICE: order.service, COMPOSE_NUMBER: str(order.number)}
    mode = str(config.get("network_mode") or "")
    shared = mode.removeprefix("container:") if mode.startswith("container:") else ""
    record = Container(
        ident,
        name,
        order.title,
        "created",
        labels,
        host_network=mode == "host",
        network_of=shared,
        command=" ".join(_runs(order)),
    )
    attached = {str(keys[key]["name"]): options or {} for key, options in (config.get("networks") or {}).items()}
    wished = {
        net: tuple(str(options[family]) for family in ("ipv4_address", "ipv6_address") if options.get(family))
        for net, options in attached.items()
    }
    check = config.get("healthcheck") or {}
    known = bool(check.get("test")) or LABEL_ROLE in order.image.labels  # labctl's own images have one
    made = MemoryContainer(record, stdin_open=bool(config.get("stdin_open")))
    made.plan = Plan(
        wished,
        tuple(_ports(config, made)),
        dict(extra_hosts(config.get("extra_hosts") or ())),
        known and not check.get("disable"),
    )
    made.record = record._replace(ports=made.plan.ports)
    made.environment = dict(config.get("environment") or {})
    made.aliases = {net: (order.service, *(attached[net].get("aliases") or ()), ident[:12]) for net in attached}
    made.processes = int(config["pids_limit"]) if config.get("pids_limit") else None
    made.fixed = tuple(address for addresses in wished.values() for address in addresses)
    made.made_as = _settings(order, ident)
    return made


def addresses(made: MemoryContainer, networks: Mapping[str, Network], others: Iterable[Container]) -> Container:
    """The record of a container that begins to run: with the addresses that it was made for, or free ones.

    Raises LabError `engine-refused` where another one has its address.
    """
    plan = made.plan
    if plan is None:
        return made.record
    taken = {address: other.name for other in others for found in other.addresses.values() for address in found}
    found: dict[str, tuple[str, ...]] = {}
    gateways: list[str] = []
    for name, wished in plan.networks.items():
        own: list[str] = []
        for subnet in map(ipaddress.ip_network, networks[name].subnets):
            mine = next((one for one in wished if ipaddress.ip_address(one) in subnet), None)
            if mine in taken:
                raise LabError("engine-refused", action="start the container", why="Address already in use")
            gateway = str(subnet[1]) if subnet.num_addresses > 1 else str(subnet[0])
            mine = mine or next(str(one) for one in subnet.hosts() if str(one) not in taken and str(one) != gateway)
            taken[mine] = made.record.name
            own.append(mine)
            gateways.append(gateway)
        found[name] = tuple(sorted(own, key=lambda one: ":" in one))
    return _with(made.record, found, tuple(gateways), plan)


def _with(record: Container, found: dict[str, tuple[str, ...]], gateways: tuple[str, ...], plan: Plan) -> Container:
    health = "healthy" if plan.checked else None
    return record._replace(addresses=found, gateways=gateways, ports=plan.ports, health=health)


def subnets(wanted: list[str], networks: Iterable[Network], *, ipv6: bool) -> tuple[str, ...]:
    """A new network's: those wanted, or a free one of each family that it is to have.

    Raises LabError `compose-failed` where another network has one of them.
    """
    taken = [ipaddress.ip_network(subnet) for network in networks for subnet in network.subnets]
    for text in wanted:
        one = ipaddress.ip_network(text)
        if any(one.version == other.version and one.overlaps(other) for other in taken):
            raise LabError(
                "compose-failed", verb="up", why=f"Pool overlaps with other one on this address space: {text}"
            )
    found = list(wanted)
    versions = {ipaddress.ip_network(text).version for text in wanted}
    if 4 not in versions:
        found.insert(0, _free(POOL.subnets(new_prefix=16), taken))
    if ipv6 and 6 not in versions:
        found.append(_free(POOL_6.subnets(new_prefix=64), taken))
    return tuple(found)


def _free(choice: Iterator[Any], taken: list[Any]) -> str:
    return str(next(one for one in choice if not any(one.version == o.version and one.overlaps(o) for o in taken)))


def _ports(config: Mapping[str, Any], made: MemoryContainer) -> Iterator[Port]:
    """As published; where any port will do, or one of a range, the first that the number of the container gives."""
    for port in config.get("ports") or ():
        wished = str(port.get("published") or "").partition("-")[0]
        public = int(wished) if wished else DYNAMIC + int(made.record.id, 16)
        yield Port(port.get("protocol", "tcp"), int(port["target"]), port.get("host_ip") or "0.0.0.0", public)


def _runs(order: Order) -> tuple[str, ...]:
    """Its entrypoint and, behind that, its command; another entrypoint does without the image's command."""
    entrypoint, command = order.config.get("entrypoint"), order.config.get("command")
    usual = order.image.command if entrypoint is None else ()
    return (
        *(order.image.entrypoint if entrypoint is None else entrypoint),
        *(usual if command is None else command),
    )


def _settings(order: Order, ident: str) -> Settings:
    config = order.config
    mounts = tuple(
        Mount(item["type"], str(item.get("source", "")), str(item["target"]), not item.get("read_only"))
        for item in config.get("volumes") or ()
    )
    return Settings(
        created=stamp(),
        command=_runs(order),
        user=str(config.get("user") or order.image.user or "0"),
        hostname=str(config.get("hostname") or ident[:12]),
        environment=dict(config.get("environment") or {}),
        read_only=bool(config.get("read_only")),
        privileged=bool(config.get("privileged")),
        added=tuple(config.get("cap_add") or ()),
        dropped=tuple(config.get("cap_drop") or ()),
        memory=int(config["mem_limit"]) if config.get("mem_limit") else None,
        cpus=float(config["cpus"]) if config.get("cpus") else None,
        restart=str(config.get("restart") or "no"),
        stop_signal=str(config.get("stop_signal") or "SIGTERM"),
        mounts=mounts,
        macs={},
    )
