"""Which services need others: whose namespaces or volumes they share, and for whom they wait."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from labctl.topology.model import owner_of


def shared(service: Mapping[str, Any]) -> Iterator[str]:
    """The services of which a container must be there before one of this service can be made."""
    owner = owner_of(service.get("network_mode"))
    if owner:
        yield owner
    for item in service.get("volumes_from") or ():
        name = str(item).partition(":")[0]
        if name != "container":
            yield name


def resolved(service: Mapping[str, Any], containers: Mapping[str, str]) -> dict[str, Any]:
    """The service with the `containers`, by service, in the place of the services that it shares something of."""
    out = dict(service)
    owner = owner_of(service.get("network_mode"))
    if owner:
        out["network_mode"] = f"container:{containers[owner]}"
    if service.get("volumes_from"):
        out["volumes_from"] = [_source(str(item), containers) for item in service["volumes_from"]]
    return out


def _source(item: str, containers: Mapping[str, str]) -> str:
    """As Compose has it: what else the item says (`:ro`) is lost."""
    name, _, rest = item.partition(":")
    return rest.partition(":")[0] if name == "container" else containers[name]


def levels(services: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    """The services in groups, each of which shares with those before it alone. There is no circle in them."""
    out: list[list[str]] = []
    left = dict.fromkeys(services)
    while left:
        now = [name for name in left if not any(other in left for other in shared(services[name]))]
        out.append(now)
        for name in now:
            del left[name]
    return out


def needed(service: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """For which services one waits, and how."""
    found = {name: {"condition": "service_started", "required": True} for name in shared(service)}
    return found | {name: wanted or {} for name, wanted in (service.get("depends_on") or {}).items()}


def missing(services: Mapping[str, Mapping[str, Any]]) -> str | None:
    """A service that another one can't do without, and that isn't there."""
    for name, service in services.items():
        for other, wanted in needed(service).items():
            if other not in services and wanted.get("required", True):
                return f"services.{name} needs {other}, which is not there"
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
