"""What an engine answers that is one machine's, where another one is several (labctl.engine.several)."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self

from labctl.engine.machines import Clock
from labctl.engine.projects import Report


class Alone:
    """A part of an Engine."""

    machines: tuple[str, ...] = ("",)

    @property
    def missing(self) -> Mapping[str, str]:
        """None; where it doesn't answer, that is an error."""
        return {}

    def called(self, machine: str) -> Self:
        other = copy.copy(self)
        other.machines = (machine,)
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
        """They are where they are needed."""
