"""How far a machine's clock is from this one's.

Each question is asked, answered and heard at three known times: the answer's by the other clock, the others' by this
one. So the difference lies between (answered - heard) and (answered - asked); what all questions leave between them is
what is known. (NTP, RFC 5905, takes the question with the shortest way alone, which leaves no less.)
"""

from __future__ import annotations

from collections.abc import Sequence

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
    """As `clock_offset`, of what was read."""
    least = max(one.said - one.answered for one in readings)
    most = min(one.said - one.asked for one in readings)
    if least > most:  # one of the clocks was set in between: the shortest way then
        best = min(readings, key=lambda one: one.answered - one.asked)
        least, most = best.said - best.answered, best.said - best.asked
    return (least + most) // 2, -((least - most) // 2)
