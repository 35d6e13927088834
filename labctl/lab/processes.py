"""Programs that run in the probes of nodes' processes, and the events that they print (docs/processes.md)."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Mapping, Sequence

from labctl.engine.model import Container, Engine, Stream
from labctl.errors import LabError
from labctl.events.codec import decode
from labctl.events.merge import Window
from labctl.events.model import Event
from labctl.lab import probes
from labctl.lab.model import Lab, Node

LIMIT = 30.0  # seconds for what is over by itself
BEAT = 1.0  # seconds; what runs in a probe ends when it has heard nothing for five
PAUSE = 0.05  # seconds that a listener waits at most before it looks at anything else
QUEUE = 100_000  # events that wait for whoever reads them; then the probes wait


def ensure(engine: Engine, lab: Lab, nodes: Sequence[Node]) -> dict[str, Container]:
    """A running probe at each node, by its name."""
    return probes.ensure(engine, lab, nodes, probes.PROCESSES)


def run(engine: Engine, there: Mapping[str, Container], command: Sequence[str]) -> Iterator[Event]:
    """What a program prints in each of some probes, until all have ended.

    Raises LabError `processes-failed` where it says that it can't, or takes too long.
    """
    streams = [engine.open(probe.id, command) for probe in there.values()]
    left = set(there)
    try:
        for happening in engine.wait(streams, time.monotonic() + LIMIT):
            node = _node(there, happening.stream)
            if happening.line is None:
                left.discard(node)
            else:
                yield _checked(decode(happening.line.text, node=node, stderr=happening.line.stderr))
    finally:
        for stream in streams:
            stream.close()
    if left:
        why = f"its program did not end within {LIMIT:g} s"
        raise LabError("processes-failed", node=", ".join(sorted(left)), why=why, error="ETIMEDOUT")


def follow(engine: Engine, there: Mapping[str, Container], command: Sequence[str]) -> Iterator[Event]:
    """What a program prints in each of some probes as it comes, of all in order of time within a tenth of a second.

    Ends when all of them have ended, as each does with its node. Raises LabError as `run` does.
    """
    listener = _Listener(engine, there, command)
    window = Window()
    try:
        while True:
            found = listener.next(PAUSE if window.due is None else max(0.001, window.due - time.monotonic()))
            if found is _END:
                break
            if isinstance(found, BaseException):
                raise found
            if isinstance(found, Event):
                window.add(_checked(found), time.monotonic())
            yield from window.take(time.monotonic())
        yield from window.take()
    finally:
        listener.close()


_END = object()


class _Listener:
    """Reads and beats in a thread of its own: whoever shows the events may stand still (a pager), the probes not."""

    def __init__(self, engine: Engine, there: Mapping[str, Container], command: Sequence[str]) -> None:
        self._engine, self._there = engine, there
        self._streams = [engine.open(probe.id, command) for probe in there.values()]
        self._queue: queue.Queue[object] = queue.Queue(QUEUE)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def next(self, within: float) -> object:
        """An event, an exception, _END; None where nothing came within some seconds."""
        try:
            return self._queue.get(timeout=within)
        except queue.Empty:
            return None

    def close(self) -> None:
        self._closed.set()
        self._thread.join(10)
        for stream in self._streams:
            stream.close()

    def _listen(self) -> None:
        try:
            self._listen_until_all_end()
        except (LabError, OSError) as problem:
            self._put(problem)
        self._put(_END)

    def _listen_until_all_end(self) -> None:
        live, beat = list(self._streams), 0.0
        while live and not self._closed.is_set():
            now = time.monotonic()
            if now >= beat:
                beat = now + BEAT
                for stream in live:
                    stream.write(b"\n")
            for happening in self._engine.wait(live, now + PAUSE):
                if happening.line is None:
                    self._engine.containers(running=True)  # raises where it is the engine that went away
                    live.remove(happening.stream)
                else:
                    node = _node(self._there, happening.stream)
                    self._put(decode(happening.line.text, node=node, stderr=happening.line.stderr))
                if self._closed.is_set() or time.monotonic() >= beat:
                    break

    def _put(self, item: object) -> None:
        while not self._closed.is_set():
            try:
                self._queue.put(item, timeout=PAUSE)
            except queue.Full:
                continue
            return


def _node(there: Mapping[str, Container], stream: Stream) -> str:
    return next(name for name, probe in there.items() if probe.id == stream.container)


def _checked(event: Event) -> Event:
    """An error about one process is an event like others."""
    if event.name == "error" and event.get("pid") is None:
        raise LabError("processes-failed", node=event.node, why=event.get("reason"), error=event.get("error"))
    if event.name == "log":
        raise LabError("processes-failed", node=event.node, why=event.get("text"), error="EPROTO")
    return event
