"""Waits until a program's host is ready, by the word of its kernel: until it listens, or has printed a text."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from labctl.cancel import sleep
from labctl.engine.model import Details, Engine, Line, Listening, Stream
from labctl.events.codec import EPOCH, normalise
from labctl.events.model import nanoseconds_of
from labctl.lab.programs.wanted import Expected

SETTLE = 2.0  # seconds that a program may run without listening until it counts as one that never will
QUICKLY, SLOWLY, SLOWER = 0.005, 0.25, 1.3  # seconds between two looks: at first, at last, and how they grow
SOON = 0.3  # seconds in which most programs are ready
MOMENT = 0.005  # seconds that it must go on after that
KEPT = 200  # last lines
OWN_CHOICE = range(32768, 61000)  # ports that Linux gives to who asks for none
LAST_WORDS = 2.0  # seconds for what the engine still has to hand out of a program that has ended


@dataclass(frozen=True)
class Seen:
    """How a program was seen: `ready`, `running` (it listens nowhere, or that can't be known), `done` (it has ended
    with status 0), `failed`, or `silent` (what was expected has not come in time). `listening` is where it was last
    seen to; `lines` are the last that it has printed in this run, of `printed` in all."""

    state: Literal["ready", "running", "done", "failed", "silent"]
    listening: tuple[Listening, ...]
    lines: tuple[str, ...]
    printed: int
    seconds: float
    exit_code: int = 0
    out_of_memory: bool = False


class _Watch:
    """One run of a program: its lines as they come, and its sockets when asked."""

    def __init__(self, engine: Engine, container: str, details: Details, begun: float, *, is_first: bool) -> None:
        self._engine, self._container = engine, container
        self._pid, self._since = details.pid, ""
        if not is_first:  # of one that has ended again already, that end is in the way
            self._since = normalise(details.finished if details.pid else details.started) or ""
        self._stream: Stream = engine.logs(container, follow=True, since=self._since or None)
        self.begun = begun
        # Where the engine's clock is behind ours it seems to have run for longer than it has.
        age = time.time() - nanoseconds_of(normalise(details.started) or EPOCH) / 1e9
        self.settled = time.monotonic() + min(SETTLE, max(0.0, SETTLE - age))
        self.lines: deque[str] = deque(maxlen=KEPT)
        self.printed = 0
        self.has_ended = False
        self.listening: tuple[Listening, ...] = ()
        self._last: tuple[Listening, ...] = ()  # where it did when it last listened
        self.is_known = True

    def close(self) -> None:
        self._stream.close()

    def look(self) -> None:
        """At the kernel's table of sockets."""
        found = self._engine.listening({self._container: self._pid}).get(self._container)
        self.listening, self.is_known = found or (), found is not None
        self._last = self.listening or self._last

    def read(self, until: float, text: str | None) -> bool:
        """Takes what it prints until then (of time.monotonic()), its end, or a line with the text: True of that."""
        for happening in self._engine.wait([self._stream], until):
            if happening.line is None:
                self.has_ended = True
                return False
            if self._take(happening.line) and text is not None and text in self.lines[-1]:
                return True
            if time.monotonic() > until:
                return False
        return False

    def _take(self, line: Line) -> bool:
        if (normalise(line.stamp) or self._since) < self._since:
            return False  # of the run before
        self.printed += 1
        self.lines.append(line.text.rstrip(b"\r").decode(errors="replace"))
        return True

    def ready(self) -> Seen | None:
        """It was seen to be, and may have ended since: who binds one port twice, say, does so at once, and who forks
        and leaves its child to serve. Meanwhile its other sockets come. None: it listens no more, so that isn't over.
        """
        before = self.listening
        self.read(time.monotonic() + MOMENT, None)
        if self.has_ended:
            return self.ended()
        self.look()
        return None if before and not self.listening else self.seen("ready")

    def has_gone(self) -> bool:
        """Whether the engine knows of its end: the log under way may tell that only later."""
        return self._engine.details(self._container).pid == 0

    def seen(self, state: Literal["ready", "running", "silent"]) -> Seen:
        return Seen(state, self.listening, tuple(self.lines), self.printed, time.monotonic() - self.begun)

    def ended(self) -> Seen:
        """How it has, with its last words."""
        if not self.has_ended:
            self.read(time.monotonic() + LAST_WORDS, None)
        details = self._engine.details(self._container)
        how = details.exit_code
        took = time.monotonic() - self.begun
        state: Literal["done", "failed"] = "failed" if how or details.error else "done"
        return Seen(state, self._last, tuple(self.lines), self.printed, took, how, details.out_of_memory)


def wait(
    engine: Engine, container: str, expected: Expected, timeout: float, begun: float, *, is_first: bool = False
) -> Seen:
    """Until a container's program is ready, has ended, or has run for SETTLE seconds without listening; at most
    `timeout` seconds where something is expected of it. `begun` is when its start was asked for (time.monotonic()),
    `is_first` that it never ran before. Raises LabError `cancelled`."""
    details = engine.details(container)
    watch = _Watch(engine, container, details, begun, is_first=is_first)
    try:
        if details.pid == 0:
            return watch.ended()
        return _follow(engine, watch, expected, timeout)
    finally:
        watch.close()


def _follow(engine: Engine, watch: _Watch, expected: Expected, timeout: float) -> Seen:
    pause, soon = QUICKLY, time.monotonic() + SOON
    while True:
        now = time.monotonic()
        late, settled = now - watch.begun >= timeout, now >= watch.settled
        if expected.text is None:
            watch.look()
            here = servers(watch.listening, expected.listen)
            listens = expected.listen in {one.port for one in here} or (here and (expected.listen is None or settled))
            if listens and (found := watch.ready()):
                return found
        until = now + pause
        if watch.read(until, expected.text):
            watch.look()
            if found := watch.ready():
                return found
            expected = Expected()  # it was said, and what follows decides
        decided = late or (settled and expected == Expected())
        if watch.has_ended or (decided and watch.has_gone()):
            return watch.ended()
        if late:
            return watch.seen("silent" if expected != Expected() else "running")
        if decided:
            return watch.seen("running")
        if now > soon:
            pause = min(SLOWLY, pause * SLOWER)
        sleep(until - time.monotonic(), engine.cancels)


def servers(found: Iterable[Listening], port: int | None = None) -> tuple[Listening, ...]:
    """Those at which somebody is awaited: a datagram socket on a port of the kernel's choice is a client's, unless
    that `port` is expected."""
    return tuple(one for one in found if one.proto == "tcp" or one.port == port or one.port not in OWN_CHOICE)
