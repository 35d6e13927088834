"""Which of many alike cases a run takes: a seeded share of them, so that in time all are run.

The seed is the environment's LABCTL_SEED; without one, all cases are taken. tests/all.py gives each commit a seed of
its own, the same to all of its workers, and prints it; `make kill-matrix` and `make test-whole` take every case.
"""

import os
from collections.abc import Sequence
from random import Random
from typing import TypeVar

SEED = "LABCTL_SEED"

Case = TypeVar("Case")


def seed() -> str | None:
    """None where all is to be run."""
    return os.environ.get(SEED) or None


def share(cases: Sequence[Case], among: int, chosen: str | None) -> list[Case]:
    """One of `among` of the cases (at least as many, in their order) that the seed picks; all without a seed."""
    if chosen is None:
        return list(cases)
    places = Random(chosen).sample(range(len(cases)), -(-len(cases) // among))
    return [cases[place] for place in sorted(places)]


def is_in_turn(case: str, among: int, chosen: str | None) -> bool:
    """Whether a single long case is to be run: for one seed of `among`, and always without one."""
    return chosen is None or Random(f"{chosen} {case}").randrange(among) == 0
