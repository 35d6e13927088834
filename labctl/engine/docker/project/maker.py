"""Makes a project be as a configuration says, over the engine's API, several things at once.

First all networks and volumes, then all containers, then they are started; of a project of which none is there yet,
those that wait for nobody as soon as they are made. Containers that stay the same are left alone; one that changed is
replaced as Compose does it: the new one is made under a passing name, and only then the old one goes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import quote

from labctl.ahead import imported
from labctl.engine.docker.project import observed
from labctl.engine.docker.project.identity import Identity
from labctl.engine.docker.project.observed import Found, ImageFound
from labctl.engine.docker.project.workers import Workers
from labctl.engine.docker.wire import Wire, asked
from labctl.engine.making import container, networks
from labctl.engine.making.container import Place
from labctl.engine.making.labels import COMPOSE_REPLACE, Origin
from labctl.engine.making.references import levels, needed, resolved
from labctl.engine.model import COMPOSE_NETWORK
from labctl.errors import LabError
from labctl.named import NamedTuple
from labctl.phases import reached
from labctl.topology.model import owner_of, replicas

Report = Callable[[str], None]


class Wanted:
    """What is to become of a service's containers: their numbers, the old ones by number that are to be replaced, and
    those that are too many."""

    def __init__(self, digest: str, remove: Sequence[Found] = ()) -> None:
        self.digest = digest
        self.keep: list[Found] = []
        self.replace: list[Found] = []
        self.make: list[int] = []
        self.remove = list(remove)


def wanted(there: list[Found], count: int, digest: str, image: str) -> Wanted:
    """As Compose has it: the lowest numbers stay, and new ones are above all that there are."""
    out = Wanted(digest, remove=there[count:])
    for one in there[:count]:
        (out.keep if one.is_as(digest, image) else out.replace).append(one)
    above = max((one.number for one in there), default=0) + 1
    out.make = list(range(above, above + count - min(count, len(there))))
    return out


def numbered(there: list[Found], numbers: Sequence[int], digest: str, image: str) -> Wanted:
    """As `wanted`, where those that are to be there are said by their numbers, and all others are gone."""
    out = Wanted(digest)
    kept = [one for one in there if one.number in numbers]
    for one in kept:
        (out.keep if one.is_as(digest, image) else out.replace).append(one)
    out.make = sorted(set(numbers) - {one.number for one in kept})
    return out


class Order(NamedTuple):
    """A container to be made: of the service `name`, with what that shares resolved."""

    name: str
    service: Mapping[str, Any]
    place: Place


class Share(NamedTuple):
    """The part of a project that one engine of several has: the numbers of each service's containers there, the names
    of networks that are made elsewhere, and labels that its containers get on top."""

    numbers: Mapping[str, Sequence[int]]
    networks: frozenset[str]
    labels: Mapping[str, str]


class Maker:
    """One run. `config` has no dollar sign twice any more; `identify` begins to ask for what Compose would write. With
    a `share`, that alone is made here. `begun` are the ids of containers that were started."""

    def __init__(
        self,
        wire: Wire,
        config: Mapping[str, Any],
        workers: Workers,
        report: Report,
        identify: Callable[[], Identity],
        share: Share | None = None,
    ) -> None:
        self._wire = wire
        self._share = share
        self._networks = observed.networks(wire)
        self._config = observed.with_ids(config, self._networks)
        self._project = str(config["name"])
        self._workers = workers
        self._report = report
        self._identify = identify
        self._identity: Identity | None = None
        self._ids: dict[str, dict[int, str]] = {}  # of each service's containers, by number
        self._starts = False
        self.begun: set[str] = set()

    def make(self, *, start: bool = False) -> dict[str, list[str]]:
        """All there: the ids of each service's containers. Nothing is started but, with `start`, what waits for nobody
        where none was there before: else another's old container could still have its address. Raises LabError."""
        there = self._whole(observed.containers(self._wire, self._project))
        self._starts = start and not any(there.values())
        services = self._config["services"]
        self._make_networks()
        self._make_volumes()
        if any(len(there.get(name, ())) < self._count(name) for name in services):
            self._who().begin()
        wanted_images = [
            container.image_of(self._config, name) for name in services if self._share is None or self._count(name)
        ]
        # While the engine makes the networks; the module is for who looks where nodes listen.
        imported("ctypes")
        images = observed.images(self._wire, wanted_images)
        # Who tries again where one's subnet was taken has to know of all others whether they are there.
        self._tell(settled=True)
        for names in levels(services):
            self._make_services(names, there, images)
        return {name: list(found.values()) for name, found in self._ids.items()}

    def _count(self, name: str) -> int:
        return len(self._share.numbers.get(name, ())) if self._share else replicas(self._config["services"][name])

    def _wanted(self, name: str, there: list[Found], digest: str, image: str) -> Wanted:
        if self._share is None:
            return wanted(there, self._count(name), digest, image)
        return numbered(there, self._share.numbers.get(name, ()), digest, image)

    def _whole(self, there: Mapping[str, list[Found]]) -> dict[str, list[Found]]:
        """What there is without the passing names that somebody left who was killed in the middle of a replacement: the
        new one goes where the old one is still there, else it gets the name."""
        idents = {one.container.id for several in there.values() for one in several}
        for one in (one for several in there.values() for one in several if one.passing):
            if one.container.labels.get(COMPOSE_REPLACE) in idents:
                idents.discard(one.container.id)
                job = partial(self._call, "remove a container", "DELETE", f"/containers/{one.container.id}", force=True)
            else:
                path = f"/containers/{one.container.id}/rename"
                job = partial(self._call, "rename a container", "POST", path, name=one.passing)
            self._workers.submit(one.container.name, job)
        self._tell()
        return {name: [one for one in several if one.container.id in idents] for name, several in there.items()}

    def _who(self) -> Identity:
        if self._identity is None:
            self._identity = self._identify()
        return self._identity

    def _make_networks(self) -> None:
        for key, item in (self._config.get("networks") or {}).items():
            name = str(item["name"])
            found = self._networks.get(name)
            if self._share and name in self._share.networks:
                continue
            if item.get("external"):
                if found is None:
                    raise LabError("start-failed", why=f"network {name} declared as external, but could not be found")
            elif found is None:
                self._ask("network", name, networks.network(self._project, key, item, self._who().version))
            elif found.labels.get(COMPOSE_NETWORK) != key:
                why = f"network {name} was found but has incorrect label {COMPOSE_NETWORK} set to"
                raise LabError("start-failed", why=f'{why} "{found.labels.get(COMPOSE_NETWORK, "")}"')

    def _make_volumes(self) -> None:
        known = self._config.get("volumes") or {}
        there = observed.volumes(self._wire) if known else set()
        for key, item in known.items():
            name = str(item["name"])
            if name not in there and item.get("external"):
                raise LabError("start-failed", why=f'external volume "{name}" not found')
            if name not in there:
                self._ask("volume", name, networks.volume(self._project, key, item, self._who().version))

    def _ask(self, kind: str, name: str, body: Mapping[str, Any]) -> None:
        title, path = kind.capitalize(), f"/{kind}s/create"
        job = partial(self._call, f"make the {kind} {name}", "POST", path, body=body)
        self._workers.submit(name, job, f"{title} {name} Created")
        self._report(f"{title} {name} Creating")  # who hears it may have something to do

    def _make_services(
        self, names: Sequence[str], there: Mapping[str, list[Found]], images: Mapping[str, ImageFound]
    ) -> None:
        """Of services that share only with those whose containers are there."""
        orders: list[tuple[Order, Found | None]] = []
        owners = {name: found[min(found)] for name, found in self._ids.items() if found}
        sharing = any(owner_of(self._config["services"][name].get("network_mode")) for name in names)
        for name in names:
            service = resolved(self._config["services"][name], owners)
            image = images[container.image_of(self._config, name)]
            digest = container.digest(self._config, name, service)
            todo = self._wanted(name, there.get(name, []), digest, image.id)
            self._ids[name] = {one.number: one.container.id for one in (*todo.keep, *todo.replace)}
            self._ids[name] |= dict.fromkeys(todo.make, "")
            for one in todo.remove:
                self._workers.submit(one.container.name, partial(self._remove, one))
            made: list[tuple[int, Found | None]] = [(one.number, one) for one in todo.replace]
            made += [(number, None) for number in todo.make]
            orders += [(Order(name, service, _place(number, image, old)), old) for number, old in made]
        if orders:
            origin = self._who().origin(owners if sharing else {})
            for order, old in orders:
                title = container.name_of(self._config, order.name, order.place.number)
                self._report(f"Container {title} {'Recreate' if old else 'Creating'}")
                job = partial(self._replace if old else self._create, title, order, origin)
                said = f"Container {title} {'Recreated' if old else 'Created'}"
                if self._starts and not needed(order.service):
                    job, said = partial(self._begin, title, order, origin), f"{said}\nContainer {title} Started"
                self._workers.submit(title, job, said)
        self._tell()

    def _create(self, title: str, order: Order, origin: Origin) -> str:
        body = container.body(self._config, order.name, order.service, order.place, origin)
        body["Labels"] |= self._share.labels if self._share else {}
        made = str(self._call(f"make {title}", "POST", f"/containers/create?name={quote(title)}", body=body)["Id"])
        self._ids[order.name][order.place.number] = made
        return made

    def _begin(self, title: str, order: Order, origin: Origin) -> None:
        made = self._create(title, order, origin)
        reached("up:container-created")
        self._call(f"start {title}", "POST", f"/containers/{made}/start")
        self.begun.add(made)

    def _replace(self, title: str, order: Order, origin: Origin) -> None:
        old = order.place.replaces
        made = self._create(f"{old[:12]}_{title}", order, origin)
        self._call(f"stop {title}", "POST", f"/containers/{old}/stop")
        self._call(f"remove {title}", "DELETE", f"/containers/{old}")
        self._call(f"rename {title}", "POST", f"/containers/{made}/rename", name=title)

    def _remove(self, one: Found) -> None:
        self._call(f"stop {one.container.name}", "POST", f"/containers/{one.container.id}/stop")
        self._call(f"remove {one.container.name}", "DELETE", f"/containers/{one.container.id}", force=True, v=True)

    def _call(self, action: str, method: str, path: str, **options: Any) -> Any:
        return asked(self._wire, action, method, path, limit=self._workers.limit, **options)

    def _tell(self, *, settled: bool = False) -> None:
        for one in self._workers.until_idle(settled=settled):
            for line in one.said.splitlines():
                self._report(line)


def _place(number: int, image: ImageFound, old: Found | None) -> Place:
    if old is None:
        return Place(number, image.id)
    return Place(number, image.id, image.volumes, old.mounts, old.container.id)
