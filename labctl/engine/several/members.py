"""The engines that are one, and which of them has which container."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from labctl.engine.at_once import at_once
from labctl.engine.model import LABEL_PROBE
from labctl.errors import EngineTimeout, EngineUnreachable, LabError

if TYPE_CHECKING:
    from labctl.engine.model import Container, Engine

T = TypeVar("T")
AGAIN = 5.0  # seconds after which an engine that did not answer is asked again


class Members:
    """Engines by the name of their machine. One that doesn't answer is left out for a while, and said to be `missing`;
    the `silent` ones are so without a word (the usual engine of a machine that may have none)."""

    def __init__(self, engines: Mapping[str, Engine], silent: Iterable[str] = ()) -> None:
        self.engines = dict(engines)
        self.silent = frozenset(silent)
        self.probes: set[str] = set()  # containers of labctl's own beside nodes, by id
        self._places: dict[str, str] = {}  # of containers, by id
        self._missing: dict[str, tuple[float, LabError]] = {}
        self._lock = threading.Lock()

    def with_engines(self, engines: Mapping[str, Engine]) -> Members:
        """The same with other engines, or some of them alone; what is known stays known."""
        other = Members(engines, self.silent)
        other.probes = self.probes
        other._places, other._missing, other._lock = self._places, self._missing, self._lock
        return other

    @property
    def missing(self) -> dict[str, str]:
        """Which machines did not answer when they were asked last, and why."""
        known = set(self.engines) - self.silent
        return {name: problem.message for name, (_, problem) in self._missing.items() if name in known}

    def all(self, ask: Callable[[str, Engine], T]) -> dict[str, T]:
        """Asks all at once; the answers of those that answer, in the order of the machines.

        Raises LabError where none does, and whatever else one of them says.
        """
        now = time.monotonic()
        found = self.some([name for name in self.engines if self._is_asked(name, now)], ask)
        if not found:
            raise next(problem for name, (_, problem) in self._missing.items() if name in self.engines)
        return {name: found[name] for name in self.engines if name in found}

    def some(self, machines: Iterable[str], ask: Callable[[str, Engine], T]) -> dict[str, T]:
        """Asks some of them; the answers of those that answer. Raises whatever else one of them says."""
        found: dict[str, T] = {}

        def one(name: str) -> None:
            try:
                found[name] = ask(name, self.engines[name])
                self._missing.pop(name, None)
            except (EngineUnreachable, EngineTimeout) as problem:
                self._missing[name] = (time.monotonic(), problem)

        at_once([partial(one, name) for name in machines])
        return found

    def _is_asked(self, name: str, now: float) -> bool:
        last = self._missing.get(name)
        return last is None or now - last[0] > AGAIN or len(self.engines) == 1

    def note(self, name: str, containers: Iterable[str]) -> None:
        """That these containers are on a machine."""
        with self._lock:
            self._places.update((ident, name) for ident in containers)

    def listed(self, name: str, engine: Engine, labels: Iterable[str], *, running: bool) -> list[Container]:
        found = engine.containers(list(labels), running=running)
        self.note(name, (one.id for one in found))
        self.probes.update(one.id for one in found if LABEL_PROBE in one.labels)
        return found

    def machine_of(self, container: str) -> str:
        """The machine that a container is on. Raises LabError `engine-refused`."""
        place = self._places.get(container)
        if place is None:
            self.all(lambda name, engine: self.listed(name, engine, (), running=False))
            place = self._places.get(container) or self._by_name(container)
        if place is None or place not in self.engines:
            raise LabError("engine-refused", action="find a container", why=f"no such container: {container[:12]}")
        return place

    def of(self, container: str) -> Engine:
        """The engine of a container. Raises LabError."""
        return self.engines[self.machine_of(container)]

    def _by_name(self, text: str) -> str | None:
        """Of a part of an id, or a container's name, as the engine takes both."""
        full = next((ident for ident in self._places if len(text) >= 12 and ident.startswith(text)), None)
        if full:
            return self._places[full]
        every = self.all(lambda name, engine: self.listed(name, engine, (), running=False))
        return next((name for name, found in every.items() if any(one.name == text for one in found)), None)
