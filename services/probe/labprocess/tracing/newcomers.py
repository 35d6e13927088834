"""Tells that a process has begun in this process namespace, soon after it has.

Nothing in Linux tells that to whoever may not see the whole machine, so it is looked for. The look is a thread of its
own, which does nothing else: it costs half of what a timer of the loop does.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable

from labnode.loop import READ, Loop

SCAN = 0.005  # seconds between two looks: the engine takes some 25 ms to start one, and strace 10 to follow it


class Newcomers:
    """Calls `came()` in the loop where the newest process is another one than before, from `start` to `stop`.

    proc(5), /proc/loadavg: its last field is the newest process of this namespace. The whole list costs fifty times as
    much.
    """

    def __init__(self, loop: Loop, came: Callable[[], None]) -> None:
        self._loop, self._came = loop, came
        self._loadavg = os.open("/proc/loadavg", os.O_RDONLY | os.O_CLOEXEC)
        self._reader, self._writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._is_over: threading.Event | None = None

    def start(self) -> None:
        """What is there already is told at once."""
        if self._is_over:
            return
        self._is_over = threading.Event()
        self._loop.watch(self._reader, READ, self._hear)
        threading.Thread(target=self._look_on, args=(self._is_over,), daemon=True).start()

    def stop(self) -> None:
        if self._is_over:
            self._is_over.set()
            self._is_over = None
            self._loop.watch(self._reader, 0)

    def _look_on(self, is_over: threading.Event) -> None:
        newest = b""
        while not is_over.is_set():
            found = os.pread(self._loadavg, 128, 0).rsplit(None, 1)[-1]
            if found != newest:
                newest = found
                self._tell()
            time.sleep(SCAN)

    def _tell(self) -> None:
        try:
            os.write(self._writer, b"n")
        except BlockingIOError:
            return  # it has yet to hear of the others

    def _hear(self, _ready: int) -> None:
        os.read(self._reader, 4096)
        self._came()
