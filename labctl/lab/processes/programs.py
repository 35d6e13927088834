"""Programs that run in the probes of nodes' processes, and the events that they print (docs/processes.md)."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from labctl.engine.model import LABEL_SHARES, LABEL_TARGET, Container, Engine, Stream
from labctl.errors import LabError
from labctl.events.codec import decode
from labctl.events.merge import Window
from labctl.events.model import Event
from labctl.lab import probes
from labctl.lab.model import Lab, Node

LIMIT = 30.0  # seconds without a word from any, for what is over by itself
BEAT = 1.0  # seconds; what runs in a probe ends when it has heard nothing for five
PAUSE = 0.05  # seconds that a listener waits at most before it looks at anything else
QUEUE = 20_000  # events that wait for whoever reads them; then the probes wait
LAG = 5.0  # seconds that the engine may take to know that a node has ended
SHARES = ("python3", "/opt/probe/sockets.py", "shares")
COMPLETE = "complete"  # the last event of a program that has told all
BEHIND = "behind"  # that of one that had more to tell than was read


def ensure(engine: Engine, lab: Lab, nodes: Sequence[Node]) -> dict[str, Container]:
    """A running probe at each node, by its name; all there are know which nodes share a network now."""
    there = probes.ensure(engine, lab, nodes, probes.PROCESSES)
    _tell_who_shares(engine, lab, nodes, there)
    return there


def _tell_who_shares(engine: Engine, lab: Lab, nodes: Sequence[Node], there: Mapping[str, Container]) -> None:
    """What has another node's network has it from its beginning to its end. Whose network it is may get others later,
    and its probe, which may be recording and can't be made anew, is told so."""
    firsts = {first.name: first for first in (lab.members(node)[0] for node in nodes) if not first.owner}
    known = dict(there)
    if not firsts.keys() <= there.keys():
        known |= probes.all_of(engine, lab.name, probes.PROCESSES)
    for name, first in firsts.items():
        probe, word = known.get(name), probes.shares(lab, first)
        if probe and probe.state == "running" and probe.labels.get(LABEL_SHARES, "") != word:
            for _ in run(engine, {name: probe}, (*SHARES, word)):
                pass


def run(engine: Engine, there: Mapping[str, Container], command: Sequence[str], head: str = "") -> Iterator[Event]:
    """What a program prints in each of some probes, until all have ended; `head` is the event that each begins with.

    Raises LabError `processes-failed` where one says that it can't, has not told all, or says nothing for long; but not
    before the others have told what they have.
    """
    problems: dict[str, LabError] = {}
    last = dict.fromkeys(there, "")  # the name of each one's last event
    with _Talk(engine, there, command) as talk:
        live, heard = list(talk.streams), time.monotonic()
        while live and time.monotonic() < heard + LIMIT:
            beat = talk.beat()
            for happening in engine.wait(live, min(beat, heard + LIMIT)):
                heard, node = time.monotonic(), _node(there, happening.stream)
                if happening.line is None:
                    live.remove(happening.stream)
                    if last[node] != COMPLETE:
                        engine.containers(running=True)  # raises where it is the engine that went away
                        problems.setdefault(node, _failed(node, "its program ended before it had told all", "EPIPE"))
                elif node not in problems:
                    event = decode(happening.line.text, node=node, stderr=happening.line.stderr)
                    problem = _problem(event)
                    if head and not last[node] and event.name != head:
                        problem = problem or _failed(node, f"its program began with {event.name}, not {head}", "EPROTO")
                    last[node] = event.name
                    if problem:
                        problems[node] = problem
                    elif event.name != COMPLETE:
                        yield event
                if heard >= beat:
                    break
    if live:
        nodes = ", ".join(sorted(_node(there, stream) for stream in live))
        raise _failed(nodes, f"its program said nothing for {LIMIT:g} s", "ETIMEDOUT")
    if problems:
        raise next(iter(problems.values()))


class _Talk:
    """A program in each of some probes, and what keeps it there: a context manager that ends them."""

    def __init__(self, engine: Engine, there: Mapping[str, Container], command: Sequence[str]) -> None:
        self.streams: list[Stream] = []
        self._due = 0.0
        try:
            for probe in there.values():
                self.streams.append(engine.open(probe.id, command))
                self.beat()  # the first ones must not wait for the last one to be there
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> _Talk:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def beat(self) -> float:
        """Says that labctl is there, where it is time to; when it is the next time."""
        now = time.monotonic()
        if now >= self._due:
            self._due = now + BEAT
            for stream in self.streams:
                stream.write(b"\n")
        return self._due

    def close(self) -> None:
        for stream in self.streams:
            stream.close()


def follow(engine: Engine, there: Mapping[str, Container], command: Sequence[str]) -> Iterator[Event]:
    """What a program prints in each of some probes as it comes, of all in order of time within a tenth of a second.

    Ends when all of them have ended, as each does with its node. Raises LabError `fell-behind` where more came than was
    taken here, `processes-failed` as `run` does; what came before is given first.
    """
    listener = _Listener(engine, there, command)
    window = Window()
    try:
        while True:
            found = listener.next(PAUSE if window.due is None else max(0.001, window.due - time.monotonic()))
            if isinstance(found, Event):
                found = _problem(found) or found
            if found is _END or isinstance(found, BaseException):
                break
            if isinstance(found, Event):
                window.add(found, time.monotonic())
            yield from window.take(time.monotonic())
        yield from window.take()
        if isinstance(found, BaseException):
            raise found
    finally:
        listener.close()


_END = object()


class _Listener:
    """Reads and beats in a thread of its own: whoever shows the events may stand still (a pager), the probes not."""

    def __init__(self, engine: Engine, there: Mapping[str, Container], command: Sequence[str]) -> None:
        self._engine, self._there = engine, there
        self._runs = {name: engine.details(probe.labels[LABEL_TARGET]).started for name, probe in there.items()}
        self._last = dict.fromkeys(there, "")  # the name of each one's last event
        self._queue: queue.Queue[object] = queue.Queue(QUEUE)
        self._closed = threading.Event()
        self._talk = _Talk(engine, there, command)
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
        self._talk.close()

    def _listen(self) -> None:
        try:
            self._listen_until_all_end()
        except (LabError, OSError) as problem:
            self._put(problem)
        self._put(_END)

    def _listen_until_all_end(self) -> None:
        live = list(self._talk.streams)
        while live and not self._closed.is_set():
            beat = self._talk.beat()
            for happening in self._engine.wait(live, time.monotonic() + PAUSE):
                node = _node(self._there, happening.stream)
                if happening.line is None:
                    live.remove(happening.stream)
                    self._check_end(node)
                else:
                    event = decode(happening.line.text, node=node, stderr=happening.line.stderr)
                    self._last[node] = event.name
                    if event.name != COMPLETE:
                        self._put(event)
                if self._closed.is_set() or time.monotonic() >= beat:
                    break

    def _check_end(self, node: str) -> None:
        """Raises LabError where a program has ended that had more to tell. With its node it may; the engine knows of
        that some time after the streams do."""
        deadline = time.monotonic() + LAG
        while self._last[node] not in (COMPLETE, BEHIND) and not self._closed.is_set() and self._goes_on(node):
            if time.monotonic() >= deadline:
                why = "its program ended, and its node did not; it does where it hears nothing of labctl for 5 s"
                raise _failed(node, why, "EPIPE")
            self._talk.beat()
            time.sleep(PAUSE)

    def _goes_on(self, node: str) -> bool:
        """A node is in the run that it was in."""
        target = self._there[node].labels[LABEL_TARGET]
        # Raises where it is the engine that went away.
        if not any(container.id == target for container in self._engine.containers(running=True)):
            return False
        with contextlib.suppress(LabError):  # it has just been removed
            return self._engine.details(target).started == self._runs[node]
        return False

    def _put(self, item: object) -> None:
        """Waits until there is room, and goes on saying that labctl is there."""
        while not self._closed.is_set():
            try:
                self._queue.put(item, timeout=PAUSE)
            except queue.Full:
                self._talk.beat()
                continue
            return


def _node(there: Mapping[str, Container], stream: Stream) -> str:
    return next(name for name, probe in there.items() if probe.id == stream.container)


def _problem(event: Event) -> LabError | None:
    """What an event says of its program's failure; an error about one process is an event like others."""
    if event.name == "error" and event.get("pid") is None:
        return _failed(event.node, event.get("reason"), event.get("error"))
    if event.name == "log":
        return _failed(event.node, event.get("text"), "EPROTO")
    if event.name == BEHIND:
        return LabError("fell-behind", node=event.node, count=event.get("count"))
    return None


def _failed(node: str, why: Any, error: Any) -> LabError:
    return LabError("processes-failed", node=node, why=why, error=error)
