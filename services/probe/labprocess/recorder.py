"""Records what the node's processes ask of the kernel, and how its sockets change, from when it is told to on."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable

from labnode import journal
from labnode.loop import Loop
from labprocess.history import History
from labprocess.sockets import owners
from labprocess.sockets.diag import Diag
from labprocess.tracing.calls import WAITS, Calls, Ends, Identity, stamp
from labprocess.tracing.late import Late
from labprocess.tracing.newcomers import Newcomers
from labprocess.tracing.strace import Call, Ended, Signal
from labprocess.tracing.tracer import Tracer
from labprocess.watching import Member, Watching

TYPE_CHECKING = False
if TYPE_CHECKING:
    from labnode.types import Fields

KINDS = ("calls", "waits", "states")  # each with a history of its own, so that a flood of one spares the others


class Recorder:
    """`publish(kind, line)` is called for each event, as a line of JSON."""

    def __init__(self, loop: Loop, publish: Callable[[str, bytes], None], watching: Watching) -> None:
        self._loop, self._publish, self._watching = loop, publish, watching
        self.since: int | None = None  # nanoseconds since the epoch; None where nothing is recorded
        self.histories: dict[str, History] = {}
        self._tracers: list[Tracer] = []
        self._free: list[Callable[[], None]] = []  # what is to be done once no process is traced
        self._seen: set[int] = set()
        self._newcomers = Newcomers(loop, self._follow_new)
        self._is_watching = False
        self._once_watching: list[Callable[[], None]] = []
        self._diag = Diag()
        self._calls = Calls(_identity, self._lookup)
        self._late = Late()

    def start(self, ready: Callable[[dict[int, str]], None]) -> None:
        """Calls `ready(refused)` when it records: the processes that could not be traced, each with the reason."""
        if self.since is not None:
            ready({})
            return
        if self._tracers:  # of a recording that was just stopped
            self._free.append(lambda: self.start(ready))
            return
        self.histories = {kind: History() for kind in KINDS}
        self._calls, self._late = Calls(_identity, self._lookup), Late()
        pids = owners.pids()
        self._seen = set(pids)
        others = {pid: f"it is traced already, by process {tracer}" for pid in pids if (tracer := _tracer(pid))}
        mine = [pid for pid in pids if pid not in others]
        self.since = time.time_ns()
        self._is_watching = False
        self._watching.join(self, Member(self._begin, self._states, self._begin))

        def attached(tracer: Tracer) -> None:
            refused = {**others, **tracer.refused}
            if len(refused) >= len(pids):
                self.stop()
            elif self.since is not None:
                self._newcomers.start()
                self._once_watching.append(lambda: begin(refused))
                if self._is_watching:
                    self._begin()
                return
            ready(refused)

        def begin(refused: dict[int, str]) -> None:
            if self.since is not None:
                self.since = time.time_ns()
            ready(refused)

        if mine:
            self._trace(mine, attached)
        else:
            self.stop()
            ready(others)

    def _begin(self) -> None:
        """Sockets are watched from now on, or never will be."""
        self._is_watching = True
        waiting, self._once_watching = self._once_watching, []
        for act in waiting:
            act()

    def stop(self, over: Callable[[], None] = lambda: None) -> None:
        """Lets all processes go, and forgets what was recorded; calls `over()` when none is traced any more."""
        self.since = None
        self.histories = {}
        self._newcomers.stop()
        for tracer in self._tracers:
            tracer.stop()
        self._watching.leave(self)
        self._begin()
        if self._tracers:
            self._free.append(over)
        else:
            over()

    def _trace(self, pids: list[int], attached: Callable[[Tracer], None]) -> None:
        self._tracers.append(Tracer(self._loop, pids, self._happened, attached, self._let_go))

    def _let_go(self, tracer: Tracer) -> None:
        self._tracers.remove(tracer)
        if not self._tracers:
            waiting, self._free = self._free, []
            for act in waiting:
                act()

    def _follow_new(self) -> None:
        """Follows processes that nobody of the node's has started: those of `docker exec`."""
        there = {int(name) for name in os.listdir("/proc") if name.isdigit()}
        self._seen &= there
        for pid in sorted(there - self._seen):
            self._seen.add(pid)
            with contextlib.suppress(OSError):  # it has ended already
                if owners.is_nodes(pid) and not _tracer(pid):
                    self._follow(pid)

    def _follow(self, pid: int) -> None:
        if program := self._late.found(pid, owners.program(pid)):
            self._tell_late(pid, program, time.time_ns())

        def followed(tracer: Tracer) -> None:
            self._late.followed(pid, owners.program(pid), time.time_ns())
            if why := tracer.refused.get(pid):
                fields = {"error": "EPERM", "reason": f"process {pid} could not be traced: {why}", "pid": pid}
                self._record("calls", time.time_ns(), {"event": "error", **fields})

        self._trace([pid], followed)

    def _tell_late(self, pid: int, program: str, moment: int) -> None:
        reason = f"{program}[{pid}] was found late: what it did first is not recorded"
        self._record("calls", moment, {"event": "missed", "reason": reason, "pid": pid, "program": program})

    def _happened(self, item: Call | Signal | Ended) -> None:
        if program := self._late.happened(item):
            self._tell_late(item.pid, program, item.ts)
        for moment, event in self._calls.events(item):
            waits = event.get("call") in WAITS
            self._record("waits" if waits else "calls", moment, event)
            if not waits:
                self._watching.called()

    def _record(self, kind: str, moment: int, event: Fields) -> None:
        if self.since is not None:
            line = json.dumps({"ts": stamp(moment), "node": journal.NODE, **event}, separators=(",", ":")).encode()
            self._keep(kind, moment, line)

    def _keep(self, kind: str, moment: int, line: bytes) -> None:
        self.histories[kind].add(moment, line)
        self._publish(kind, line)

    def _lookup(self, proto: str, inode: int) -> Ends | None:
        with contextlib.suppress(OSError):
            for row in self._diag.look(proto):
                if row.inode == inode:
                    return row.local, row.peer
        return None

    def _states(self, line: bytes) -> None:
        if self.since is not None:
            self._keep("states", time.time_ns(), line)


def _identity(thread: int) -> Identity | None:
    """Whose thread it is: proc(5), /proc/TID/status."""
    try:
        with open(f"/proc/{thread}/status", errors="replace") as file:
            fields = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
        process = int(fields["Tgid"])
    except (OSError, KeyError, ValueError):
        return None
    return Identity(process, int(fields.get("PPid", 0)), owners.program(process) or fields.get("Name", "?"))


def _tracer(pid: int) -> int:
    """The process that traces a process, 0 for none."""
    try:
        with open(f"/proc/{pid}/status") as file:
            return next((int(line[10:]) for line in file if line.startswith("TracerPid:")), 0)
    except OSError:
        return 0
