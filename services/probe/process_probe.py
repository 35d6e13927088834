"""Records system calls and states of sockets of one node. Runs in a probe, in its network and process namespaces.

It is asked by `syscalls.py` and `sockets.py`, over a unix socket in the probe's own files (docs/processes.md), one line
of JSON each:

    {"do": "start", "mark": "..."}                records from now on
    {"do": "stop"}                                ends that, and forgets; with "mark" only what was begun under that one
    {"do": "read", "kinds": [...], "since": ns}   what was recorded; with "follow" also what comes
    {"do": "read", "kinds": [...], "last": ns}    the same of the last nanoseconds
    {"do": "watch"}                               changes of state of sockets from now on, recorded or not

The answer to the last begins with a `watching` event, once nothing that happens is missed; all others with a
`recording` event: since when, from when on it tells, and how much of that is gone. Each ends with a `complete` event:
what ends without was cut off. One who follows and reads too slowly gets a `behind` event as the last one: so many were
left out. The node's end ends the probe.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import time
from collections.abc import Iterable

from labprocess.backlog import Backlog, event_line
from labprocess.recorder import Recorder
from labprocess.tracing.calls import stamp
from labprocess.watching import Member, Watching

from labnode import life
from labnode.loop import READ, WRITE, Loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from labnode.types import Done, Fields

ADDRESS = "/dev/shm/processes"


class Asker:
    """One connection: its request, and what is still to be written to it."""

    def __init__(self, probe: ProcessProbe, sock: socket.socket) -> None:
        self._probe, self._socket = probe, sock
        self._typed = b""
        self._backlog = Backlog()
        self._wanted = 0
        self.follows: list[str] = []
        sock.setblocking(False)
        self._watch()

    def answer(self, lines: Iterable[bytes]) -> None:
        self._backlog.answer(lines)
        self._watch()

    def add(self, line: bytes) -> None:
        """Something that happened."""
        self._backlog.add(line)
        self._watch()

    def end(self) -> None:
        """Says that this was all, and closes once it is written."""
        self._backlog.end()
        self._watch()

    def close(self) -> None:
        self._probe.forget(self)
        self._probe.loop.watch(self._socket, 0)
        self._socket.close()

    def _watch(self) -> None:
        wanted = READ | (WRITE if self._backlog.piece() else 0)
        if wanted != self._wanted and self._socket.fileno() >= 0:
            self._wanted = wanted
            self._probe.loop.watch(self._socket, wanted, self._on_ready)

    def _on_ready(self, ready: int) -> None:
        try:
            if ready & READ:
                self._read()
            else:
                self._write()
        except BlockingIOError:
            return
        except OSError:
            self.close()

    def _write(self) -> None:
        self._backlog.wrote(self._socket.send(self._backlog.piece()))
        if self._backlog.is_over:
            self.close()
        else:
            self._watch()

    def _read(self) -> None:
        data = self._socket.recv(1 << 16)
        if not data:
            self.close()
            return
        self._typed += data
        if b"\n" in self._typed:
            line, _, self._typed = self._typed.partition(b"\n")
            self._probe.answer(self, json.loads(line))


class ProcessProbe:
    def __init__(self, loop: Loop) -> None:
        self.loop = loop
        self._askers: set[Asker] = set()
        self._mark: str | None = None  # of whoever began to record
        self._watching = Watching(loop)
        self._recorder = Recorder(loop, self._publish, self._watching)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(ADDRESS)
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(ADDRESS)
        self._server.listen()
        self._server.setblocking(False)
        loop.watch(self._server, READ, self._on_asker)

    def _on_asker(self, _ready: int) -> None:
        with contextlib.suppress(BlockingIOError):
            self._askers.add(Asker(self, self._server.accept()[0]))

    def forget(self, asker: Asker) -> None:
        self._askers.discard(asker)
        self._watching.leave(asker)

    def answer(self, asker: Asker, request: Fields) -> None:
        recorder = self._recorder
        if request["do"] == "start":
            fresh = recorder.since is None
            if fresh:
                self._mark = request.get("mark")

            def ready(refused: dict[int, str]) -> None:
                told = [{"pid": pid, "reason": why} for pid, why in refused.items()]
                self._head(asker, fresh=fresh, refused=told)
                asker.end()

            recorder.start(ready)
            return
        if request["do"] == "stop":
            self._head(asker)
            if request.get("mark", self._mark) != self._mark:
                asker.end()  # somebody else has begun it
                return
            self._end_followers()
            recorder.stop(asker.end)
            return
        if request["do"] == "watch":
            member = Member(lambda: asker.answer([event_line("watching")]), asker.add, asker.end)
            self._watching.join(asker, member)
            return
        self._give(asker, request)
        if not asker.follows:
            asker.end()

    def _end_followers(self) -> None:
        for asker in self._askers:
            if asker.follows:
                asker.follows = []
                asker.end()

    def _give(self, asker: Asker, request: Fields) -> None:
        # The calls' own clock: labctl's may be that of another machine.
        since = time.time_ns() - request["last"] if "last" in request else request.get("since", 0)
        kinds = request["kinds"]
        self._head(asker, kinds, since)
        there = self._recorder.histories
        # In order of time, whatever kind they are of: whoever follows sees them as they come.
        kept = sorted((item for kind in kinds if there for item in there[kind].since(since)), key=lambda item: item[0])
        asker.answer(line for _, line in kept)
        if request.get("follow") and self._recorder.since is not None:
            asker.follows = kinds

    def _head(self, asker: Asker, kinds: Iterable[str] = (), since: int = 0, **fields: object) -> None:
        recorder = self._recorder
        cut = sum(
            recorder.histories[kind].cut
            for kind in kinds
            if recorder.histories and recorder.histories[kind].cut_until >= since
        )
        if recorder.since is not None:
            fields |= {"since": stamp(recorder.since), "begin": stamp(max(recorder.since, since))}
        asker.answer([event_line("recording", cut=cut, **{"since": None, **fields})])

    def _publish(self, kind: str, line: bytes) -> None:
        for asker in list(self._askers):
            if kind in asker.follows:
                asker.add(line)

    def close(self) -> None:
        self._recorder.stop()
        for asker in self._askers:
            self._watching.leave(asker)
        self._server.close()


def main(loop: Loop) -> Done:
    # A node ignores SIGCHLD, and then no exit status of a command can be had (wait(2), NOTES).
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    probe = ProcessProbe(loop)
    life.ready()
    return probe.close


if __name__ == "__main__":
    life.run(main)
