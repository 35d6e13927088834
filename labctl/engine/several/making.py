"""Whole topologies over several engines: which container goes where, made by each engine, and started in one order."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labctl.cancel import Cancel
from labctl.engine.at_once import at_once
from labctl.engine.docker.client import DockerEngine
from labctl.engine.model import LABEL_HOSTS, LABEL_LAB, Container, Engine, Network
from labctl.engine.nodes import NodeOrder
from labctl.engine.projects import Reading, Report
from labctl.engine.several import fabric, spreading
from labctl.engine.several.overlays import SeveralOverlays
from labctl.engine.several.spreading import Wish
from labctl.errors import LabError, MachineKeptOut

if TYPE_CHECKING:
    from labctl.engine.docker.project.identity import Identity
    from labctl.topology.builtin import Source

STOP_LIMIT = 30.0  # seconds for a container that goes elsewhere


class SeveralProjects(SeveralOverlays):
    """See labctl.engine.projects.Projects and labctl.engine.nodes.Nodes."""

    wish: Wish | None
    usual: Engine | None
    _asked: Engine | None = None

    @property
    def builder(self) -> Engine:
        """The engine that reads, builds and has the images: the usual one of this machine, where it answers, else the
        first of the others that does."""
        if self._asked is None:
            usual = self.usual
            if usual is not None:
                try:
                    usual.images_with(["dev.labctl.none"])
                except LabError:
                    usual = None
            self._asked = usual or self._first
        return self._asked

    @property
    def _first(self) -> Engine:
        """The first that answers."""
        engines = self.members.engines
        return next((engine for name, engine in engines.items() if name not in self.members.missing), self._any)

    @property
    def _any(self) -> Engine:
        return next(iter(self.members.engines.values()))

    def compose_version(self) -> tuple[int, int]:
        return self.builder.compose_version()

    def read(
        self,
        source: Source,
        *,
        name: str | None = None,
        text: str | None = None,
        variables: Mapping[str, str] = {},
        before: Callable[[], None] | None = None,
    ) -> Reading:
        return self.builder.read(source, name=name, text=text, variables=variables, before=before)

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
        self.builder.build(source, services, report, limit, name=name, variables=variables)

    def preparing(self, source: Source, name: str | None) -> AbstractContextManager[None]:
        return self.builder.preparing(source, name)

    def registry_answers(self, image: str) -> str | None:
        return self.builder.registry_answers(image)

    def pull(self, image: str, limit: float) -> str | None:
        return self.builder.pull(image, limit)

    def import_image(self, archive: Path, name: str, limit: float) -> str | None:
        return self.builder.import_image(archive, name, limit)

    def distribute(self, images: Sequence[str], report: Report, limit: float) -> None:
        from labctl.engine.several.images import send

        found = {name: engine for name, engine in self.members.engines.items() if isinstance(engine, DockerEngine)}
        source = self.builder
        if isinstance(source, DockerEngine):
            targets = {name: engine for name, engine in found.items() if engine is not source}
            send(source, targets, images, report, limit)

    def client(self, arguments: Sequence[str]) -> tuple[list[str], dict[str, str]]:
        """That of the engine which has the container that the arguments name."""
        for word in arguments:
            if len(word) == 64:
                return self.members.of(word).client(arguments)
        return self.builder.client(arguments)

    def hashes(self, source: Source, config: Mapping[str, Any]) -> dict[str, str]:
        return self.builder.hashes(source, config)

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
        from labctl.engine.docker.project.starter import Starter, again, run_on
        from labctl.engine.docker.project.workers import Workers
        from labctl.engine.making.values import replaced

        engines = self._makers(config)
        self._refuse_missing()  # what it has would be made once more
        whole = fabric.with_mtu(replaced(config, "$$", "$"))
        project = str(config["name"])
        unfinished.clear()
        shares = self._spread(whole, report)
        builder = self.builder
        assert isinstance(builder, DockerEngine)
        identity = builder.identity(source, project)
        identity.begin()
        self._make_overlays(whole, identity, report)
        before = run_on(whole["services"], partial(self._whole, project))
        made = self._make_containers(whole, shares, engines, lambda: identity, report, limit, unfinished)
        for container in again(whole["services"], before, made):
            self.members.of(container.id).change("stop", container.id, limit=limit)
        if start:
            with Workers(limit, self.cancels, set()) as starters:
                begin = partial(self._begin, limit=limit)
                Starter(lambda: self._whole(project), begin, whole, made, starters, report).start()

    def unmake(self, project: str, problem: LabError) -> bool:
        if not isinstance(problem, MachineKeptOut):
            return False
        # As after an engine was killed: what it has left in the kernel keeps it out of the network for good, and is
        # taken away with the network (error creating vxlan interface: file exists).
        at_once([partial(self.members.of(one.id).remove_container, one.id) for one in self._of_project(project)])
        self._remove_overlays(project)
        return True

    def _makers(self, config: Mapping[str, Any]) -> dict[str, DockerEngine]:
        """The engines, which must make all that the configuration asks for. Raises LabError `hosts-unmade`."""
        found: dict[str, DockerEngine] = {}
        for name, engine in self.members.engines.items():
            assert isinstance(engine, DockerEngine)
            why = engine.left_to_compose(config)
            if why:
                raise LabError("hosts-unmade", machine=name, why=why)
            found[name] = engine
        return found

    def _refuse_missing(self) -> None:
        """Raises LabError `host-silent`."""
        for machine, why in self.members.missing.items():
            raise LabError("host-silent", machine=machine, why=why)

    def _whole(self, project: str) -> list[Container]:
        """As `_of_project`, of all machines. Raises LabError `host-silent`."""
        found = self._of_project(project)
        self._refuse_missing()
        return found

    def _of_project(self, project: str) -> list[Container]:
        """All containers of a project's services. Raises LabError."""
        from labctl.engine.model import COMPOSE_ONEOFF, COMPOSE_PROJECT

        labels = [f"{COMPOSE_PROJECT}={project}", f"{COMPOSE_ONEOFF}=False"]
        return self.containers(labels)

    if TYPE_CHECKING:  # the other half of it has that: labctl.engine.several.engine

        def containers(self, labels: Sequence[str] = (), *, running: bool = False) -> list[Container]: ...

    def _begin(self, container: Container, *, limit: float) -> None:
        engine = self.members.of(container.id)
        assert isinstance(engine, DockerEngine)
        self._starting(engine, lambda: engine.begin(container, limit=limit), limit)

    def shares(self, config: Mapping[str, Any]) -> dict[str, dict[str, list[int]]]:
        there = {key: one.machine for key, one in self._present(config).items()}
        return spreading.spread(config, self.wish or Wish(tuple(self.members.engines)), there)

    def _present(self, config: Mapping[str, Any]) -> dict[spreading.One, Container]:
        """The containers of a configuration's services that are there, by service and number."""
        from labctl.engine.model import COMPOSE_NUMBER, COMPOSE_SERVICE

        found = {
            (one.labels.get(COMPOSE_SERVICE, ""), int(one.labels.get(COMPOSE_NUMBER) or 0)): one
            for one in self._of_project(str(config["name"]))
        }
        return {key: one for key, one in found.items() if key[0] in config["services"]}

    def _spread(self, config: Mapping[str, Any], report: Report) -> dict[str, dict[str, list[int]]]:
        """Which containers each machine is to have. Those that are to be elsewhere, or are too many, are removed: their
        addresses are needed."""
        shares = self.shares(config)
        stays = {
            (service, number): machine
            for machine, services in shares.items()
            for service, numbers in services.items()
            for number in numbers
        }
        going = [one for key, one in self._present(config).items() if stays.get(key) != one.machine]

        def remove(one: Container) -> None:
            self.members.of(one.id).change("stop", one.id, limit=STOP_LIMIT)
            self.members.of(one.id).remove_container(one.id)
            report(f"Container {one.name} Removed")

        at_once([partial(remove, one) for one in going])
        return shares

    def _make_containers(
        self,
        config: Mapping[str, Any],
        shares: Mapping[str, Mapping[str, Sequence[int]]],
        engines: Mapping[str, DockerEngine],
        identify: Callable[[], Identity],
        report: Report,
        limit: float,
        unfinished: set[str],
    ) -> dict[str, list[str]]:
        """All there on all engines, nothing started: the ids of each service's containers."""
        from labctl.engine.docker.project.maker import Share

        overlays = frozenset(str(item["name"]) for item in fabric.overlays(config).values())
        labels = {LABEL_HOSTS: ",".join(engines)}
        found: dict[str, list[str]] = {name: [] for name in config["services"]}
        lock, stop = threading.Lock(), Cancel()

        def tell(line: str) -> None:
            with lock:
                report(line)

        def one(machine: str) -> None:
            share = Share(shares[machine], overlays, labels)
            made = engines[machine].make_share(
                _part(config, shares[machine]), tell, limit, identify, share, (*self.cancels, stop), unfinished
            )
            with lock:
                for name, idents in made.items():
                    found[name] += idents
                    self.members.note(machine, idents)

        busy = [machine for machine in engines if shares.get(machine)]
        at_once([partial(one, machine) for machine in busy], stop=stop.cancel)
        return found

    def create_node(self, order: NodeOrder) -> str | None:
        beside = self.members.machine_of(order.shares) if order.shares else ""
        machine = order.machine or beside or self._emptiest(order)
        why = ""
        if machine not in self.members.engines:
            why = f"it is none of {', '.join(self.members.engines)}"
        elif beside and machine != beside:
            why = f"the host whose network it is to have is on {beside}"
        if why:
            raise LabError("bad-place", node=order.hostname, machine=machine, why=why)
        labels = {**order.labels, LABEL_HOSTS: ",".join(self.members.engines)}
        made = self.members.engines[machine].create_node(order._replace(labels=labels))
        self.members.note(machine, [made] if made else [])
        return made

    def send_folder(self, container: str, folder: str, place: str) -> None:
        self.members.of(container).send_folder(container, folder, place)

    def _emptiest(self, order: NodeOrder) -> str:
        """The machine with the fewest containers of a node's lab."""
        lab = order.labels.get(LABEL_LAB, "")
        count = dict.fromkeys(self.members.engines, 0)
        for one in self.containers([f"{LABEL_LAB}={lab}"]):
            count[one.machine] += 1
        return min(count, key=lambda name: count[name])

    def create_network(self, name: str, labels: Mapping[str, str], subnet: str, *, internal: bool = False) -> Network:
        """An overlay."""
        there = next((one for one in self.manager().networks() if one.name == name), None)
        if there:
            return there
        manager = self.manager()
        assert isinstance(manager, DockerEngine)
        body = {
            "Name": name,
            "Driver": "overlay",
            "Attachable": True,
            "Internal": internal,
            "Options": {fabric.MTU_OPTION: str(fabric.MTU)},
            "Labels": {**labels, LABEL_HOSTS: ",".join(self.members.engines)},
            "IPAM": {"Config": [{"Subnet": subnet}]},
        }
        manager.make_network(name, body)
        return next(one for one in manager.networks() if one.name == name)

    def join(self, network: str, container: str, aliases: Sequence[str]) -> str:
        return self.members.of(container).join(network, container, aliases)

    def leave(self, network: str, container: str) -> None:
        self.members.of(container).leave(network, container)


def _part(config: Mapping[str, Any], share: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """What one machine has to know of a configuration: its services, and what those need."""
    services = {name: config["services"][name] for name in share}
    used = {mount.get("source") for service in services.values() for mount in service.get("volumes") or ()}
    volumes = {key: item for key, item in (config.get("volumes") or {}).items() if key in used}
    attached = {key for service in services.values() for key in service.get("networks") or ("default",)}
    networks = config.get("networks") or {}
    kept = {key: item for key, item in networks.items() if key in attached or not spreading.is_local(item)}
    return {**config, "services": services, "volumes": volumes, "networks": kept}
