"""Records what one node sends and what arrives at it. Runs in a probe, in the node's network namespace.

It keeps the last packets in memory and shows them to whoever asks at its socket (capture_tell.py does, for labctl).
Nothing is written to a disk.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import time

import sign
from labcapture import tables, wire
from labcapture.listener import Listener
from labcapture.netlog import NetLog
from labcapture.offload import Offload
from labcapture.ring import RETIRE, Ring
from labcapture.store import Piece, Store
from labfault.tables import COPY, MARK

from labnode import gate, journal, life
from labnode.loop import READ, Loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from labnode.types import Done, Fields, Ready

LOOK = 1.0  # seconds between two looks at the interfaces
LAST_WORDS = 1.0  # seconds for those who listen to hear that it ends
LINGER = 60.0  # seconds that it still tells what it has when the node has stopped
ANNOUNCE = 0.2  # seconds between two states, for whoever listens
PLAIN, MARKED = 40, 12  # blocks of a quarter MiB that the kernel may fill before it must let packets fall


class Recorder:
    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._listeners: list[Listener] = []
        self._drops: list[tuple[int, int]] = []  # (when it was seen, how many packets since the last time)
        self._dropped = 0
        self._offload = Offload()
        self._interfaces: dict[int, str] = {}
        self._log: NetLog | None = None
        self._problem = ""
        self._ends_at: float | None = None  # of time.monotonic(), once the node's network is gone
        self._look_at_interfaces()
        self._open_log()
        self._plain = Ring(MARK | COPY, marked=False, blocks=PLAIN)
        self._marked = Ring(MARK | COPY, marked=True, blocks=MARKED)
        self._store = Store(time.time_ns())
        for ring, source in ((self._plain, "R"), (self._marked, "M")):
            loop.watch(ring, READ, self._reader(ring, source))
        self._door = self._listen()
        if os.environ.get("LABCTL_SIGN"):
            self._give_sign()
        loop.later(LOOK, self._look)
        loop.later(ANNOUNCE, self._announce)

    def _open_log(self) -> None:
        """Where the kernel can't log packets, the rest is recorded all the same, and the state says what is missing."""
        try:
            log = NetLog(tables.GROUP)
            tables.set_up()
            self._log = log
            self._loop.watch(log, READ, self._on_log)
        except OSError as problem:
            self._problem = f"what is sent on links with faults can't be recorded here: {problem.strerror or problem}"

    def _listen(self) -> socket.socket:
        door = socket.socket(socket.AF_UNIX)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(wire.ADDRESS)
        door.bind(wire.ADDRESS)
        door.listen(16)
        door.setblocking(False)
        self._loop.watch(door, READ, self._on_visitor)
        return door

    def _give_sign(self) -> None:
        """Tells the node, which waits to be recorded, that it may begin."""
        if gate.sign().startswith(gate.SIGN):
            return  # rules are in force already, and who has set them tells it
        try:
            sign.give("records")
        except (OSError, subprocess.TimeoutExpired) as problem:
            why = getattr(problem, "strerror", None) or problem
            self._problem = self._problem or f"its node waited for nothing: {why}"
            return
        self._loop.later(gate.LONGEST, self._end_sign)

    def _end_sign(self) -> None:
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            sign.take_back("records")

    # -- packets

    def _reader(self, ring: Ring, source: str) -> Ready:
        return lambda _: self._on_blocks(ring, source)

    def _on_blocks(self, ring: Ring, source: str) -> None:
        for first, last, _, data in ring.read():
            self._keep(Piece(source, first, last, data))

    def _on_log(self, _ready: int) -> None:
        found = self._log.read() if self._log else []
        if found:
            self._keep(wire.logged(found))

    def _keep(self, piece: Piece) -> None:
        self._store.add(piece)
        for listener in list(self._listeners):
            if listener.live:
                listener.tell(piece)

    # -- who asks

    def _on_visitor(self, _ready: int) -> None:
        sock, _ = self._door.accept()
        self._listeners.append(Listener(self._loop, sock, self._on_wish, self._listeners.remove))

    def _on_wish(self, listener: Listener, wish: Fields) -> None:
        now = time.time_ns()
        # A packet of this moment is handed over when its block retires, which the kernel does in that time.
        self._loop.later(RETIRE * 3 / 1000, lambda: self._answer(listener, wish, now))

    def _answer(self, listener: Listener, wish: Fields, now: int) -> None:
        if listener not in self._listeners:
            return
        listener.since_ns = now - wish["last_ns"] if wish["since_ns"] is None else wish["since_ns"]
        self._count_drops()
        listener.tell(self._state(listener, now))
        for piece in self._store.since(listener.since_ns):
            listener.tell(piece, recorded=True)
        if wish["follow"] and self._ends_at is None:
            listener.live = True
            listener.tell(self._state(listener, now))
        else:
            listener.tell(self._state(listener, now, ended=True))
            listener.end()

    def _state(self, listener: Listener, now: int, *, ended: bool = False) -> Piece:
        """What it must know besides the packets. All that came until `now` has been told before it."""
        fields = {
            "now_ns": now,
            "begin_ns": listener.since_ns,
            "since_ns": max(self._store.since_ns, listener.since_ns),
            "live": listener.live,
            "ended": ended,
            "drops": sum(count for until, count in self._drops if until >= listener.since_ns),
            "interfaces": self._interfaces,
            "problems": [text for text in (self._problem, self._offload.problem) if text],
        }
        return Piece(wire.STATE, now, now, json.dumps(fields).encode())

    def _count_drops(self) -> None:
        total = self._plain.drops() + self._marked.drops() + (self._log.dropped if self._log else 0)
        if total > self._dropped:
            self._drops.append((time.time_ns(), total - self._dropped))
            self._dropped = total

    # -- the node

    def _look_at_interfaces(self) -> bool:
        found = {number: name for number, name in socket.if_nameindex() if name != "lo"}
        for name in found.values():
            self._offload.off(name)
        self._interfaces |= found
        return bool(found)

    def _look(self) -> None:
        if self._look_at_interfaces():
            self._ends_at = None  # a cable was pulled, and is plugged in again
        elif self._ends_at is None:
            self._ends_at = time.monotonic() + LINGER
            self._end([listener for listener in self._listeners if listener.live])
        elif time.monotonic() >= self._ends_at:
            raise life.Stop("the node's network is gone")
        self._loop.later(LOOK, self._look)

    def _announce(self) -> None:
        """Tells those who listen how far they have been told all."""
        if any(listener.live for listener in self._listeners):
            now = time.time_ns()
            self._loop.later(RETIRE * 3 / 1000, lambda: self._tell_state(now))
        self._loop.later(ANNOUNCE, self._announce)

    def _tell_state(self, now: int) -> None:
        self._count_drops()
        for listener in list(self._listeners):
            if listener.live:
                listener.tell(self._state(listener, now))

    def _end(self, listeners: list[Listener]) -> None:
        """Nothing more comes."""
        now = time.time_ns()
        for listener in listeners:
            listener.live = False
            listener.tell(self._state(listener, now, ended=True))
            listener.end()

    def close(self) -> None:
        now, deadline = time.time_ns(), time.monotonic() + LAST_WORDS
        for listener in list(self._listeners):
            listener.tell(self._state(listener, now, ended=True))
            listener.finish(deadline)
        with contextlib.suppress(OSError, subprocess.TimeoutExpired):
            if self._log is not None:
                tables.clear()
            self._offload.restore()


def main(loop: Loop) -> Done:
    # A node ignores SIGCHLD, and then no exit status of a command can be had (wait(2), NOTES).
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    recorder = Recorder(loop)
    journal.event("recording")
    life.ready()
    return recorder.close


if __name__ == "__main__":
    life.run(main)
