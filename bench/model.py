"""What a measurement gives: samples of ours and of theirs, taken in turn, and what they should come to."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Target:
    """What is wanted: of the ratio ours/theirs, or, `absolute`, of our median itself; at most `limit`, or at least."""

    limit: float
    absolute: bool = False
    at_least: bool = False

    def met_by(self, value: float) -> bool:
        return value >= self.limit if self.at_least else value <= self.limit


@dataclass(frozen=True)
class Result:
    """`ours` and `theirs` are samples in `unit`, number n of each taken one right after the other."""

    name: str
    what: str
    unit: str
    ours: tuple[float, ...]
    theirs: tuple[float, ...]
    against: str
    target: Target
    notes: tuple[str, ...] = ()

    @property
    def ratios(self) -> list[float]:
        """Of each pair: what slows the machine down for a while slows both of a pair."""
        return [ours / theirs for ours, theirs in zip(self.ours, self.theirs, strict=False)]

    @property
    def ratio(self) -> float | None:
        return statistics.median(self.ratios) if self.theirs else None

    @property
    def is_met(self) -> bool:
        value = statistics.median(self.ours) if self.target.absolute else self.ratio
        return value is not None and self.target.met_by(value)

    def as_json(self) -> dict[str, Any]:
        out: dict[str, Any] = {"name": self.name, "what": self.what, "unit": self.unit, "ours": _summary(self.ours)}
        if self.theirs:
            out["theirs"] = {"what": self.against, **_summary(self.theirs)}
            ratios = self.ratios
            out["ratio"] = {
                "median": round(statistics.median(ratios), 4),
                "min": round(min(ratios), 4),
                "max": round(max(ratios), 4),
            }
        out["target"] = {
            "of": "median" if self.target.absolute else "ratio",
            "at_least" if self.target.at_least else "at_most": self.target.limit,
        }
        out["met"] = self.is_met
        if self.notes:
            out["notes"] = list(self.notes)
        return out


def _summary(samples: tuple[float, ...]) -> dict[str, Any]:
    return {
        "median": round(statistics.median(samples), 4),
        "min": round(min(samples), 4),
        "max": round(max(samples), 4),
        "samples": [round(sample, 4) for sample in samples],
    }


@dataclass(frozen=True)
class Setting:
    """What all measurements share: how many pairs to take, and whom to tell what goes on."""

    runs: int
    tell: Callable[[str], None]

    def alternate(self, what: str, *sides: Callable[[], float], runs: int | None = None) -> list[tuple[float, ...]]:
        """Each side once for warming up, then A B A B ...: the samples of each side, in order."""
        samples: list[list[float]] = [[] for _ in sides]
        for number in range((runs or self.runs) + 1):
            measured = [side() for side in sides]
            shown = " : ".join(f"{value:.4g}" for value in measured)
            self.tell(f"{what}: {shown}" + (" (warming up)" if number == 0 else ""))
            if number:
                for kept, value in zip(samples, measured, strict=True):
                    kept.append(value)
        return [tuple(kept) for kept in samples]
