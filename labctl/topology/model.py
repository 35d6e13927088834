"""A topology: what Compose made of a file, and what stands under x-labctl, as frozen data."""

from __future__ import annotations

import copy
import ipaddress
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

from labctl.errors import LabError
from labctl.faults.measures import Malformed
from labctl.named import NamedTuple
from labctl.topology.extension import (
    NETWORK_KEYS,
    SERVICE_KEYS,
    TOP_KEYS,
    Condition,
    Route,
    parse_link,
    parse_route,
)
from labctl.topology.mtu import mtu_of

Subnet = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAMED = re.compile(r"^name:(.*)$", re.MULTILINE)
_NAME = re.compile(r"""(["']?)([^"'#$]+)\1""")

T = TypeVar("T")
NO_SERVICES = "it has no services"


class Published(NamedTuple):
    """A port that a node publishes on the engine's host. `movable`: another port will do where it is taken; `choice` is
    a range such as 8000-8004, one of which it gets."""

    target: int
    published: int | None
    host: str
    proto: str
    movable: bool
    choice: str = ""


class Member(NamedTuple):
    """A service of the file. `owner` is the service whose network it shares (`network_mode: service:NAME`), None where
    it has its own; `networks` and `addresses` are that one's then."""

    name: str
    image: str | None
    builds: bool
    ports: tuple[Published, ...]
    waits_for_health_of: tuple[str, ...]
    networks: tuple[str, ...] = ()
    addresses: tuple[tuple[str, str], ...] = ()  # (network's key, address)
    routes: tuple[Route, ...] = ()
    owner: str | None = None


class Net(NamedTuple):
    """A network of the file.

    `movable`: another subnet of the same size will do where these are taken; `ipv4`: its nodes have IPv4 addresses;
    `ipv6`: the engine gives them IPv6 addresses; `mtu` in bytes, where one is chosen.
    `external`: somebody else has made it; `internal`: no way leads from it to other networks, nor from them to it.
    """

    key: str
    name: str
    subnets: tuple[Subnet, ...]
    movable: bool
    ipv4: bool = True
    external: bool = False
    internal: bool = False
    ipv6: bool = False
    mtu: int | None = None


class Topology(NamedTuple):
    """`config` is Compose's normalised form of the file, `folder` what its relative paths are relative to. Without
    `outside` all networks of its own are internal."""

    name: str
    file: Path
    title: str
    description: str
    links: tuple[Condition, ...]
    members: tuple[Member, ...]
    networks: tuple[Net, ...]
    config: Mapping[str, Any]
    outside: bool = True

    @property
    def without_ipv4(self) -> list[str]:
        """The members all of whose networks have IPv6 alone."""
        bare = {net.key for net in self.networks if not net.ipv4}
        return [member.name for member in self.members if member.networks and set(member.networks) <= bare]

    @property
    def folder(self) -> Path:
        return self.file.parent


def parse(text: str, file: Path, *, isolated: bool = False) -> Topology:
    """As `made`, from Compose's normalised YAML."""
    import yaml  # which is not needed for what is known already

    from labctl.topology.normalised import load

    try:
        config = load(text)
    except yaml.YAMLError as problem:
        why = getattr(problem, "problem", None) or "what Compose makes of it can't be read"
        raise LabError("topology-invalid", file=file, why=why) from None
    return made(config, file, isolated=isolated)


def made(config: Any, file: Path, *, isolated: bool = False) -> Topology:
    """A topology of what Compose makes of files; `isolated`: without a way outside, whatever they say.

    Raises LabError `topology-invalid`.
    """
    if not isinstance(config, dict) or not config.get("services"):
        raise LabError("topology-invalid", file=file, why=NO_SERVICES)
    extension = _extension(config, file, "the top level", TOP_KEYS)
    names = frozenset(config["services"])
    outside = extension.get("outside") is not False and not isolated
    if not outside:
        _close(config)
    return Topology(
        name=str(config["name"]),
        file=file,
        title=str(extension.get("title") or config["name"]),
        description=str(extension.get("description") or ""),
        links=tuple(_each(extension, "links", lambda text: parse_link(text, names), file, "the top level")),
        members=_sharing(_member(name, service, file) for name, service in config["services"].items()),
        networks=tuple(_net(key, network or {}, file) for key, network in (config.get("networks") or {}).items()),
        config=config,
        outside=outside,
    )


def _close(config: dict[str, Any]) -> None:
    """Makes all networks internal that are the project's own."""
    for key, network in (config.get("networks") or {}).items():
        if not (network or {}).get("external"):
            config["networks"][key] = {**(network or {}), "internal": True}


def _extension(owner: Mapping[str, Any], file: Path, where: str, keys: tuple[str, ...]) -> dict[str, Any]:
    found = owner.get("x-labctl") or {}
    if not isinstance(found, dict):
        raise LabError("topology-invalid", file=file, why=f"x-labctl at {where} is no mapping")
    for key in found:
        if key not in keys:
            raise LabError("topology-invalid", file=file, why=f"x-labctl at {where} knows {', '.join(keys)}, not {key}")
    return found


def _each(extension: Mapping[str, Any], key: str, read: Callable[[object], T], file: Path, where: str) -> Iterator[T]:
    found = extension.get(key) or []
    for text in found if isinstance(found, list) else [found]:
        try:
            yield read(text)
        except Malformed as problem:
            raise LabError("topology-invalid", file=file, why=f"{where}: {problem}; {problem.hint}") from None


def _member(name: str, service: Mapping[str, Any], file: Path) -> Member:
    extension = _extension(service, file, f"service {name}", SERVICE_KEYS)
    movable = extension.get("movable_ports", False)
    attached = service.get("networks") or {}
    waits = service.get("depends_on") or {}
    return Member(
        name=name,
        image=service.get("image"),
        builds="build" in service,
        ports=tuple(
            Published(
                target=int(port["target"]),
                published=int(port["published"]) if str(port.get("published") or "").isdigit() else None,
                host=port.get("host_ip", ""),
                proto=port.get("protocol", "tcp"),
                movable=bool(movable),
                choice=str(port["published"]) if "-" in str(port.get("published") or "") else "",
            )
            for port in service.get("ports") or []
        ),
        waits_for_health_of=tuple(
            other for other, how in waits.items() if isinstance(how, dict) and how.get("condition") == "service_healthy"
        ),
        networks=tuple(attached),
        addresses=tuple(
            (key, str(options[field]))
            for key, options in attached.items()
            for field in ("ipv4_address", "ipv6_address")
            if options and field in options
        ),
        routes=tuple(_each(extension, "routes", parse_route, file, f"service {name}")),
        owner=owner_of(service.get("network_mode")),
    )


def owner_of(network_mode: object) -> str | None:
    """The service whose network `service:NAME` means; None for all others."""
    text = str(network_mode or "")
    return text.removeprefix("service:") if text.startswith("service:") else None


def _sharing(members: Iterable[Member]) -> tuple[Member, ...]:
    """The members, with the networks of those that share another one's."""
    found = list(members)
    known = {member.name: member for member in found}

    def shared(member: Member) -> Member:
        owner, seen = member, {member.name}
        while (further := owner.owner) and further in known and further not in seen:
            owner = known[further]
            seen.add(further)
        if owner is member:
            return member
        return member._replace(owner=owner.name, networks=owner.networks, addresses=owner.addresses)

    return tuple(map(shared, found))


def _net(key: str, network: Mapping[str, Any], file: Path) -> Net:
    extension = _extension(network, file, f"network {key}", NETWORK_KEYS)
    movable = extension.get("movable", False)
    configs = (network.get("ipam") or {}).get("config") or []
    try:
        every = [ipaddress.ip_network(config["subnet"]) for config in configs if config.get("subnet")]
    except ValueError as problem:
        raise LabError("topology-invalid", file=file, why=f"network {key}: {problem}") from None
    # The engine gives nobody an address of a family that is off, and lets others have such a subnet.
    subnets = tuple(subnet for subnet in every if subnet.version == 4 or network.get("enable_ipv6"))
    return Net(
        key=key,
        name=str(network.get("name", key)),
        subnets=subnets,
        movable=bool(movable) and bool(subnets),
        ipv4=bool(extension.get("ipv4", True)),
        external=bool(network.get("external")),
        internal=bool(network.get("internal")),
        ipv6=bool(network.get("enable_ipv6")),
        mtu=mtu_of(network.get("driver_opts")),
    )


def extra_hosts(found: Any) -> list[tuple[str, str]]:
    """Names and addresses, in either of Compose's forms; `host-gateway` is no address and stays as it is."""
    if isinstance(found, dict):
        return [(name, address) for name, value in found.items() for address in _listed(value)]
    return [
        (name, address) for name, _, address in (re.sub(r"[:=]", "\0", item, count=1).partition("\0") for item in found)
    ]


def _listed(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


def moved(config: Mapping[str, Any], key: str, old: Subnet, new: Subnet) -> dict[str, Any]:
    """The configuration with one network on another subnet, no smaller than needed: each address keeps its place."""
    out = copy.deepcopy(dict(config))

    def shift(address: str) -> str:
        try:
            value = ipaddress.ip_address(address)
        except ValueError:
            return address
        inside = value.version == old.version and value in old
        return str(new[int(value) - int(old.network_address)]) if inside else address

    for ipam in out["networks"][key]["ipam"]["config"]:
        if ipaddress.ip_network(ipam["subnet"]) == old:
            ipam["subnet"] = str(new)
            for field in ("gateway", "ip_range"):
                if field in ipam:
                    address, slash, prefix = str(ipam[field]).partition("/")
                    ipam[field] = shift(address) + slash + prefix
            if ipam.get("aux_addresses"):
                ipam["aux_addresses"] = {name: shift(str(item)) for name, item in ipam["aux_addresses"].items()}
    for service in out["services"].values():
        attachment = (service.get("networks") or {}).get(key) or {}
        for field in ("ipv4_address", "ipv6_address"):
            if field in attachment:
                attachment[field] = shift(attachment[field])
        if service.get("extra_hosts"):
            service["extra_hosts"] = [
                f"{name}={shift(address)}" for name, address in extra_hosts(service["extra_hosts"])
            ]
    return out


def project_name(text: str) -> str:
    """What Compose makes of a name that a file gives its project; empty where nothing is left of it."""
    return re.sub(r"[^a-z0-9_-]", "", text.lower()).lstrip("_-")


def written_name(text: str) -> str:
    """The name that a file's text gives its project, as it is written; empty where none is, or one with a variable."""
    for line in _NAMED.findall(text):
        found = _NAME.fullmatch(line.partition("#")[0].strip())
        if found:
            return str(found[2])
    return ""


def replicas(service: Mapping[str, Any]) -> int:
    """How many containers a service has: 0 is none, and what isn't said, or is no number, one. Of a file as it is
    written as of Compose's reading of it; `scale` goes before `deploy.replicas`, as Compose has it."""
    found, deploy = service.get("scale"), service.get("deploy")
    if found is None and isinstance(deploy, Mapping):
        found = deploy.get("replicas")
    if isinstance(found, str) and found.isascii() and found.isdigit():
        found = int(found[:12])  # more than any engine takes
    return max(0, found) if isinstance(found, int) and not isinstance(found, bool) else 1


def names_in(config: Mapping[str, Any]) -> set[str]:
    """The names of all that Compose may make of a configuration."""
    names = {str(item["name"]) for kind in ("networks", "volumes") for item in (config.get(kind) or {}).values()}
    for service, item in config["services"].items():
        numbered = {f"{config['name']}-{service}-{number}" for number in range(1, replicas(item) + 1)}
        names |= {item["container_name"]} if numbered and "container_name" in item else numbered
    return names


def labelled(config: Mapping[str, Any], labels: Mapping[str, str], node_label: str) -> dict[str, Any]:
    """The configuration with labels on all that it makes: services (with their own name), networks and volumes."""
    out = copy.deepcopy(dict(config))
    for name, service in out["services"].items():
        service["labels"] = {**(service.get("labels") or {}), **labels, node_label: name}
    for kind in ("networks", "volumes"):
        for key, item in (out.get(kind) or {}).items():
            if not (item or {}).get("external"):
                out[kind][key] = {**(item or {}), "labels": {**((item or {}).get("labels") or {}), **labels}}
    return out
