"""The networks of a lab over several machines, made and removed by the swarm's manager, and what starts on them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from labctl.cancel import Cancel, sleep
from labctl.engine.docker.client import DockerEngine
from labctl.engine.model import COMPOSE_PROJECT, LABEL_HOSTS, Engine
from labctl.engine.projects import Report
from labctl.engine.several import fabric
from labctl.engine.several.members import Members
from labctl.engine.swarm import membership
from labctl.errors import EngineRefused, LabError

if TYPE_CHECKING:
    from labctl.engine.docker.project.identity import Identity

READY = "ready"  # the state of a machine that its swarm's manager hears of
LEAVING = 20.0  # seconds for the swarm to see that a network's last containers are gone
APPEARING = 15.0  # seconds for a network to be there on one more machine
LOOK_AGAIN = 0.2
_GONE = re.compile(r"network \S+ not found", re.I)  # which a manager says with any of HTTP's codes
_APPEARS = re.compile(r"could not find a network matching|network \S+ not found", re.I)
_UNANSWERED = re.compile(r"attach(ing)? to network.*deadline exceeded", re.I)


class SeveralOverlays:
    """See labctl.engine.several.making. What makes overlays is the first engine that is a manager of the swarm."""

    members: Members
    cancels: tuple[Cancel, ...]
    _manager: str | None = None

    def manager(self) -> Engine:
        """Raises LabError `no-manager`."""
        if self._manager not in self.members.engines or self._manager in self.members.missing:
            found = self.members.all(lambda _, engine: bool((engine.info().get("Swarm") or {}).get("ControlAvailable")))
            self._manager = next((name for name, is_manager in found.items() if is_manager), None)
        if self._manager is None:
            raise LabError("no-manager", machines=", ".join(self.members.engines))
        return self.members.engines[self._manager]

    def _make_overlays(self, config: Mapping[str, Any], identity: Identity, report: Report) -> None:
        wanted = fabric.overlays(config)
        if not wanted:
            return
        manager = self.manager()
        assert isinstance(manager, DockerEngine)
        there = {one.name: one for one in manager.networks()}
        labels = {LABEL_HOSTS: ",".join(self.members.engines)}
        for key, item in wanted.items():
            name = str(item["name"])
            before = there.get(name)
            if before is None:
                report(f"Network {name} Creating")
                body = fabric.body(str(config["name"]), key, item, identity.version, labels)
                manager.make_network(name, body)
                report(f"Network {name} Created")
            elif before.driver != "overlay":
                why = f"a {before.driver} network of that name is there"
                raise LabError("start-failed", why=f"network {name} can't reach over machines: {why}")

    def _starting(self, machine: Engine, start: Callable[[], object], limit: float) -> None:
        """Starts something on a machine, again where a network isn't there yet: it appears with the first container
        that asks for it, and one that asks for two may be answered before both have. And again within `limit` where the
        swarm's manager did not answer the machine in the engine's own time, as after a pause, and says that it is away.
        Raises LabError, `machine-kept-out` where it is the machine that can't join."""
        begun = time.monotonic()
        while True:
            try:
                start()
                return
            except EngineRefused as problem:
                why, took = str(problem.values.get("why")), time.monotonic() - begun
                appears = _APPEARS.search(why) and took <= APPEARING
                away = _UNANSWERED.search(why) and took <= limit and not self._is_ready(machine)
                if not appears and not away:
                    raise self._explained(machine, problem) from None
            sleep(LOOK_AGAIN, self.cancels)

    def _explained(self, machine: Engine, problem: LabError) -> LabError:
        why = str(problem.values.get("why"))
        name = next((name for name, engine in self.members.engines.items() if engine is machine), None)
        if not name or not _UNANSWERED.search(why):
            return problem
        return LabError("machine-kept-out", machine=name, why=why)

    def _is_ready(self, machine: Engine) -> bool:
        """Whether the swarm's manager says so of it."""
        try:
            node, manager = membership(machine.info()).node, self.manager()
            assert isinstance(manager, DockerEngine)
            return any(one.node == node and one.state == READY for one in manager.swarm_members())
        except LabError:
            return False

    def remove_network(self, network: str) -> None:
        """An overlay by the swarm's manager, any other by the engine that has it."""
        every = self.members.all(lambda _, engine: [one for one in engine.networks() if one.id == network])
        for name, found in every.items():
            if found and found[0].driver == "overlay":
                self._remove_overlay(network)
                return
            if found:
                self.members.engines[name].remove_network(network)

    def _remove_overlays(self, project: str) -> None:
        """Those of a project."""
        for network in self.manager().networks([f"{COMPOSE_PROJECT}={project}"]):
            if network.driver == "overlay":
                self._remove_overlay(network.id)

    def _remove_overlay(self, network: str) -> None:
        """The swarm takes its time to see that a container has left. And a manager may list what it has just removed:
        this returns when it doesn't any more, or the next lab of that name would be put on what is going."""
        deadline = time.monotonic() + LEAVING
        while True:
            try:
                self.manager().remove_network(network)
                break
            except EngineRefused as problem:
                why = str(problem.values.get("why"))
                if _GONE.search(why):
                    break
                if "in use by task" not in why or time.monotonic() > deadline:
                    raise
            sleep(LOOK_AGAIN, self.cancels)
        while time.monotonic() <= deadline and any(one.id == network for one in self.manager().networks()):
            sleep(LOOK_AGAIN, self.cancels)
