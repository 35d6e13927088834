"""What a machine's clock says, against this machine's, by a few round trips."""

from __future__ import annotations

import time
from collections.abc import Iterable

from labctl.engine.machines import Clock, clock_of
from labctl.engine.model import Engine
from labctl.engine.swarm import Reading
from labctl.errors import LabError

TRIPS = 8
LIMIT = 10.0  # seconds for all of them
# One line of the time for each line that it reads. Not all of date(1) know nanoseconds.
COMMAND = ("sh", "-c", "while read line; do date +%s%N; done")
_NANOSECONDS = 19  # digits of such a time, until the year 2286


def measured(engine: Engine, container: str | None = None) -> Clock:
    """By a shell in a running container of that machine, where it has one; else by what the engine says of itself,
    which is less exact. Raises LabError."""
    if container:
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
