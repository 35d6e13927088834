"""How far a machine's clock is from this one's."""

from __future__ import annotations

from collections.abc import Sequence

from labctl.engine.machines import clock_of
from labctl.engine.swarm import MachineEngine, Reading
from labctl.errors import LabError

QUESTIONS = 8
LIMIT = 10.0  # seconds for all of them


def clock_offset(engine: MachineEngine, questions: int = QUESTIONS, limit: float = LIMIT) -> tuple[int, int]:
    """How many nanoseconds an engine's clock is ahead of this machine's (negative: behind), and how many the true
    difference is from that at most. Raises LabError."""
    found = engine.readings(questions, limit)
    if not found:
        raise LabError("engine-timeout", seconds=limit, action="tell its time")
    return offset(found)


def offset(readings: Sequence[Reading]) -> tuple[int, int]:
    """As `clock_offset`, of what was read, once at least."""
    found = clock_of(readings)
    assert found
    return found.offset, found.error
