"""What a machine's clock says, against this machine's, by a few round trips."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable

from labctl.engine.docker.client import DockerEngine
from labctl.engine.machines import Clock, clock_of
from labctl.engine.model import Engine
from labctl.engine.swarm import Reading
from labctl.errors import Cancelled, LabError

TRIPS = 8
EVENTS = 4  # each takes a connection, and they are told more exactly
LIMIT = 10.0  # seconds for all of them
PROMPT = 2.0  # seconds for each step of a way that takes no time where there is one
# One line of the time for each line that it reads. Not all of date(1) know nanoseconds.
COMMAND = ("sh", "-c", "while read line; do date +%s%N; done")
_NANOSECONDS = 19  # digits of such a time, until the year 2286
DRIFTS = 60.0  # seconds that a measured clock is taken for right


class Clocks:
    """The clocks of machines. To measure one takes as long as its engine needs to start a shell, so that each has a
    thread for it, and only who needs to know waits."""

    def __init__(self) -> None:
        self._measured: dict[str, _Measuring] = {}
        self._lock = threading.Lock()

    def begin(self, machine: str, engine: Engine, container: str) -> None:
        """Measures it where it isn't known, by a container of that machine."""
        with self._lock:
            known = self._measured.get(machine)
            if known is None or known.is_void():
                self._measured[machine] = _Measuring(engine, container)

    def of(self, machine: str, engine: Engine, container: str) -> Clock:
        """Raises LabError."""
        self.begin(machine, engine, container)
        try:
            return self._measured[machine].clock()
        except Cancelled:  # by who had it measured, and may be somebody else
            self.begin(machine, engine, container)
            return self._measured[machine].clock()


class _Measuring:
    def __init__(self, engine: Engine, container: str) -> None:
        self._engine, self._container = engine, container
        self._clock: Clock | None = None
        self._problem: Exception | None = None
        self._begun = time.monotonic()
        self._thread = threading.Thread(target=self._measure, daemon=True)
        self._thread.start()

    def _measure(self) -> None:
        try:
            self._clock = measured(self._engine, self._container)
        except Exception as problem:  # noqa: BLE001 - raised by `clock`
            self._problem = problem

    def is_void(self) -> bool:
        return self._problem is not None or time.monotonic() - self._begun > DRIFTS

    def clock(self) -> Clock:
        self._thread.join()
        if self._problem:
            raise self._problem
        assert self._clock
        return self._clock


def measured(engine: Engine, container: str | None = None) -> Clock:
    """By what the engine tells of a running container of that machine, or by a shell in it; else by what the engine
    says of itself, which is less exact. Raises LabError."""
    if container:
        found = clock_of(_told(engine, container))
        if found:
            return found
        try:
            found = clock_of(list(_asked(engine, container)))
        except LabError:  # it doesn't run, or has no shell
            found = None
        if found:
            return found
    found = clock_of(list(_of_engine(engine)))
    if found is None:
        raise LabError("engine-refused", action="tell its time", why="it says none")
    return found


def _told(engine: Engine, container: str) -> list[Reading]:
    # Each takes a connection of its own, which over ssh is a program that is started there.
    if isinstance(engine, DockerEngine) and not engine.endpoint.url.startswith("ssh:"):
        return engine.times_of_attaching(container, EVENTS, PROMPT)
    return []


def _asked(engine: Engine, container: str) -> Iterable[Reading]:
    stream = engine.open(container, COMMAND)
    try:
        deadline = time.monotonic() + LIMIT
        begun = time.time_ns()
        stream.write(b"\n")
        for count, happening in enumerate(engine.wait([stream], deadline), 1):
            now = time.time_ns()
            if happening.line is None or happening.line.stderr:
                return
            text = happening.line.text.strip()
            if len(text) != _NANOSECONDS or not text.isdigit():
                return
            yield Reading(begun, int(text), now)
            if count == TRIPS:
                return
            begun = time.time_ns()
            stream.write(b"\n")
    finally:
        stream.close()


def _of_engine(engine: Engine) -> Iterable[Reading]:
    for _ in range(3):
        begun = time.time_ns()
        said = str(engine.info().get("SystemTime") or "")
        now = time.time_ns()
        found = nanoseconds(said)
        if found is not None:
            yield Reading(begun, found, now)


def nanoseconds(text: str) -> int | None:
    """An RFC 3339 time with up to nine digits of a second, as nanoseconds since the epoch."""
    from labctl.events.codec import normalise
    from labctl.events.model import Event

    found = normalise(text) if text else None
    try:
        return Event(found, "", "").nanoseconds if found else None
    except ValueError:
        return None
