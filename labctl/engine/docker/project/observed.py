"""What there is of a project on the engine already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from labctl.engine.docker import inspected
from labctl.engine.docker.wire import Wire, asked
from labctl.engine.making.labels import COMPOSE_REPLACE
from labctl.engine.model import (
    COMPOSE_IMAGE,
    COMPOSE_NUMBER,
    COMPOSE_ONEOFF,
    COMPOSE_PROJECT,
    COMPOSE_SERVICE,
    LABEL_MADE,
    Container,
)
from labctl.named import NamedTuple


class Found(NamedTuple):
    """A container of a service, with its number and its mounts, as the engine tells them."""

    container: Container
    number: int
    mounts: tuple[Mapping[str, Any], ...]

    @property
    def passing(self) -> str:
        """The name that it is to have, where it has only a passing one; see labctl.engine.docker.project.maker."""
        old = self.container.labels.get(COMPOSE_REPLACE, "")
        name = self.container.name
        return name.removeprefix(f"{old[:12]}_") if old and name.startswith(f"{old[:12]}_") else ""

    def is_as(self, digest: str, image: str) -> bool:
        """Whether it is what would be made of a service now; `image` is an id."""
        labels = self.container.labels
        return labels.get(LABEL_MADE) == digest and labels.get(COMPOSE_IMAGE) == image


def containers(wire: Wire, project: str) -> dict[str, list[Found]]:
    """Those of each service, by number. Raises LabError."""
    labels = [f"{COMPOSE_PROJECT}={project}", f"{COMPOSE_ONEOFF}=False"]
    listed = asked(wire, "list containers", "GET", "/containers/json", all=True, filters={"label": labels})
    found: dict[str, list[Found]] = {}
    for item in listed:
        container = inspected.container(item)
        number = container.labels.get(COMPOSE_NUMBER, "")
        one = Found(container, int(number) if number.isdigit() else 0, tuple(item.get("Mounts") or ()))
        found.setdefault(container.labels.get(COMPOSE_SERVICE, ""), []).append(one)
    return {name: sorted(several, key=lambda one: one.number) for name, several in found.items()}


class NetworkFound(NamedTuple):
    id: str
    labels: Mapping[str, str]


def networks(wire: Wire) -> dict[str, NetworkFound]:
    """All networks, by name and by id. Raises LabError."""
    listed = asked(wire, "list networks", "GET", "/networks")
    found = [(item["Name"], NetworkFound(item["Id"], item.get("Labels") or {})) for item in listed]
    return {**{one.id: one for _, one in found}, **dict(found)}


def with_ids(config: Mapping[str, Any], there: Mapping[str, NetworkFound]) -> dict[str, Any]:
    """The configuration with the ids of networks that are somebody else's, which is how Compose names them."""
    nets = dict(config.get("networks") or {})
    for key, item in nets.items():
        if item.get("external") and item["name"] in there:
            nets[key] = {**item, "name": there[item["name"]].id}
    return {**config, "networks": nets}


def volumes(wire: Wire) -> set[str]:
    """The names of all volumes. Raises LabError."""
    listed = asked(wire, "list volumes", "GET", "/volumes")
    return {str(item["Name"]) for item in listed.get("Volumes") or ()}


class ImageFound(NamedTuple):
    """An image's id, and the folders that it declares as volumes."""

    id: str
    volumes: tuple[str, ...]


def images(wire: Wire, names: Iterable[str]) -> dict[str, ImageFound]:
    """Raises LabError `engine-refused` where one isn't there."""
    from urllib.parse import quote

    found = {}
    for name in sorted(set(names)):
        told = asked(wire, f"look at the image {name}", "GET", f"/images/{quote(name, safe='/:@')}/json")
        found[name] = ImageFound(told["Id"], tuple((told.get("Config") or {}).get("Volumes") or ()))
    return found
