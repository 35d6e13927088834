"""Ports: their two forms, and that no port of this machine is published twice."""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from labctl.named import NamedTuple
from labctl.topology.check.plan import Plan, Service, address_of, items, mapping, table, text
from labctl.topology.check.problems import Path, Place, Problems
from labctl.topology.check.reading.source import Source, shorten

_PROTOCOLS = ("tcp", "udp", "sctp")
_RANGE = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?", re.A)
_EVERYWHERE = ("", "0.0.0.0", "::")


class Port(NamedTuple):
    """A published port: `low` to `high` of this machine, each for a port of the node, or any one of them for one."""

    host: str
    low: int
    high: int
    protocol: str
    choice: bool = False
    target: str = ""

    def clashes(self, other: Port) -> bool:
        if self.choice or other.choice or self.protocol != other.protocol:
            return False
        together = self.host == other.host or self.host in _EVERYWHERE or other.host in _EVERYWHERE
        return together and self.low <= other.high and other.low <= self.high

    def same_way(self, other: Port) -> bool:
        """Both of one service are one to Compose: the same ports lead to the same ones of the node."""
        return (self._address, self._shift) == (other._address, other._shift)

    @property
    def _address(self) -> str:
        return self.host or _EVERYWHERE[1]

    @property
    def _shift(self) -> int:
        return self.low - int(self.target.partition("-")[0])


class Wrong(ValueError):
    """Why a text is no port."""


def read_short(written: str) -> Port | None:
    """[[ADDRESS:]HOST_PORT:]NODE_PORT[/PROTOCOL]; None where nothing fixed is published. Raises Wrong."""
    body, slash, protocol = written.partition("/")
    if slash and protocol.lower() not in _PROTOCOLS:
        raise Wrong(f"the protocol is {', '.join(_PROTOCOLS[:-1])} or {_PROTOCOLS[-1]}, not {shorten(protocol)!r}")
    rest, _, target = body.rpartition(":")
    host, _, published = rest.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if host and address_of(host) is None:
        raise Wrong(f"{shorten(host)} is no address of this machine")
    inside = _range(target)
    if not published:
        return None
    low, high = _range(published)
    width = inside[1] - inside[0]
    if high - low != width and width:
        raise Wrong(f"{published} and {target} are not equally many")
    return Port(host, low, high, protocol.lower() or "tcp", choice=high - low != width, target=target)


def _range(written: str) -> tuple[int, int]:
    if not written:
        raise Wrong("a port is missing")
    found = _RANGE.fullmatch(written)
    if not found:
        raise Wrong(f"{shorten(written)!r} is no number")
    low, high = int(found[1]), int(found[2] or found[1])
    if high > 65535:
        raise Wrong(f"{high} is over 65535")
    if low > high:
        raise Wrong(f"{written} runs backwards")
    return low, high


def read_long(port: Mapping[str, Any]) -> Port | None:
    """A mapping with target, published, host_ip, protocol. Raises Wrong."""
    written = {key: port.get(key) for key in ("host_ip", "target", "published", "protocol")}
    if any("$" in str(value) for value in written.values()):
        return None
    protocol = text(written["protocol"]).lower() or "tcp"
    if protocol not in _PROTOCOLS:
        raise Wrong(f"the protocol is {', '.join(_PROTOCOLS[:-1])} or {_PROTOCOLS[-1]}, not {shorten(protocol)!r}")
    host = text(written["host_ip"])
    if host and address_of(host) is None:
        raise Wrong(f"{shorten(host)} is no address of this machine")
    if written["target"] is None:
        raise Wrong("`target`, the node's port, is missing")
    _range(text(written["target"]))
    if not text(written["published"]):
        return None
    low, high = _range(text(written["published"]))
    return Port(host, low, high, protocol, choice=low != high, target=text(written["target"]))


def check_ports(
    source: Source, raw: Mapping[str, Any], plan: Plan, config: Mapping[str, Any] | None, known: Mapping[str, str]
) -> Problems:
    """The ports that stand in the file, and those that only Compose knows: from variables or other files."""
    found = Problems()
    taken = _Taken()
    for name, service in plan.services.items():
        written = list(_written(source, name, items(_of(raw, name).get("ports")), known, found))
        twice = _twice(config, name)
        if config is not None:
            told = [port for port, _ in written]
            written += _beside(source, name, _merged(config, name), told)
        for port, path in dict(reversed(written)).items():  # the same twice is one to Compose
            place = source.place(path)
            other = next((one for one in taken.near(port) if _clash(one, service, port)), None)
            if other is None and port in twice:
                other = (service, port, place)
            if other:
                shown = port.low if port.low == port.high else f"{port.low}-{port.high}"
                who = "this service" if other[0].name == name else other[0].name
                found.add("port-twice", path, place, port=shown, other=who, line=other[2].line)
            if service.replicas > 1 and not port.choice:
                found.add("port-scaled", path, place, port=port.low, replicas=service.replicas)
            taken.add(service, port, place)
    return found


def _clash(one: tuple[Service, Port, Place], service: Service, port: Port) -> bool:
    if not (one[0].beside(service) and one[1].clashes(port)):
        return False
    return one[0].name != service.name or not one[1].same_way(port)


def _twice(config: Mapping[str, Any] | None, name: str) -> set[Port]:
    """What Compose itself would publish twice: a line in short form, and a mapping without a protocol."""
    if config is None:
        return set()
    counted = Counter(port for port in _merged(config, name) if not port.choice)
    return {port for port, count in counted.items() if count > 1}


def _merged(config: Mapping[str, Any], name: str) -> Iterator[Port]:
    """What Compose made of a service's ports."""
    for each in items(_of(config, name).get("ports")):
        with contextlib.suppress(Wrong):
            if port := read_long(mapping(each)):
                yield port


class _Taken:
    """The ports so far. Most are single ones, and only those of the same number are looked at."""

    def __init__(self) -> None:
        self._all: list[tuple[Service, Port, Place]] = []
        self._single: dict[int, list[int]] = {}
        self._wide: list[int] = []

    def add(self, service: Service, port: Port, place: Place) -> None:
        if port.choice:
            return  # it clashes with nothing
        (self._single.setdefault(port.low, []) if port.low == port.high else self._wide).append(len(self._all))
        self._all.append((service, port, place))

    def near(self, port: Port) -> Iterable[tuple[Service, Port, Place]]:
        """Those that may clash with a port, in order."""
        if port.low != port.high:
            return self._all
        return (self._all[at] for at in sorted([*self._single.get(port.low, ()), *self._wide]))


def _of(data: Mapping[str, Any], service: str) -> Mapping[str, Any]:
    return mapping(table(data, "services").get(service))


def _written(
    source: Source, name: str, ports: list[Any], known: Mapping[str, str], found: Problems
) -> Iterator[tuple[Port, Path]]:
    for at, value in enumerate(ports):
        path: Path = ("services", name, "ports", at)
        try:
            if isinstance(value, dict):
                port = read_long(value)
            else:
                # As it is written: a number can look otherwise once it is read.
                shown = getattr(source.find(path)[0], "text", "")
                shown = known.get(shown, shown)
                port = read_short(shown) if shown and "$" not in shown else None
        except Wrong as problem:
            what = value.get("published") or value.get("target") if isinstance(value, dict) else shown
            found.add("bad-port", path, source.place(path), text=shorten(str(what)), why=problem)
            continue
        if port:
            yield port, path


def _beside(source: Source, name: str, ports: Iterable[Port], told: list[Port]) -> Iterator[tuple[Port, Path]]:
    """What Compose publishes and the file doesn't show: its place is the first port with a variable."""
    path: Path = ("services", name, "ports")
    value = source.find(path)[0]
    at = next(
        (at for at, item in enumerate(getattr(value, "items", [])) if "$" in str(getattr(item, "text", item))), None
    )
    for port in ports:
        if not any(_covers(other, port) for other in told):
            yield port, path if at is None else (*path, at)


def _covers(other: Port, port: Port) -> bool:
    same = (other.host, other.protocol) == (port.host, port.protocol)
    return same and other.low <= port.low and port.high <= other.high
