"""Looks at the kernel's table so often that hardly a state is missed, at no more than a twentieth of a processor.

A look at all sockets costs ten times what a look at the kernel's counters does; so those are read every LOOK seconds,
and the table where they have moved, where the kernel gave a socket up, and now and then anyway.
"""

import contextlib
import os
import select
import time
from collections.abc import Callable

from labprocess.changes import Change, Changes, Counts
from labprocess.diag import Destroyed, Diag, Row
from labprocess.owners import Owners

LOOK = 0.002  # seconds between two looks at the counters
ANYWAY = 0.1  # seconds between two looks at the table where the counters tell of nothing (connect(2) of UDP)
SHARE = 0.05  # of a processor, in the mean
BURST = 0.1  # seconds of a processor that may be used at once
OPENS, LAST = 4, 11  # the TCP counters from ActiveOpens to OutSegs
PASSIVE, FAILED, RESETS = 5, 6, (7, 13)  # PassiveOpens; AttemptFails; EstabResets and OutRsts


class Counters:
    """What tells that something has happened in this network namespace (proc(5): /proc/net/snmp, sockstat)."""

    def __init__(self) -> None:
        self._files = []
        for name in ("snmp", "sockstat", "sockstat6"):
            with contextlib.suppress(FileNotFoundError):  # a kernel without IPv6
                self._files.append(os.open(f"/proc/self/net/{name}", os.O_RDONLY | os.O_CLOEXEC))
        self.counts = Counts()  # at the last reading

    def read(self) -> tuple:
        """Compare it with the one before."""
        first, *others = (os.pread(file, 8192, 0) for file in self._files)
        values = first.split(b"\nTcp: ", 2)[2].split(b"\n", 1)[0].split()
        resets = sum(int(values[place]) for place in RESETS)
        self.counts = Counts(int(values[FAILED]), int(values[PASSIVE]), resets)
        return (values[OPENS:LAST], *others)


class Watch:
    """Tells of each change of state. `tell(changes)` is called right after the look that found them, and before it
    `miss(times)` where the kernel had more ends of sockets to tell of than there was room, so many times."""

    def __init__(self, tell: Callable[[list[Change]], None], miss: Callable[[int], None]) -> None:
        self._tell, self._miss = tell, miss
        self._missed = 0  # how many times that was, as told
        self._destroyed, self._diag, self._counters = Destroyed(), Diag(), Counters()
        self._changes = Changes(Owners().find)
        self._gone: list[Row] = []
        self._last: tuple = ()
        self._counts = Counts()  # as they were before the last look at the table
        self._failed = 0  # as counted after it
        self._next = 0.0

    def run(self, other, goes_on: Callable[[], bool]) -> None:
        """While `goes_on()`, which is asked before each look; `other` is read whenever it can be."""
        saved, clock, used = BURST, time.monotonic(), time.thread_time()
        poll = select.poll()
        for source in (other, self._destroyed):
            poll.register(source, select.POLLIN)
        while goes_on():
            time.sleep(LOOK)
            ready = [number for number, _ in poll.poll(0)]
            if other.fileno() in ready:
                other.read()
            now, worked = time.monotonic(), time.thread_time()
            saved = min(BURST, saved + (now - clock) * SHARE - (worked - used))
            clock, used = now, worked
            if saved < 0:
                time.sleep(min(-saved / SHARE, 0.1))
            self._look(self._destroyed.fileno() in ready)

    def _look(self, heard: bool) -> None:
        values = self._counters.read()
        if not heard and values == self._last and time.monotonic() < self._next:
            return
        self._next = time.monotonic() + ANYWAY
        self._last = values
        before, self._counts = self._counts, self._counters.counts
        # Before the table: what goes on in another state, as in TIME-WAIT, is in it by then.
        gone = self._destroyed.read()
        if self._destroyed.lost > self._missed:
            self._miss(self._destroyed.lost - self._missed)
            self._missed = self._destroyed.lost
        rows = [*self._diag.look("tcp"), *self._diag.look("udp")]
        self._counters.read()
        after = self._counters.counts
        # From before the last look to after this one: nothing that this look shows can have been counted elsewhere.
        counts = Counts(after.failed - self._failed, after.opened - before.opened, after.reset - before.reset)
        self._failed = after.failed
        changes = self._changes.look(rows, gone, counts)
        if changes:
            self._tell(changes)
