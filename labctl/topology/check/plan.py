"""Who is on which network with which address: read from the file itself, or from what Compose made of it."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from labctl.named import NamedTuple
from labctl.topology.check.problems import Path
from labctl.topology.check.reading.scalars import number, type_of
from labctl.topology.check.reading.source import Scalar, Sequence, Value
from labctl.topology.model import owner_of, replicas

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Subnet = ipaddress.IPv4Network | ipaddress.IPv6Network
_BRIDGES = ("", "bridge", "overlay")
_MANY = 1_000_000  # replicas: more than any engine takes


class Attachment(NamedTuple):
    """An address is as it is written; the empty text where none is, or where only Compose knows it."""

    network: str
    ipv4: str = ""
    ipv6: str = ""


class Service(NamedTuple):
    """`networks` is None where they can't be known from this file alone (`extends`, a network_mode of others). `owner`
    is the service whose network it shares, None where there is none."""

    name: str
    networks: tuple[Attachment, ...] | None
    replicas: int
    profiles: frozenset[str]
    extension: Mapping[str, Any]
    owner: str | None = None

    def beside(self, other: Service) -> bool:
        """Whether both can be up together: services of two different profiles are rather a choice."""
        return not self.profiles or not other.profiles or bool(self.profiles & other.profiles)


class Pool(NamedTuple):
    """One entry of ipam.config. `subnet` is None where it can't be read; `text` is as it is written."""

    text: str
    subnet: Subnet | None
    gateway: str
    path: Path


class Network(NamedTuple):
    """`known`: what is not written here is not there. `ipv6` is None where only Compose knows."""

    key: str
    pools: tuple[Pool, ...]
    known: bool
    external: bool
    ipv6: bool | None
    driver: str

    @property
    def bridged(self) -> bool:
        return self.driver in _BRIDGES


class Plan(NamedTuple):
    """`complete`: Compose made it, so there are no services but these."""

    services: Mapping[str, Service]
    networks: Mapping[str, Network]
    extension: Mapping[str, Any]
    complete: bool = False

    def host(self, service: Service) -> Service:
        """The service whose network it is that a service has: its own, or that of another one."""
        seen = {service.name}
        while (owner := service.owner) and owner in self.services and owner not in seen:
            service = self.services[owner]
            seen.add(owner)
        return service


def data_of(value: Value, known: Mapping[str, str]) -> Any:
    """The plain data that Compose would read. `known` has the texts with variables whose values Compose told."""
    if isinstance(value, Scalar):
        if value.text in known:
            return known[value.text]
        kind = type_of(value)
        if kind == "null":
            return None
        if kind == "bool":
            return value.text.lower() == "true"
        return number(value.text) if kind == "int" else value.text
    if isinstance(value, Sequence):
        return [data_of(item, known) for item in value.items]
    return {name: data_of(entry.value, known) for name, entry in value.entries.items()}


def plan_of(raw: Mapping[str, Any], config: Mapping[str, Any] | None) -> Plan:
    """`config` is Compose's own reading. A network that no service uses is only in `raw`."""
    data = raw if config is None else config
    networks = {**table(raw, "networks"), **table(data, "networks")}
    return Plan(
        {name: _service(name, mapping(service)) for name, service in table(data, "services").items()},
        {key: _network(key, mapping(network)) for key, network in networks.items()},
        mapping(data.get("x-labctl")),
        complete=config is not None,
    )


def table(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return mapping(data.get(name))


def mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def text(value: Any) -> str:
    """A value as text; empty where there is none, or where it still holds a variable."""
    if not isinstance(value, str | int) or "$" in str(value).replace("$$", ""):
        return ""
    return str(value).replace("$$", "$")  # as Compose reads it, and writes it out again


def _service(name: str, service: Mapping[str, Any]) -> Service:
    return Service(
        name,
        _attachments(service),
        min(replicas(service), _MANY),
        frozenset(text(profile) for profile in items(service.get("profiles"))),
        mapping(service.get("x-labctl")),
        owner_of(service.get("network_mode")),
    )


def _attachments(service: Mapping[str, Any]) -> tuple[Attachment, ...] | None:
    networks = service.get("networks")
    mode = service.get("network_mode")
    if mode in ("host", "none"):
        return ()
    if mode is not None or (networks is None and "extends" in service):
        return None
    if isinstance(networks, list):
        return tuple(Attachment(str(key)) for key in networks if isinstance(key, str))
    if isinstance(networks, dict) and networks:
        return tuple(
            Attachment(key, text(mapping(how).get("ipv4_address")), text(mapping(how).get("ipv6_address")))
            for key, how in networks.items()
        )
    return (Attachment("default"),)


def _network(key: str, network: Mapping[str, Any]) -> Network:
    ipam = mapping(network.get("ipam"))
    configs = items(ipam.get("config"))
    pools = tuple(_pool(key, at, mapping(config)) for at, config in enumerate(configs))
    ipv6 = network.get("enable_ipv6", False)
    driver = network.get("driver")
    return Network(
        key,
        pools,
        known=all(pool.text for pool in pools) and text(ipam.get("driver") or "default") == "default",
        external=bool(network.get("external")),
        ipv6=ipv6 if isinstance(ipv6, bool) else {"true": True, "false": False}.get(str(ipv6)),
        driver="" if driver is None else str(driver),
    )


def _pool(key: str, at: int, config: Mapping[str, Any]) -> Pool:
    written = text(config.get("subnet"))
    return Pool(written, subnet_of(written), text(config.get("gateway")), ("networks", key, "ipam", "config", at))


def subnet_of(written: str) -> Subnet | None:
    try:
        return ipaddress.ip_network(written) if "/" in written else None
    except ValueError:
        return None


def address_of(written: str) -> Address | None:
    try:
        return ipaddress.ip_address(written)
    except ValueError:
        return None
