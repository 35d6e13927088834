"""Several requests to the engine at once, while one thread waits for what comes of them."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterator

from labctl import cancel
from labctl.cancel import Cancel
from labctl.engine.projects import MAKING
from labctl.errors import EngineTimeout, EngineUnreachable, LabError
from labctl.named import NamedTuple

MOST = 8  # at the same time: with more the engine is no faster
PATIENCE = 2.0  # seconds for those under way to end, where nobody waits for them any more


class Ended(NamedTuple):
    """A job by its name, what is to be said of it, and why it failed, if it did."""

    name: str
    said: str
    problem: Exception | None


class Workers:
    """Does jobs in the order in which they were given, until the end of a `with`. Where one fails, or the `with` ends
    by an error, those that haven't begun never do.

    Then `unfinished` gets the names of those of which it isn't known what the engine makes of them.
    """

    def __init__(self, limit: float, cancels: Collection[Cancel], unfinished: set[str]) -> None:
        """`limit` in seconds, for all of it."""
        self.limit = limit
        self._deadline = time.monotonic() + limit
        self._cancels = cancels
        self._lock = threading.Lock()
        self._waiting: deque[tuple[str, str, Callable[[], object]]] = deque()
        self._ended: deque[Ended] = deque()
        self._names: set[str] = set()  # of those under way
        self._unfinished = unfinished
        self._threads = 0
        self._left = 0  # that were given and whose end wasn't told
        self._failed = False
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)

    def fileno(self) -> int:
        """Can be read from when a job has ended."""
        return self._reader

    @property
    def is_idle(self) -> bool:
        return not self._left

    @property
    def remaining(self) -> float:
        """Seconds until the limit. Raises LabError `engine-timeout` where there are none."""
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise LabError("engine-timeout", seconds=round(self.limit, 1), action=MAKING)
        return left

    def submit(self, name: str, job: Callable[[], object], said: str = "") -> None:
        with self._lock:
            if self._failed:
                return  # who gives jobs hasn't been told yet
            self._waiting.append((name, said, job))
            self._left += 1
            if self._threads >= MOST:
                return
            self._threads += 1
        threading.Thread(target=self._work, daemon=True).start()

    def ended(self, seconds: float | None = None) -> list[Ended]:
        """Those that have ended since the last time, the failed ones among them; where there are none, the next, or
        none where that takes longer than some seconds. Raises LabError `cancelled`, `engine-timeout`."""
        if not self._ended:
            wait = self.remaining
            cancel.await_readable(self, wait if seconds is None else min(seconds, wait), self._cancels)
        cancel.check(self._cancels)
        with self._lock:
            self._drain()
            found = list(self._ended)
            self._ended.clear()
        self._left -= len(found)
        return found

    def until_idle(self, *, settled: bool = False) -> Iterator[Ended]:
        """All that were given, in the order of their end. Raises the first failure, `settled`: once those under way
        have ended as well, and what `ended` does."""
        while not self.is_idle:
            for one in self.ended():
                if one.problem:
                    while settled and self._threads:
                        self.ended()
                    raise one.problem
                yield one

    def _drain(self) -> None:
        with contextlib.suppress(BlockingIOError):
            os.read(self._reader, 1 << 16)

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._threads -= 1
                    self._wake()
                    return
                name, said, job = self._waiting.popleft()
                self._names.add(name)
            problem: Exception | None = None
            try:
                job()
            except Exception as raised:  # noqa: BLE001 - raised again by who waits
                problem = raised
            with self._lock:
                if problem is None or _is_over(problem):
                    self._names.discard(name)
                if problem:
                    self._failed = True
                    self._waiting.clear()
                self._ended.append(Ended(name, said, problem))
                self._wake()

    def _wake(self) -> None:
        if self._writer >= 0:
            os.write(self._writer, b".")

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        with self._lock:
            self._waiting.clear()
        try:
            self._wait_for_those_under_way()
        finally:
            with self._lock:
                self._unfinished |= self._names
                os.close(self._reader)
                os.close(self._writer)
                self._writer = -1

    def _wait_for_those_under_way(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while (left := deadline - time.monotonic()) > 0:
            with self._lock:
                if not self._threads:
                    return
                self._drain()
            cancel.await_readable(self, left, ())


def _is_over(problem: Exception) -> bool:
    """Whether the engine has said no, and isn't still at work."""
    return isinstance(problem, LabError) and not isinstance(problem, EngineTimeout | EngineUnreachable)
