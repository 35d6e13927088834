"""See labctl.engine.several."""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Self
from weakref import WeakKeyDictionary

from labctl.cancel import Cancel
from labctl.engine.at_once import at_once
from labctl.engine.docker.client import DockerEngine
from labctl.engine.machines import Clock
from labctl.engine.model import (
    PROBE_IMAGE,
    Container,
    Details,
    Engine,
    Image,
    Listening,
    Network,
    ProbeOrder,
    Process,
    Stream,
    StreamEvent,
    Volume,
)
from labctl.engine.settings import Settings
from labctl.engine.several.clocks import Clocks
from labctl.engine.several.corrected import corrected, shifted
from labctl.engine.several.making import SeveralProjects
from labctl.engine.several.members import Members
from labctl.engine.several.spreading import Wish
from labctl.errors import EngineRefused


class SeveralEngines(SeveralProjects):
    """An Engine. `engines` are by the names of their machines; the `silent` ones may be missing without a word. `usual`
    is the one that builds, where it answers; it needs to be none of them."""

    machine: str | None = None
    publishes = True
    is_local = False  # what is tried on this machine says nothing about the others

    def __init__(self, engines: Mapping[str, Engine], silent: Iterable[str] = (), usual: Engine | None = None) -> None:
        self.members = Members(engines, silent)
        self.cancels: tuple[Cancel, ...] = ()
        self.usual = usual
        self.wish: Wish | None = None
        # Of streams whose lines have times; None until one comes.
        self._corrections: WeakKeyDictionary[Stream, int | None] = WeakKeyDictionary()
        self._clocks = Clocks()

    def cancelled_by(self, *cancels: Cancel) -> Self:
        other = copy.copy(self)
        other.cancels = cancels
        other.members = self.members.with_engines(
            {name: engine.cancelled_by(*cancels) for name, engine in self.members.engines.items()}
        )
        return other

    @property
    def machines(self) -> tuple[str, ...]:
        return tuple(self.members.engines)

    def called(self, machine: str, builder: Callable[[], Engine]) -> Engine:
        return self

    def narrowed(self, machines: Iterable[str]) -> Engine:
        wanted = set(machines)
        left = {name: engine for name, engine in self.members.engines.items() if name in wanted}
        if not left or len(left) == len(self.members.engines):
            return self
        if len(left) == 1:
            name, engine = next(iter(left.items()))
            return engine.called(name, lambda: self.builder) if name else engine
        other = copy.copy(self)
        other.members = self.members.with_engines(left)
        return other

    def placing(self, machines: Sequence[str], places: Mapping[str, str], policy: str) -> Engine:
        other = copy.copy(self)
        other.wish = Wish(tuple(machines), places, policy)
        return other

    @property
    def missing(self) -> Mapping[str, str]:
        return self.members.missing

    def clock(self, container: str) -> Clock:
        machine = self.members.machine_of(container)
        return self._clocks.of(machine, self.members.engines[machine], container)

    @property
    def where(self) -> str:
        return "; ".join(f"{name}: {engine.where}" for name, engine in self.members.engines.items())

    @property
    def half_closes(self) -> bool:
        return all(engine.half_closes for engine in self.members.engines.values())

    def containers(self, labels: Sequence[str] = (), *, running: bool = False) -> list[Container]:
        every = self.members.all(lambda name, engine: self.members.listed(name, engine, labels, running=running))
        found: dict[str, Container] = {}
        for name, several in every.items():
            for one in several:
                found.setdefault(one.id, one._replace(machine=name))
        return sorted(found.values(), key=lambda container: container.name)

    def details(self, container: str) -> Details:
        return self.members.of(container).details(container)

    def settings(self, container: str) -> Settings:
        return self.members.of(container).settings(container)

    def listening(self, pids: Mapping[str, int]) -> dict[str, tuple[Listening, ...]]:
        found: dict[str, tuple[Listening, ...]] = {}

        def ask(engine: Engine, several: Sequence[str]) -> None:
            found.update(engine.listening({ident: pids[ident] for ident in several}))

        at_once([partial(ask, engine, several) for engine, several in self._by_engine(pids)])
        return found

    def networks(self, labels: Sequence[str] = ()) -> list[Network]:
        """An overlay is one network, on however many machines it is seen."""
        found: dict[str, Network] = {}
        for several in self.members.all(lambda _, engine: engine.networks(labels)).values():
            for one in several:
                found.setdefault(one.id, one)
        return list(found.values())

    def volumes(self, labels: Sequence[str]) -> list[Volume]:
        """Those of one name on several machines are given once."""
        every = self.members.all(lambda _, engine: engine.volumes(labels)).values()
        return list({one.name: one for several in every for one in several}.values())

    def create_volume(self, name: str, labels: Mapping[str, str]) -> Volume:
        return self._first.create_volume(name, labels)

    def image(self, name: str) -> Image | None:
        return self.builder.image(name)

    def images_with(self, labels: Sequence[str]) -> list[Image]:
        every = self.members.all(lambda _, engine: engine.images_with(labels)).values()
        return list({one.id: one for several in every for one in several}.values())

    def remove_image(self, image: str) -> None:
        self.members.all(lambda _, engine: engine.remove_image(image))

    def info(self) -> dict[str, Any]:
        return self._first.info()

    def attach(self, container: str, *, keyboard: bool) -> Stream:
        return self._timed(self.members.of(container).attach(container, keyboard=keyboard))

    def logs(
        self, container: str, *, follow: bool = False, since: str | None = None, tail: int | None = None
    ) -> Stream:
        correction = self.clock(container).correction if since else 0
        begin = shifted(since, correction) if since and correction else since
        return self._timed(self.members.of(container).logs(container, follow=follow, since=begin, tail=tail))

    def wait(self, streams: Iterable[Stream], deadline: float | None) -> Iterator[StreamEvent]:
        # Streams are sockets, and one engine can wait for another's.
        for happening in self._any.wait(streams, deadline):
            correction = self._correction(happening.stream) if happening.line else 0
            if correction and happening.line:
                yield StreamEvent(happening.stream, corrected(happening.line, correction))
            else:
                yield happening

    def _timed(self, stream: Stream) -> Stream:
        """A stream whose lines are to have the times of the others' clock."""
        machine = self.members.machine_of(stream.container)
        self._clocks.begin(machine, self.members.engines[machine], stream.container)
        self._corrections[stream] = None
        return stream

    def _correction(self, stream: Stream) -> int:
        found = self._corrections.get(stream, 0)
        if found is None:
            found = self._corrections[stream] = self.clock(stream.container).correction
        return found

    def converse(self, stream: Stream, source: int | None, deadline: float | None) -> Iterator[StreamEvent]:
        return self.members.of(stream.container).converse(stream, source, deadline)

    def change(self, verb: str, container: str, *, limit: float = 30, signal: str | None = None) -> None:
        engine = self.members.of(container)
        self._starting(engine, lambda: engine.change(verb, container, limit=limit, signal=signal), limit)

    def run_probe(
        self,
        command: Sequence[str],
        *,
        network: str,
        labels: Mapping[str, str],
        limit: float = 30,
        image: str = PROBE_IMAGE,
    ) -> str:
        kind, _, ident = network.partition(":")
        engine = self.members.of(ident) if kind == "container" else self._first
        return engine.run_probe(command, network=network, labels=labels, limit=limit, image=image)

    def create_probe(self, probe: ProbeOrder) -> str | None:
        machine = self.members.machine_of(probe.target)
        made = self.members.engines[machine].create_probe(probe)
        if made:
            self.members.note(machine, [made])
            self.members.probes.add(made)
        return made

    def open(
        self,
        container: str,
        command: Sequence[str],
        *,
        lines: bool = True,
        environment: Mapping[str, str] | None = None,
    ) -> Stream:
        stream = self.members.of(container).open(container, command, lines=lines, environment=environment)
        # What a probe says are events; what a command of somebody's prints stays as it is.
        return self._timed(stream) if lines and container in self.members.probes else stream

    def status(self, stream: Stream) -> int | None:
        return self.members.of(stream.container).status(stream)

    def top(self, container: str) -> list[Process]:
        return self.members.of(container).top(container)

    def archive(self, container: str, path: str) -> Iterator[bytes]:
        return self.members.of(container).archive(container, path)

    def limit_processes(self, container: str, count: int) -> None:
        self.members.of(container).limit_processes(container, count)

    def remove_container(self, container: str) -> None:
        """One on a machine that doesn't answer is left, and the machine is `missing` from then on."""

        def remove(_: str, engine: Engine) -> None:
            if isinstance(engine, DockerEngine):
                with contextlib.suppress(EngineRefused):  # it is gone by now, or on none
                    engine.leave_overlays(container)
            engine.remove_container(container)

        self.members.some([self.members.machine_of(container)], remove)

    def remove_volume(self, volume: str) -> None:
        self.members.all(lambda _, engine: engine.remove_volume(volume))

    def _by_engine(self, containers: Iterable[str]) -> list[tuple[Engine, list[str]]]:
        found: dict[str, list[str]] = {}
        for ident in containers:
            found.setdefault(self.members.machine_of(ident), []).append(ident)
        return [(self.members.engines[name], several) for name, several in found.items()]
