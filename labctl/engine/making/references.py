"""Which services need others: whose network they share, to whom they are linked, and for whom they wait."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from labctl.topology.model import owner_of, replicas


def link(text: str) -> tuple[str, str]:
    """A service, and what else it is called: of `db:database`, or `db` alone."""
    name, *rest = text.split(":")
    return name, rest[0] if len(rest) == 1 else name


def first(service: Mapping[str, Any]) -> Iterator[str]:
    """The services of which a container must be there before one of this service can be made."""
    owner = owner_of(service.get("network_mode"))
    if owner:
        yield owner
    yield from (link(text)[0] for text in service.get("links") or ())


def resolved(service: Mapping[str, Any], containers: Mapping[str, str]) -> dict[str, Any]:
    """The service with one of the `containers`, by service, in the place of the service whose network it shares."""
    owner = owner_of(service.get("network_mode"))
    return {**service, "network_mode": f"container:{containers[owner]}"} if owner else dict(service)


def levels(services: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    """The services in groups, each of which needs none but those before it. There is no circle in them."""
    out: list[list[str]] = []
    left = dict.fromkeys(services)
    while left:
        now = [name for name in left if not any(other in left for other in first(services[name]))]
        out.append(now)
        for name in now:
            del left[name]
    return out


def needed(service: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """For which services one waits, and how."""
    found = {name: {"condition": "service_started", "required": True} for name in first(service)}
    return found | {name: wanted or {} for name, wanted in (service.get("depends_on") or {}).items()}


def restarted_with(service: Mapping[str, Any]) -> set[str]:
    """The services with which one is started again when they were made anew (`depends_on: {a: {restart: true}}`)."""
    return {name for name, wanted in (service.get("depends_on") or {}).items() if (wanted or {}).get("restart")}


def missing(services: Mapping[str, Mapping[str, Any]]) -> str | None:
    """A service that another one can't do without, and that isn't there."""
    for name, service in services.items():
        for other, wanted in needed(service).items():
            if other not in services and wanted.get("required", True):
                return f"services.{name} needs {other}, which is not there"
        owner = owner_of(service.get("network_mode"))
        if owner and not replicas(services[owner]):
            return f"services.{name} needs {owner}, of which there is none"
    return None


def circle(services: Mapping[str, Mapping[str, Any]]) -> str | None:
    """A service that waits for itself by way of others."""
    left = {name: {other for other in needed(service) if other in services} for name, service in services.items()}
    while left:
        free = [name for name, others in left.items() if not others & left.keys()]
        if not free:
            return f"services.{next(iter(left))}.depends_on goes round in a circle"
        for name in free:
            del left[name]
    return None
