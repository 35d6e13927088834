"""What an engine answers that is one machine's, where another one is several (labctl.engine.several)."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self, cast

from labctl.engine.machines import Clock
from labctl.engine.projects import Report

if TYPE_CHECKING:
    from labctl.engine.model import Engine
    from labctl.engine.swarm import MachineEngine


class Alone:
    """A part of an Engine."""

    machines: tuple[str, ...] = ("",)
    publishes = True
    _builder: Callable[[], Engine] | None = None

    @property
    def builder(self) -> Engine:
        return self._builder() if self._builder else cast("Engine", self)

    @property
    def missing(self) -> Mapping[str, str]:
        """None; where it doesn't answer, that is an error."""
        return {}

    def called(self, machine: str, builder: Callable[[], Engine]) -> Self:
        other = copy.copy(self)
        other.machines, other._builder = (machine,), builder
        return other

    def narrowed(self, machines: Iterable[str]) -> Self:
        return self

    def placing(self, machines: Sequence[str], places: Mapping[str, str], policy: str) -> Self:
        return self

    def shares(self, config: Mapping[str, Any]) -> Mapping[str, Mapping[str, Sequence[int]]]:
        return {}

    def clock(self, container: str) -> Clock:
        """There is one, and nothing to correct."""
        return Clock()

    def distribute(self, images: Sequence[str], report: Report, limit: float) -> None:
        """They are where they are needed, unless another engine builds."""
        if self._builder:
            from labctl.engine.several.images import send

            mine = {self.machines[0]: cast("MachineEngine", self)}
            send(cast("MachineEngine", self.builder), mine, images, report, limit)
