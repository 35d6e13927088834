"""Which of many alike cases a run takes: a seeded share of them, so that in time all are run.

The seed is the environment's LABCTL_SEED; without one, all cases are taken. tests/all.py gives each commit a seed of
its own, the same to all of its workers, and prints it; `make kill-matrix` and `make test-whole` take every case.

Cases of one test are chosen by `share`; of those that Hypothesis makes up `examples` says how many. Tests of a file
that take long have the marker `turn(n)`, one by one or all of them (the nearest counts: `turn(1)` is never left out),
and a run takes one of n of them.
"""

import os
from collections.abc import Iterable, Sequence
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


def examples(count: int) -> int:
    """How many of so many examples that Hypothesis makes up a run takes: a quarter, and all without a seed."""
    return count if seed() is None else -(-count // 4)


def out_of_turn(marked: Iterable[tuple[str, str, int]], chosen: str | None) -> set[str]:
    """Those whose turn it isn't, of tests as (name, file, among): of a file's tests with one `among` a share stays; of
    fewer than `among` it may be none."""
    groups: dict[tuple[str, int], list[str]] = {}
    for name, file, among in marked:
        groups.setdefault((file, among), []).append(name)
    out: set[str] = set()
    for (file, among), names in groups.items():
        out |= set(names) - set(_in_turn(names, among, chosen and f"{chosen} {file} {among}"))
    return out


def _in_turn(names: Sequence[str], among: int, chosen: str | None) -> Sequence[str]:
    if chosen is None:
        return names
    chance = Random(chosen)
    whole, rest = divmod(len(names), among)
    return chance.sample(names, whole + (chance.randrange(among) < rest))
