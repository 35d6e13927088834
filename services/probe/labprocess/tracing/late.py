"""Which of the programs that the engine starts in a node had begun before they were followed.

`docker exec` makes a process that is the engine's own for some 40 ms, and then execve(2)s what was asked for. It is
found in that time; but where the machine is so busy that it is found or followed too late, the program's first calls
are missed, and its first children, and nothing of what strace prints says so.
"""

from __future__ import annotations

from labprocess.tracing.calls import RUNTIME
from labprocess.tracing.strace import Call, Ended, Signal


class Late:
    """Each of its methods says True where it is now certain that a process was late; times are nanoseconds since the
    epoch."""

    def __init__(self) -> None:
        # By process: when it was seen to be what was asked for, None while it was the engine's own at the last look.
        self._open: dict[int, int | None] = {}

    def found(self, pid: int, program: str) -> bool:
        """A new process, before it is followed."""
        if not program.startswith(RUNTIME):
            return bool(program)
        self._open[pid] = None
        return False

    def followed(self, pid: int, program: str, now: int) -> None:
        """From here on, strace tells all that it does; what it printed of it may be there before."""
        if pid not in self._open:
            return
        if program.startswith(RUNTIME) or not program:
            del self._open[pid]  # it is yet to begin, or is gone
        else:
            self._open[pid] = now

    def happened(self, item: Call | Signal | Ended) -> bool:
        """Its execve(2) was followed if strace tells of it before anything that was done after `followed`."""
        if item.pid not in self._open:
            return False
        seen = self._open[item.pid]
        begins = isinstance(item, Call) and item.name == "execve" and item.value == 0
        if begins and (seen is None or item.ts <= seen):
            del self._open[item.pid]
            return False
        if seen is not None and (item.ts > seen or isinstance(item, Ended)):
            del self._open[item.pid]
            return True
        if isinstance(item, Ended):
            del self._open[item.pid]
        return False
