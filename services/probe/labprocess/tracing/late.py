"""Which of the programs that the engine starts in a node had begun before they were followed.

`docker exec` makes a process that is the engine's own for some 25 ms, and then execve(2)s what was asked for. It is
found in that time; but where the machine is so busy that it is found or followed too late, the program's first calls
are missed, and its first children, and nothing of what strace prints says so.
"""

from __future__ import annotations

from labprocess.tracing.calls import RUNTIME, is_whole
from labprocess.tracing.strace import Call, Ended, Signal


class Late:
    """`found` and `happened` give the name of a program of which it is now certain that it was late, or ''. Times are
    nanoseconds since the epoch."""

    def __init__(self) -> None:
        # By process: as what it was seen, and when; None while it was the engine's own at the last look.
        self._open: dict[int, tuple[str, int] | None] = {}

    def found(self, pid: int, program: str) -> str:
        """A new process, before it is followed."""
        if not program.startswith(RUNTIME):
            return program
        self._open[pid] = None
        return ""

    def followed(self, pid: int, program: str, now: int) -> None:
        """From here on, strace tells all that it does; what it printed of it may be there before."""
        if pid not in self._open:
            return
        if program.startswith(RUNTIME) or not program:
            del self._open[pid]  # it is yet to begin, or is gone
        else:
            self._open[pid] = program, now

    def happened(self, item: Call | Signal | Ended) -> str:
        """Its execve(2) was followed if strace tells of it before anything that was done after `followed`."""
        if item.pid not in self._open:
            return ""
        program, moment = self._open[item.pid] or ("", None)
        is_over = isinstance(item, Ended)
        if isinstance(item, Call) and _begins(item) and (moment is None or item.ts <= moment or not is_whole(item)):
            program, is_over = "", True
        if is_over or (moment is not None and item.ts > moment):
            del self._open[item.pid]
            return program
        return ""


def _begins(call: Call) -> bool:
    return call.name == "execve" and call.value == 0
