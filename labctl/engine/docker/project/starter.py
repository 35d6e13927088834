"""Starts a project's containers: several at once, each service after those that it waits for.

They may be on several engines: how to look at them and how to start one is the caller's to say.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import Any

from labctl.engine.docker.project.workers import Workers
from labctl.engine.making.references import needed, restarted_with
from labctl.engine.model import COMPOSE_SERVICE, Container
from labctl.errors import LabError
from labctl.topology.model import replicas

LOOK_AGAIN = 0.1  # seconds, while somebody waits for another one's health or end
STARTABLE = ("created", "exited")
STARTED = "service_started"


class Starter:
    """One run. `made` are the ids of each service's containers, `begun` those that this run has started: one that has
    ended since has done its work. `look` gives all of the project as they are, `begin` starts one."""

    def __init__(
        self,
        look: Callable[[], Iterable[Container]],
        begin: Callable[[Container], object],
        config: Mapping[str, Any],
        made: Mapping[str, Sequence[str]],
        workers: Workers,
        report: Callable[[str], None],
        begun: Collection[str] = (),
    ) -> None:
        self._all = look
        self._start = begin
        self._services: Mapping[str, Mapping[str, Any]] = config["services"]
        self._made = made
        self._workers = workers
        self._report = report
        self._begun = begun
        self._state: dict[str, Container] = {}
        self._left: dict[str, set[str]] = {}  # containers of a service that begins, and aren't started yet
        self._passed: set[tuple[str, str]] = set()  # services, and others for which they wait no more

    def start(self) -> None:
        """Raises LabError `start-failed` where something that others wait for has failed."""
        if all(ident in self._begun for several in self._made.values() for ident in several):
            return
        self._look()
        waiting = list(self._services)
        while True:
            ready = [name for name in waiting if self._may_start(name)]
            for name in ready:
                self._begin(name)
            waiting = [name for name in waiting if name not in ready]
            if self._workers.is_idle and not waiting:
                return
            if ready:
                continue  # others may wait for what had nothing to start
            for one in self._workers.ended(LOOK_AGAIN if waiting else None):
                if one.problem:
                    raise one.problem
                service, _, _ = one.name.partition("/")
                self._left[service].discard(one.name)
                self._report(one.said)
            if waiting:  # for what has changed by itself, and for what runs now and had ended before
                self._look()

    def _look(self) -> None:
        self._state = {container.id: container for container in self._all()}

    def _begin(self, name: str) -> None:
        self._left[name] = set()
        for ident in self._made[name]:
            container = self._state[ident]
            if container.state in STARTABLE and ident not in self._begun:
                job = f"{name}/{ident}"
                self._left[name].add(job)
                self._report(f"Container {container.name} Starting")
                self._workers.submit(job, partial(self._start, container), f"Container {container.name} Started")

    def _may_start(self, name: str) -> bool:
        return all(self._is_well(name, other, wanted) for other, wanted in needed(self._services[name]).items())

    def _is_well(self, name: str, other: str, wanted: Mapping[str, Any]) -> bool:
        if (name, other) in self._passed or other not in self._services:
            return True
        if other not in self._left or self._left[other]:
            return False
        condition = str(wanted.get("condition") or STARTED)
        if condition != STARTED and replicas(self._services[other]):
            containers = [self._state[ident] for ident in self._made[other]]
            try:
                found = (
                    _completed(other, containers) if condition.startswith("service_completed") else _healthy(containers)
                )
            except LabError as problem:
                if wanted.get("required", True):
                    raise
                self._report(f"note: {name} doesn't wait for {other}: {problem.values['why']}")
                found = True
            if not found:
                return False
        self._passed.add((name, other))
        return True


def run_on(
    services: Mapping[str, Mapping[str, Any]], look: Callable[[], Iterable[Container]]
) -> dict[str, list[Container]]:
    """Before anything is made: the containers of services that `again` may name, and of those they depend on so. What
    is there is asked for only where there are such services."""
    behind = {name: others for name, service in services.items() if (others := restarted_with(service))}
    wanted = set(behind).union(*behind.values())
    found: dict[str, list[Container]] = {name: [] for name in wanted}
    for container in look() if wanted else ():
        if (name := container.labels.get(COMPOSE_SERVICE, "")) in wanted:
            found[name].append(container)
    return found


def again(
    services: Mapping[str, Mapping[str, Any]],
    before: Mapping[str, Sequence[Container]],
    made: Mapping[str, Sequence[str]],
) -> list[Container]:
    """The containers that go on and have to be stopped, so that they begin anew behind what they depend on with
    `restart: true` and was made anew: as the Compose specification has it, and Compose does from 2.35 on; earlier ones
    make anew whatever depends on it. `before` is from `run_on`, `made` as for Starter."""

    def is_new(name: str) -> bool:
        old = {one.id for one in before[name]}
        return bool(old - set(made.get(name, ()))) and bool(set(made.get(name, ())) - old)

    return [
        container
        for name, containers in before.items()
        if any(is_new(other) for other in restarted_with(services[name]))
        for container in containers
        if container.id in made[name] and container.state == "running"
    ]


def _healthy(containers: Sequence[Container]) -> bool:
    """Raises LabError `start-failed`, in Compose's own words."""
    for container in containers:
        if container.state == "exited":
            raise _failed(f"container {container.name} exited ({container.exit_code})")
        if container.state == "running" and container.health is None:
            raise _failed(f"container {container.name} has no healthcheck configured")
        if container.health == "unhealthy":
            raise _failed(f"container {container.name} is unhealthy")
    return all(container.health == "healthy" for container in containers)


def _failed(why: str) -> LabError:
    return LabError("start-failed", why=f"dependency failed to start: {why}")


def _completed(name: str, containers: Sequence[Container]) -> bool:
    """Raises LabError `start-failed`."""
    for container in containers:
        if container.state == "exited":
            if container.exit_code:
                why = f'service "{name}" didn\'t complete successfully: exit {container.exit_code}'
                raise LabError("start-failed", why=why)
            return True
    return False
