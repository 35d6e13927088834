"""Several machines, asked at once: what each answers, or why it doesn't."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from labctl.engine.swarm import MachineEngine
from labctl.errors import LabError

T = TypeVar("T")
One = TypeVar("One")
MOST = 16  # at the same time

Engines = Mapping[str, MachineEngine]


def ask(engines: Mapping[str, One], question: Callable[[str, One], T]) -> tuple[dict[str, T], dict[str, LabError]]:
    """The answers, and the errors of those that gave none, by machine."""

    def one(name: str) -> T | LabError:
        try:
            return question(name, engines[name])
        except LabError as problem:
            return problem

    with ThreadPoolExecutor(min(MOST, max(1, len(engines)))) as pool:
        found = dict(zip(engines, pool.map(one, engines), strict=True))
    answers = {name: answer for name, answer in found.items() if not isinstance(answer, LabError)}
    return answers, {name: problem for name, problem in found.items() if isinstance(problem, LabError)}


def ask_all(engines: Engines, question: Callable[[str, MachineEngine], T]) -> dict[str, T]:
    """The answers of all. Raises LabError `host-silent` for the first that gives none."""
    answers, problems = ask(engines, question)
    for name, problem in problems.items():
        raise LabError("host-silent", machine=name, why=problem.message)
    return answers
