"""Looks at the kernel's table when a packet, a system call or a socket's end asks for it, and hardly otherwise.

A look at all sockets costs a hundred times what a look at the kernel's counters does: a walk through the hash table of
the whole machine. So while anything happens the counters are read every LOOK seconds, and the table where they have
moved, or where the kernel gave a socket up; at no more than a twentieth of a processor. While nothing does, the probe
sleeps: a packet wakes it, a socket that the kernel gives up, and a call that strace saw. What comes without any of them
(listen(2), connect(2) of UDP, the end of TIME-WAIT) is found by slow looks, which take less than a hundredth.
"""

from __future__ import annotations

import contextlib
import os
import re
import select
import time
from collections.abc import Callable

from labprocess.lifeline import Lifeline
from labprocess.sockets.changes import Change, Changes, Counts
from labprocess.sockets.diag import Destroyed, Diag, Row
from labprocess.sockets.owners import Owners
from labprocess.sockets.packets import packets

LOOK = 0.002  # seconds between two looks at the counters
ANYWAY = 0.1  # seconds between two looks at the table where the counters tell of nothing (connect(2) of UDP)
AWAKE = 0.05  # seconds for which more is expected after something has happened
TICK = 0.1  # seconds between two looks at the counters while nothing happens, and at UDP's table
SLOW = 1.0  # seconds at least between two looks at the whole table then
SLOW_SHARE = 0.002  # of a processor for these
SHARE = 0.05  # of a processor, in the mean
BURST = 0.1  # seconds of a processor that may be used at once
# Of sockstat: what the kernel counts for the whole machine, so that all its namespaces would wake each other.
_OTHERS = re.compile(rb" (?:orphan|alloc|mem|memory) \d+")
_SHORT = 2048  # bytes; a page that holds less than that was the last one
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

    def read(self) -> tuple[object, ...]:
        """Compare it with the one before."""
        first, *others = (_OTHERS.sub(b"", os.pread(file, 8192, 0)) for file in self._files)
        values = first.split(b"\nTcp: ", 2)[2].split(b"\n", 1)[0].split()
        resets = sum(int(values[place]) for place in RESETS)
        self.counts = Counts(int(values[FAILED]), int(values[PASSIVE]), resets)
        return (values[OPENS:LAST], *others)


class Quiet:
    """What changes in the tables of sockets without a packet, as text of the kernel's: a fifth of what reading the
    counters and asking for UDP's table cost. TCP sockets that listen are counted, those of UDP are there with both
    their ends (proc(5): /proc/net/udp)."""

    def __init__(self) -> None:
        self._files = []
        for name in ("sockstat", "sockstat6", "udp", "udp6"):
            with contextlib.suppress(FileNotFoundError):
                self._files.append(os.open(f"/proc/self/net/{name}", os.O_RDONLY | os.O_CLOEXEC))

    def read(self) -> tuple[bytes, ...]:
        """Compare it with the one before."""
        return tuple(_OTHERS.sub(b"", _whole(file)) for file in self._files)


def _whole(file: int) -> bytes:
    """Such a file gives a page at most at once."""
    text = b""
    while piece := os.pread(file, 1 << 16, len(text)):
        text += piece
        if len(piece) < _SHORT:
            break
    return text


class Watch:
    """Tells of each change of state. `tell(changes)` is called right after the look that found them, and before it
    `miss(times)` where the kernel had more ends of sockets to tell of than there was room, so many times."""

    def __init__(self, tell: Callable[[list[Change]], None], miss: Callable[[int], None]) -> None:
        self._tell, self._miss = tell, miss
        self._missed = 0  # how many times that was, as told
        self._destroyed, self._diag, self._counters = Destroyed(), Diag(), Counters()
        self._quiet = Quiet()
        self._asleep: tuple[bytes, ...] = ()  # what it read last
        self._packets = packets()
        self._changes = Changes(Owners().find)
        self._gone: list[Row] = []
        self._last: tuple[object, ...] = ()
        self._counts = Counts()  # as they were before the last look at the table
        self._failed = 0  # as counted after it
        self._anyway = self._udp_anyway = self._slow = 0.0  # of time.monotonic(): when to look in any case
        self._udp: list[Row] = []
        self._awake_until = 0.0
        self._cost = 0.0  # seconds of a processor for a look at the table
        self.look()  # what is there already; from here on there are changes

    def look(self) -> None:
        """At all that there is now, without waiting for a sign."""
        self._look(heard=True)

    def run(self, other: Lifeline, goes_on: Callable[[], bool]) -> None:
        """While `goes_on()`, which is asked before each look; `other` is read whenever it can be, and `other.woke()`
        tells whether that was about a system call."""
        saved, clock, used = BURST, time.monotonic(), time.thread_time()
        awake, asleep = select.poll(), select.poll()
        for source in (other, self._destroyed):
            awake.register(source, select.POLLIN)
            asleep.register(source, select.POLLIN)
        if self._packets:
            asleep.register(self._packets, select.POLLIN)
        slept = False
        while goes_on():
            was_awake = not slept
            slept = self._packets is not None and time.monotonic() >= self._awake_until
            if slept:
                if was_awake:
                    self._fall_asleep()
                    ready = []
                else:
                    ready = [number for number, _ in asleep.poll(TICK * 1000)]
                    if not ready and self._is_quiet():
                        continue
            else:
                time.sleep(LOOK)
                ready = [number for number, _ in awake.poll(0)]
            woken = False
            if other.fileno() in ready:
                other.read()
                woken = other.woke()
            heard = self._destroyed.fileno() in ready
            if heard or woken or (slept and self._packets and self._packets.fileno() in ready):
                self._awake_until = time.monotonic() + AWAKE
            now, worked = time.monotonic(), time.thread_time()
            saved = min(BURST, saved + (now - clock) * SHARE - (worked - used))
            clock, used = now, worked
            if saved < 0:
                time.sleep(min(-saved / SHARE, 0.1))
            self._look(heard, woken)

    def _fall_asleep(self) -> None:
        """What came while we were awake was looked for, but for what came since the last look: there is one more."""
        if self._packets:
            self._packets.forget()
        self._asleep = self._quiet.read()
        self._udp_anyway = 0.0

    def _is_quiet(self) -> bool:
        """Whether nothing has changed since the last time, and no slow look is due."""
        if time.monotonic() >= self._slow:
            return False
        before, self._asleep = self._asleep, self._quiet.read()
        if self._asleep == before:
            return True
        self._udp_anyway = 0.0
        return False

    def _look(self, heard: bool, woken: bool = False) -> None:
        """`heard`: the kernel gave a socket up; `woken`: a system call was made."""
        values = self._counters.read()
        now = time.monotonic()
        moved = values != self._last
        if moved:
            self._awake_until = now + AWAKE
        if not (heard or moved or self._is_due(now, woken)):
            return
        self._last = values
        before, self._counts = self._counts, self._counters.counts
        began = time.thread_time()
        # Before the table: what goes on in another state, as in TIME-WAIT, is in it by then.
        gone = self._destroyed.read()
        if self._destroyed.lost > self._missed:
            self._miss(self._destroyed.lost - self._missed)
            self._missed = self._destroyed.lost
        self._udp = self._diag.look("udp")
        rows = [*self._diag.look("tcp"), *self._udp]
        self._counters.read()
        after = self._counters.counts
        self._cost = time.thread_time() - began
        self._anyway = self._udp_anyway = now + ANYWAY
        self._slow = now + max(SLOW, self._cost / SLOW_SHARE)
        # From before the last look to after this one: nothing that this look shows can have been counted elsewhere.
        counts = Counts(after.failed - self._failed, after.opened - before.opened, after.reset - before.reset)
        self._failed = after.failed
        changes = self._changes.look(rows, gone, counts)
        if changes:
            self._tell(changes)

    def _is_due(self, now: float, woken: bool) -> bool:
        """Whether it is time for a look in any case. UDP's table is small: where it has changed, all is looked at."""
        if now >= (self._anyway if now < self._awake_until else self._slow):
            return True
        if woken or now >= self._udp_anyway:
            self._udp_anyway = now + ANYWAY
            return self._diag.look("udp") != self._udp
        return False
