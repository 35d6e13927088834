"""Whole topologies on the engine in memory: what Compose and a builder do on a real one."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labctl.engine.making.values import replaced
from labctl.engine.memory import making, reading
from labctl.engine.memory.containers import MemoryContainer
from labctl.engine.model import (
    COMPOSE_HASH,
    COMPOSE_IMAGE,
    COMPOSE_NUMBER,
    COMPOSE_PROJECT,
    COMPOSE_SERVICE,
    LABEL_SOURCE,
    Image,
    Network,
)
from labctl.engine.projects import Reading, Report
from labctl.errors import LabError
from labctl.topology import dockerfile
from labctl.topology.model import owner_of, replicas
from labctl.topology.mtu import mtu_of

if TYPE_CHECKING:
    from labctl.topology.builtin import Source

VERSION = (2, 20)  # of the Compose whose reading this one's is like
# What may change in a service without its containers being made anew; extensions as well.
_UNCOMPARED = ("build", "depends_on", "pull_policy", "scale", "deploy", "profiles")


class MemoryProjects:
    """See labctl.engine.projects.Projects. Builds take an image's labels, what it runs and as whom from its
    Dockerfile, and run nothing of it; the registry has every image there is a name for, without labels."""

    images: dict[str, Image]
    _containers: dict[str, MemoryContainer]
    _networks: dict[str, Network]
    _volumes: dict[str, dict[str, str]]
    _new_id: Callable[[], str]
    change: Callable[..., None]

    def compose_version(self) -> tuple[int, int]:
        return VERSION

    def read(
        self,
        source: Source,
        *,
        name: str | None = None,
        text: str | None = None,
        variables: Mapping[str, str] = {},
        before: Callable[[], None] | None = None,
    ) -> Reading:
        if before:
            before()
        return reading.read(
            source.files,
            text=source.text if text is None else text,
            name=name,
            variables={**dict(source.variables), **variables},
            env_files=source.env_files,
        )

    def hashes(self, source: Source, config: Mapping[str, Any]) -> dict[str, str]:
        return {name: _digest(service) for name, service in config["services"].items()}

    def build(
        self,
        source: Source,
        services: Sequence[str],
        report: Report,
        limit: float,
        *,
        name: str | None = None,
        variables: Mapping[str, str] = {},
    ) -> None:
        config = replaced(json.loads(self.read(source, name=name, variables=variables).text), "$$", "$")
        for service in services:
            asked = config["services"][service]
            build = asked["build"]
            file = Path(build["context"], build["dockerfile"])
            try:
                text = build.get("dockerfile_inline") or file.read_text()
            except (OSError, UnicodeDecodeError):
                raise LabError("build-failed", what=service, why=f"open {file}: no such file", step="") from None
            stage = dockerfile.stage(text, build.get("target"))
            labels = dict(stage.labels)
            if "SOURCE" in (build.get("args") or {}):
                labels[LABEL_SOURCE] = str(build["args"]["SOURCE"])
            title = str(asked.get("image") or f"{config['name']}-{service}")
            ident = f"sha256:{_sha(title, text, labels)}"
            self.images[title] = Image(ident, labels, 0, stage.entrypoint, stage.command, user=stage.user)
            report(f"{title} built")

    def unmake(self, project: str, problem: LabError) -> bool:
        return False

    def registry_answers(self, image: str) -> str | None:
        return None

    def pull(self, image: str, limit: float) -> str | None:
        self.images[image] = Image(f"sha256:{_sha(image)}", {})
        return None

    def import_image(self, archive: Path, name: str, limit: float) -> str | None:
        self.images[name] = Image(f"sha256:{_sha(name)}", {LABEL_SOURCE: name})
        return None

    def preparing(self, source: Source, name: str | None) -> AbstractContextManager[None]:
        return nullcontext()  # nothing takes time here

    def bring_up(
        self,
        source: Source,
        config: Mapping[str, Any],
        report: Report,
        limit: float,
        *,
        unfinished: set[str],
        hold: Sequence[int] = (),
        start: bool = True,
    ) -> None:
        unfinished.clear()
        config = replaced(config, "$$", "$")
        self._make_networks(config, report)
        for item in (config.get("volumes") or {}).values():
            self._volumes.setdefault(str(item["name"]), dict(item.get("labels") or {}))
        for name in _in_order(config["services"]):
            for container in self._make_service(name, config, report):
                if start and container.record.state in ("created", "exited"):
                    self.change("start", container.record.id)
                    report(f"Container {container.record.name} Started")

    def _make_networks(self, config: Mapping[str, Any], report: Report) -> None:
        known = {network.name for network in list(self._networks.values())}
        for item in config["networks"].values():
            name = str(item["name"])
            if name in known:
                continue
            if item.get("external"):
                why = f"network {name} declared as external, but could not be found"
                raise LabError("compose-failed", verb="up", why=why)
            pools = [str(pool["subnet"]) for pool in (item.get("ipam") or {}).get("config") or () if "subnet" in pool]
            subnets = making.subnets(pools, list(self._networks.values()), ipv6=bool(item.get("enable_ipv6")))
            labels = {COMPOSE_PROJECT: str(config["name"]), **(item.get("labels") or {})}
            mtu = mtu_of(item.get("driver_opts"))
            self._networks[name] = Network(name, name, labels, subnets, bool(item.get("internal")), mtu)
            report(f"Network {name} Created")

    def _make_service(self, name: str, config: Mapping[str, Any], report: Report) -> Iterator[MemoryContainer]:
        """Its containers as they are to be: those that stay the same, and new ones in the place of others."""
        project, service = str(config["name"]), config["services"][name]
        title = str(service.get("image") or f"{project}-{name}")
        image = self.images.get(title)
        if image is None:
            raise LabError("compose-failed", verb="up", why=f"No such image: {title}")
        owner = self._of_service(project, owner_of(service.get("network_mode")) or "")
        if owner:
            service = {**service, "network_mode": f"container:{owner[0].record.id}"}
        wanted, there = replicas(service), {_number(item): item for item in self._of_service(project, name)}
        labels = {COMPOSE_HASH: _digest(replaced(service, "$", "$$")), COMPOSE_IMAGE: image.id}
        for number in [number for number in there if number > wanted]:
            del self._containers[there[number].record.id]
        for number in range(1, wanted + 1):
            container = there.get(number)
            if container is None or any(container.record.labels.get(key) != value for key, value in labels.items()):
                if container:
                    del self._containers[container.record.id]
                order = making.Order(project, name, number, title, image, service, labels)
                container = making.container(order, self._new_id(), config["networks"], self._networks)
                self._containers[container.record.id] = container
                report(f"Container {container.record.name} Created")
            yield container

    def _of_service(self, project: str, service: str) -> list[MemoryContainer]:
        wanted = {COMPOSE_PROJECT: project, COMPOSE_SERVICE: service}
        return [item for item in list(self._containers.values()) if wanted.items() <= item.record.labels.items()]


def _in_order(services: Mapping[str, Any]) -> Iterable[str]:
    """Each service after those that it waits for."""
    out: dict[str, None] = {}

    def add(name: str, before: tuple[str, ...]) -> None:
        if name in before:
            raise LabError(
                "compose-failed", verb="up", why=f"dependency cycle detected: {' -> '.join((*before, name))}"
            )
        for other in services[name].get("depends_on") or ():
            if other in services and other not in out:
                add(other, (*before, name))
        out[name] = None

    for name in services:
        if name not in out:
            add(name, ())
    return out


def _number(container: MemoryContainer) -> int:
    return int(container.record.labels.get(COMPOSE_NUMBER, "1"))


def _digest(service: Mapping[str, Any]) -> str:
    return _sha({key: value for key, value in service.items() if key not in _UNCOMPARED and not key.startswith("x-")})


def _sha(*values: Any) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True, default=str).encode()).hexdigest()
