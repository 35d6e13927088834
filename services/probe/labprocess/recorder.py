"""Records what the node's processes ask of the kernel, and how its sockets change, from when it is told to on."""

import contextlib
import json
import os
import subprocess
import time
from collections.abc import Callable

from labnode import journal
from labnode.loop import READ, Loop
from labprocess import lifeline, owners
from labprocess.calls import WAITS, Calls, Ends, Identity, stamp
from labprocess.diag import Diag
from labprocess.history import History
from labprocess.tracer import Tracer

SCAN = 0.01  # seconds between two looks for new processes: the engine takes some 30 ms to start one
WAKE = 0.02  # seconds between two signs to the watch that something was called
BEAT = 1.0  # seconds
KINDS = ("calls", "waits", "states")  # each with a history of its own, so that a flood of one spares the others


class Recorder:
    """`publish(kind, line)` is called for each event, as a line of JSON."""

    def __init__(self, loop: Loop, publish: Callable[[str, bytes], None]) -> None:
        self._loop, self._publish = loop, publish
        self.since: int | None = None  # nanoseconds since the epoch; None where nothing is recorded
        self.histories: dict[str, History] = {}
        self._tracers: list[Tracer] = []
        self._free: list[Callable[[], None]] = []  # what is to be done once no process is traced
        self._seen: set[int] = set()
        self._newest = b""  # process, as the kernel told it at the last look
        self._loadavg = os.open("/proc/loadavg", os.O_RDONLY | os.O_CLOEXEC)
        self._woke = 0.0  # of time.monotonic()
        self._wake_timer: list | None = None
        self._watch: subprocess.Popen | None = None
        self._is_watching = False
        self._once_watching: list[Callable[[], None]] = []
        self._rest = b""
        self._diag = Diag()
        self._calls = Calls(_identity, self._lookup)
        self._scan_timer = self._beat_timer = None

    def start(self, ready: Callable[[dict[int, str]], None]) -> None:
        """Calls `ready(refused)` when it records: the processes that could not be traced, each with the reason."""
        if self.since is not None:
            ready({})
            return
        if self._tracers:  # of a recording that was just stopped
            self._free.append(lambda: self.start(ready))
            return
        self.histories = {kind: History() for kind in KINDS}
        self._calls = Calls(_identity, self._lookup)
        pids = owners.pids()
        self._seen = set(pids)
        others = {pid: f"it is traced already, by process {tracer}" for pid in pids if (tracer := _tracer(pid))}
        mine = [pid for pid in pids if pid not in others]
        self.since = time.time_ns()
        self._start_watch()

        def attached(tracer: Tracer) -> None:
            refused = {**others, **tracer.refused}
            if len(refused) >= len(pids):
                self.stop()
            elif self.since is not None:
                self._scan()
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
        for timer in (self._scan_timer, self._beat_timer, self._wake_timer):
            self._loop.cancel(timer)
        self._wake_timer = None
        for tracer in self._tracers:
            tracer.stop()
        if self._watch:
            self._loop.watch(self._watch.stdout, 0)
            self._watch.stdin.close()
            self._watch.stdout.close()
            self._watch.kill()
            self._watch.wait()
            self._watch = None
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

    def _scan(self) -> None:
        """Looks whether any process has begun: proc(5), /proc/loadavg, whose last field is the newest process of this
        namespace. The whole list costs fifty times as much."""
        newest = os.pread(self._loadavg, 128, 0).rsplit(None, 1)[-1]
        if newest != self._newest:
            self._newest = newest
            self._follow_new()
        self._scan_timer = self._loop.later(SCAN, self._scan)

    def _follow_new(self) -> None:
        """Follows processes that nobody of the node's has started: those of `docker exec`."""
        there = {int(name) for name in os.listdir("/proc") if name.isdigit()}
        self._seen &= there
        for pid in sorted(there - self._seen):
            self._seen.add(pid)
            with contextlib.suppress(OSError):  # it has ended already
                if owners.is_nodes(pid) and not _tracer(pid):
                    self._trace([pid], self._tell_refused)

    def _tell_refused(self, tracer: Tracer) -> None:
        for pid, why in tracer.refused.items():
            fields = {"error": "EPERM", "reason": f"process {pid} could not be traced: {why}", "pid": pid}
            self._record("calls", time.time_ns(), {"event": "error", **fields})

    def _happened(self, item) -> None:
        for moment, event in self._calls.events(item):
            waits = event.get("call") in WAITS
            self._record("waits" if waits else "calls", moment, event)
            if not waits:
                self._wake_watch()

    def _wake_watch(self) -> None:
        """What was called may have changed a socket. Calls come in rows: the last of one has its sign as well."""
        if self._watch and not self._wake_timer:
            wait = self._woke + WAKE - time.monotonic()
            if wait <= 0:
                self._wake()
            else:
                self._wake_timer = self._loop.later(wait, self._wake)

    def _wake(self) -> None:
        self._wake_timer = None
        self._woke = time.monotonic()
        self._write(lifeline.WAKE)

    def _record(self, kind: str, moment: int, event: dict) -> None:
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

    # -- states of sockets

    def _start_watch(self) -> None:
        """In a process of its own: it has to look every other millisecond, whatever there is to read here."""
        command = ["python3", "/opt/probe/sockets.py", "watch"]
        # Without a buffer: what it never read, as it had ended, is not written once more when its pipe is closed.
        self._watch = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        os.set_blocking(self._watch.stdout.fileno(), False)
        self._rest, self._is_watching = b"", False
        self._loop.watch(self._watch.stdout, READ, self._on_states)
        self._beat()

    def _beat(self) -> None:
        self._write(b"\n")
        self._beat_timer = self._loop.later(BEAT, self._beat)

    def _write(self, data: bytes) -> None:
        with contextlib.suppress(OSError):
            self._watch.stdin.write(data)
            self._watch.stdin.flush()

    def _on_states(self, _ready) -> None:
        try:
            data = os.read(self._watch.stdout.fileno(), 1 << 16)
        except BlockingIOError:
            return
        if not data:
            self._loop.watch(self._watch.stdout, 0)
            self._record("states", time.time_ns(), {"event": "error", "error": "ECHILD", "reason": "the watch ended"})
            self._begin()
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if any(b'"event":"%b"' % name in line for name in (b"socket-state", b"missed", b"error")):
                self._keep("states", time.time_ns(), line)
            elif b'"event":"watching"' in line:
                self._begin()


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
