"""One step on a lab: recording, the act, and what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from labctl.api.lab import Lab
from labctl.lesson import judging
from labctl.lesson.acts import Output, Shell
from labctl.lesson.grounds import record
from labctl.lesson.seen.counters import counters_of
from labctl.lesson.seen.evidence import ABSENT, Evidence
from labctl.lesson.written.model import Step, Typed

SETTLE = 6.0  # seconds that evidence may take to arrive after the act
PAUSE = 0.1  # seconds between two looks


@dataclass
class Running:
    """A step that has begun on a lab at `began`, nanoseconds since the epoch."""

    step: Step
    lab: Lab
    shell: Shell
    began: int
    counted: Mapping[str, Mapping[str, int]]
    earlier: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    outputs: list[Output] = field(default_factory=list)

    def act(self, typed: Sequence[Typed], seen: Callable[[Output], None] = lambda output: None) -> list[Output]:
        found = self.shell.run_all(typed, seen)
        self.outputs += found
        return found

    def evidence(self) -> Evidence:
        return Evidence(self.lab, self.began, tuple(self.outputs), self.counted, self.earlier)

    def look(self) -> tuple[bool, Evidence, Mapping[str, Any]]:
        """Whether the check is true now, and by which evidence, of which no more than the check asks for has been
        looked up. Raises Misplaced."""
        evidence = self.evidence()
        values = evidence.of(self.step)
        return bool(evidence.value(self.step.check, values)), evidence, values

    def settled(self, limit: float = SETTLE) -> tuple[bool, Evidence, dict[str, Any]]:
        """The same once it is true and answers the step's question (evidence comes bit by bit), at the latest after
        `limit` seconds, with all of its evidence."""
        deadline = time.monotonic() + limit
        while True:
            true, evidence, values = self.look()
            over = time.monotonic() > deadline
            if over or (true and self._answers(evidence, values)):
                return true, evidence, dict(values)
            time.sleep(PAUSE)

    def _answers(self, evidence: Evidence, values: Mapping[str, Any]) -> bool:
        predict = self.step.predict
        return predict is None or judging.is_decided(predict, evidence, values)


def begun(step: Step, lab: Lab, shell: Shell, earlier: Mapping[str, Mapping[str, Any]] | None = None) -> Running:
    """Begins a step: what it looks at is recorded from now on. Raises LabError."""
    record(lab, step.packets, step.calls)
    counted = {}
    for name in step.counters:
        try:
            counted[name] = counters_of(lab.node(name))
        except ABSENT:
            continue
    return Running(step, lab, shell, time.time_ns(), counted, earlier or {})
