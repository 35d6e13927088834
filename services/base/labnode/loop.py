"""A small event loop: one selector (epoll(7)), callbacks, timers.

One thread serves all: no connection can hold another up, and no lock is needed anywhere in a node.
"""

from __future__ import annotations

import heapq
import itertools
import selectors
import time

from labnode import journal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from labnode.types import Done, Ready, Source, Timer

READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
LONGEST_WAIT = 3600.0  # seconds; epoll_wait(2) counts milliseconds in an int


class Loop:
    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._callbacks: dict[Source | int, Ready | None] = {}
        self._timers: list[Timer] = []
        self._cancelled = 0  # how many of them were called off; an upper bound
        self._order = itertools.count()  # timers for the same moment run in the order in which they were set

    def watch(self, source: Source | int, interest: int, callback: Ready | None = None) -> None:
        """Calls `callback(ready)` whenever `source` is ready; again for the same source changes what is watched.

        `interest` and `ready` are READ, WRITE or both. An interest of 0 stops watching: do that before closing.
        """
        known = source in self._callbacks
        if not interest:
            if known:
                self._selector.unregister(source)
                del self._callbacks[source]
            return
        (self._selector.modify if known else self._selector.register)(source, interest)
        self._callbacks[source] = callback

    def later(self, seconds: float, callback: Done) -> Timer:
        """Calls `callback()` once, `seconds` from now. Give what it returns to `cancel` to call it off."""
        timer: Timer = [time.monotonic() + max(0.0, seconds), next(self._order), callback]
        heapq.heappush(self._timers, timer)
        return timer

    def cancel(self, timer: Timer | None) -> None:
        if timer and timer[2]:
            timer[2] = None
            self._cancelled += 1
            # What was called off would stay until its time had come: 10,000 requests a second, 60 seconds each.
            if self._cancelled > 64 + len(self._timers) // 2:
                self._timers = [kept for kept in self._timers if kept[2]]
                heapq.heapify(self._timers)
                self._cancelled = 0

    def run(self, until: Callable[[], bool] | None = None) -> None:
        """Runs until a callback raises, or until `until()`, asked right before each wait, is true."""
        journal.gather()
        try:
            while True:
                wait = self._run_timers()
                if until and until():
                    return
                due = journal.flush_due()
                if due is not None and (wait is None or due < wait):
                    wait = due
                for key, ready in self._selector.select(wait):
                    callback = self._callbacks.get(key.fileobj)
                    if callback:  # else an earlier callback of this round closed it
                        callback(ready)
        finally:
            journal.release()

    def _run_timers(self) -> float | None:
        """Runs what is due; the seconds until the next timer, None where there is none."""
        # One look at the clock: a timer that sets itself again at once must not keep the sockets waiting.
        now = time.monotonic()
        while self._timers:
            due, _, callback = self._timers[0]
            if callback and due > now:
                wait: float = due - time.monotonic()
                return min(max(0.0, wait), LONGEST_WAIT)
            timer = heapq.heappop(self._timers)
            if callback:
                timer[2] = None  # it has run: to cancel it now is nothing
                callback()
        return None
