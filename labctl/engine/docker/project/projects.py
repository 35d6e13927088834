"""Whole topologies on a Docker engine: made over its API where labctl knows all that they hold, else by Compose."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from labctl.ahead import imported
from labctl.engine.compose.projects import ComposeProjects
from labctl.engine.projects import Reading, Report

if TYPE_CHECKING:
    from pathlib import Path

    from labctl.cancel import Cancel
    from labctl.engine.docker.project.identity import Identity, Later
    from labctl.engine.docker.project.maker import Share
    from labctl.engine.docker.wire import Wire
    from labctl.engine.model import Container
    from labctl.topology.builtin import Source

API = (1, 44)  # the first that takes a container's networks all at once
# With these Compose makes other things of the same file.
_VARIABLES = ("COMPOSE_COMPATIBILITY", "DOCKER_DEFAULT_PLATFORM")


class DockerProjects(ComposeProjects):
    """See labctl.engine.projects.Projects."""

    _wire: Wire
    _version: Later[str] | None = None
    _is_making = False  # a project, in the end
    _settle: tuple[Callable[[], None], ...] = ()  # what waits for each question under way

    def read(
        self,
        source: Source,
        *,
        name: str | None = None,
        text: str | None = None,
        variables: Mapping[str, str] = {},
        before: Callable[[], None] | None = None,
    ) -> Reading:
        if self._is_making:  # only now: two programs and labctl's own imports are one too many for two cores
            self._ask_version()
        return super().read(source, name=name, text=text, variables=variables, before=before)

    @contextlib.contextmanager
    def preparing(self, source: Source, name: str | None) -> Iterator[None]:
        with super().preparing(source, name):
            self._is_making = True
            # What makes it, while Compose reads the file.
            imported(f"{__package__}.maker")
            try:
                yield
            finally:
                for settle in self._settle:
                    settle()
                self._settle = ()

    def _ask_version(self) -> Later[str]:
        from labctl.engine.docker.project.identity import Later

        if self._version is None:
            self._version = Later(self._command(None, {}).full_version)
            self._settle = (*self._settle, self._version.settle)
        return self._version

    def hashes(self, source: Source, config: Mapping[str, Any]) -> dict[str, str]:
        if self.left_to_compose(config):
            return super().hashes(source, config)
        from labctl.engine.docker.project import observed
        from labctl.engine.making import container
        from labctl.engine.making.references import resolved
        from labctl.engine.making.values import replaced
        from labctl.topology.model import owner_of

        whole = observed.with_ids(replaced(config, "$$", "$"), observed.networks(self._wire))
        there = observed.containers(self._wire, str(config["name"]))
        owners = {name: found[0].container.id for name, found in there.items()}
        return {
            name: container.digest(whole, name, resolved(service, owners))
            for name, service in whole["services"].items()
            if (owner_of(service.get("network_mode")) or name) in {name, *owners}
        }

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
        why = self.left_to_compose(config)
        if why:
            report(f"note: `docker compose` makes this lab: {why}")
            slow = start and starts_in_turn(config)
            options: dict[str, Any] = {"unfinished": unfinished, "hold": hold}
            super().bring_up(source, config, report, limit, **options, start=start and not slow)
            if slow:
                self._start(config, self._made(str(config["name"])), report, limit)
            return
        from labctl.engine.docker.project.maker import Maker
        from labctl.engine.docker.project.starter import again, run_on
        from labctl.engine.docker.project.workers import Workers
        from labctl.engine.docker.wire import asked
        from labctl.engine.making.values import replaced
        from labctl.phases import reached

        whole = replaced(config, "$$", "$")
        reached("up:making")
        unfinished.clear()
        look = partial(self.of_project, str(config["name"]))
        before = run_on(whole["services"], look)
        with Workers(limit, self.cancels, unfinished) as workers:
            maker = Maker(self._wire, whole, workers, report, lambda: self.identity(source, str(config["name"])))
            containers = maker.make(start=start)
        for container in again(whole["services"], before, containers):
            asked(self._wire, f"stop {container.name}", "POST", f"/containers/{container.id}/stop", limit=limit)
        if start:
            self._start(whole, containers, report, workers.remaining, maker.begun)

    def _start(
        self,
        config: Mapping[str, Any],
        made: Mapping[str, Sequence[str]],
        report: Report,
        limit: float,
        begun: Collection[str] = (),
    ) -> None:
        """Starts those of a project's containers that don't run: ids by service; those that have `begun` already are
        left alone. Raises LabError."""
        from labctl.engine.docker.project.starter import Starter
        from labctl.engine.docker.project.workers import Workers

        look = partial(self.of_project, str(config["name"]))
        with Workers(limit, self.cancels, set()) as starters:  # what is started is there, whatever becomes of it
            begin = partial(self.begin, limit=limit)
            Starter(look, begin, config, made, starters, report, begun).start()

    def _made(self, name: str) -> dict[str, list[str]]:
        from labctl.engine.docker.project import observed

        return {
            service: [one.container.id for one in several]
            for service, several in observed.containers(self._wire, name).items()
        }

    def make_share(
        self,
        config: Mapping[str, Any],
        report: Report,
        limit: float,
        identify: Callable[[], Identity],
        share: Share,
        cancels: Collection[Cancel],
        unfinished: set[str],
    ) -> dict[str, list[str]]:
        """Makes this engine's share of a project that is on several; nothing is started. The ids of each service's
        containers. Raises LabError."""
        from labctl.engine.docker.project.maker import Maker
        from labctl.engine.docker.project.workers import Workers

        with Workers(limit, cancels, unfinished) as workers:
            return Maker(self._wire, config, workers, report, identify, share).make()

    def leave_overlays(self, container: str) -> None:
        """Takes a container that was never started off its networks. Raises LabError.

        Where its start failed, the swarm may have given it its place on an overlay; it is given back only so, and not
        by removing the container: the overlay could never be removed.
        """
        from labctl.engine.docker.wire import asked

        found = asked(self._wire, "look at a container", "GET", f"/containers/{container}/json")
        if found["State"]["Status"] == "created":
            for name in found["NetworkSettings"]["Networks"]:
                body = {"Container": container, "Force": True}
                asked(self._wire, "leave a network", "POST", f"/networks/{quote(name, safe='')}/disconnect", body=body)

    def make_network(self, name: str, body: Mapping[str, Any]) -> None:
        """`body` is that of POST /networks/create. Raises LabError."""
        from labctl.engine.docker.wire import asked

        asked(self._wire, f"make the network {name}", "POST", "/networks/create", body=body)

    def send_folder(self, container: str, folder: str, place: str) -> None:
        """See labctl.engine.nodes.Nodes."""
        machine = self.endpoint.machine
        if machine is not None:
            from labctl.engine.docker import sending

            sending.send(self._wire, container, folder, place, machine)

    def save_images(self, names: Sequence[str], archive: Path, limit: float) -> None:
        """Writes images to a file. Raises LabError."""
        from labctl.engine.docker import images

        images.save(self.endpoint, names, archive, limit)

    def load_images(self, archive: Path, limit: float) -> str | None:
        """Takes in what `save_images` wrote; None when it is there, else why not."""
        from labctl.engine.docker import images

        return images.load(self.endpoint, archive, limit)

    def identity(self, source: Source, name: str) -> Identity:
        """What Compose would write on a project's containers."""
        from labctl.engine.docker.project.identity import Identity

        reading = self._known[1] if self._known and self._known[0] == source else None
        found = Identity(self._command(source, {}), source, name, self._ask_version(), reading)
        self._settle = (*self._settle, found.settle)
        return found

    def of_project(self, name: str) -> list[Container]:
        """All containers of a project's services."""
        from labctl.engine.docker.project import observed

        return [one.container for several in observed.containers(self._wire, name).values() for one in several]

    def begin(self, container: Container, *, limit: float) -> None:
        """Starts one; in seconds. Raises LabError."""
        from labctl.engine.docker.wire import asked

        asked(self._wire, f"start {container.name}", "POST", f"/containers/{container.id}/start", limit=limit)

    def left_to_compose(self, config: Mapping[str, Any]) -> str | None:
        """Why a project is Compose's to make; None where labctl makes it as Compose would. Raises LabError."""
        from labctl.engine.compose import plugin
        from labctl.engine.making.known import unknown

        field = unknown(config)
        if field:
            return f"labctl doesn't make all of it ({field})"
        variable = next((name for name in _VARIABLES if os.environ.get(name)), None)
        if variable:
            return f"{variable} is set"
        if plugin.settings().get("proxies"):
            return "Docker's client is configured to tell containers of proxies"
        version = self._wire.api_version()
        if version < API:
            return f"the engine's API is {version[0]}.{version[1]}, and {API[0]}.{API[1]} is needed"
        return None


def starts_in_turn(config: Mapping[str, Any]) -> bool:
    """Whether Compose would start many containers of one service one after the other, though none waits for another:
    that takes it twice as long as starting several at once."""
    from labctl.topology.model import replicas

    services = config["services"].values()
    if any(service.get("depends_on") for service in services):
        return False  # whose order is Compose's business
    return any(replicas(service) > 1 for service in services)
