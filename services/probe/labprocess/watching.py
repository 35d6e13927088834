"""One program that looks at a node's sockets, for all who want to know of their changes: for many it costs what it
costs for one. It is a process of its own, as it has to look every other millisecond, whatever there is to read here."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable
from typing import NamedTuple

from labnode import journal
from labnode.loop import READ, Loop
from labprocess import lifeline
from labprocess.backlog import event_line

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import IO

    from labnode.types import Timer

COMMAND = ("python3", "/opt/probe/sockets.py", "look")
WAKE = 0.02  # seconds between two signs that something was called
BEAT = 1.0  # seconds
TOLD = tuple(b'"event":"%b"' % name for name in (b"socket-state", b"missed", b"error"))
BEGUN = b'"event":"watching"'


class Member(NamedTuple):
    """Who wants to know: `begun()` is called once what happens from then on is told, `tell(line)` for each event, and
    `over()` where there will be no more, after an `error` event that says why."""

    begun: Callable[[], None]
    tell: Callable[[bytes], None]
    over: Callable[[], None]


class Watching:
    """Runs while anybody is a member."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._members: dict[object, Member] = {}
        self._begun: set[object] = set()  # those of them that were told so
        self._child: subprocess.Popen[bytes] | None = None
        self._has_begun = False
        self._rest = b""
        self._woke = 0.0  # of time.monotonic()
        self._wake_timer: Timer | None = None
        self._beat_timer: Timer | None = None

    def join(self, who: object, member: Member) -> None:
        self._members[who] = member
        if self._child is None:
            self._start()
        elif self._has_begun:
            self._write(lifeline.JOIN)  # what was there before it came is told before it has begun

    def leave(self, who: object) -> None:
        self._members.pop(who, None)
        self._begun.discard(who)
        if not self._members:
            self._end()

    def called(self) -> None:
        """What was called may have changed a socket. Calls come in rows: the last of one has its sign as well."""
        if self._child and not self._wake_timer:
            wait = self._woke + WAKE - time.monotonic()
            if wait <= 0:
                self._wake()
            else:
                self._wake_timer = self._loop.later(wait, self._wake)

    def _wake(self) -> None:
        self._wake_timer = None
        self._woke = time.monotonic()
        self._write(lifeline.WAKE)

    def _start(self) -> None:
        # Without a buffer: what it never read, as it had ended, is not written once more when its pipe is closed.
        self._child = subprocess.Popen(COMMAND, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        _, told = _pipes(self._child)
        os.set_blocking(told.fileno(), False)
        self._rest, self._has_begun = b"", False
        self._loop.watch(told, READ, self._read)
        self._beat()

    def _end(self) -> None:
        for timer in (self._beat_timer, self._wake_timer):
            self._loop.cancel(timer)
        self._wake_timer, self._has_begun = None, False
        if self._child:
            asked, told = _pipes(self._child)
            self._loop.watch(told, 0)
            asked.close()
            told.close()
            self._child.kill()
            self._child.wait()
            self._child = None

    def _beat(self) -> None:
        self._write(b"\n")
        self._beat_timer = self._loop.later(BEAT, self._beat)

    def _write(self, data: bytes) -> None:
        asked = self._child and self._child.stdin
        if asked:
            with contextlib.suppress(OSError):
                asked.write(data)
                asked.flush()

    def _read(self, _ready: int) -> None:
        if self._child is None:
            return
        try:
            data = os.read(_pipes(self._child)[1].fileno(), 1 << 16)
        except BlockingIOError:
            return
        if not data:
            self._lose()
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            if any(word in line for word in TOLD):
                self._tell(line)
            elif BEGUN in line:
                self._has_begun = True
                for who in self._members.keys() - self._begun:
                    self._begun.add(who)
                    self._members[who].begun()

    def _tell(self, line: bytes) -> None:
        for who in list(self._begun):
            self._members[who].tell(line)

    def _lose(self) -> None:
        """It has ended by itself."""
        members, self._members, self._begun = list(self._members.values()), {}, set()
        self._end()
        line = event_line("error", error="ECHILD", reason=f"the watch of sockets at {journal.NODE} ended")
        for member in members:
            member.tell(line)
            member.over()


def _pipes(child: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    """Its standard input and output, which were asked for."""
    assert child.stdin is not None
    assert child.stdout is not None
    return child.stdin, child.stdout
