"""strace(1) on some processes of the node and on all that they start: one subprocess, its output to calls."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Callable
from typing import IO

from labnode.loop import READ, Loop
from labprocess.tracing.calls import TRACED
from labprocess.tracing.strace import OPTIONS, Call, Ended, Reader, Signal

_ATTACHED = re.compile(r"strace: Process (\d+) attached")
_REFUSED = re.compile(r"strace: attach: ptrace\(PTRACE_\w+, (\d+)\): (.*)")
_LONGEST = 1 << 20  # bytes of a line


class Tracer:
    """`tell(item)` is called for each call, signal and end; `attached(tracer)` once it is known of each process
    whether it is traced; `over(tracer)` when strace has ended, with all that it followed."""

    def __init__(
        self,
        loop: Loop,
        pids: list[int],
        tell: Callable[[Call | Signal | Ended], None],
        attached: Callable[[Tracer], None],
        over: Callable[[Tracer], None],
    ) -> None:
        self._loop, self._tell, self._over = loop, tell, over
        self._attached: Callable[[Tracer], None] | None = attached
        self._awaited = set(pids)
        self.refused: dict[int, str] = {}  # process: why
        self._reader, self._rest = Reader(), b""
        self._words = b""
        arguments = [word for pid in pids for word in ("-p", str(pid))]
        self._child = subprocess.Popen(
            ["strace", *OPTIONS, "-e", f"trace={','.join(TRACED)}", "-o", "/dev/stdout", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self._child.stdout is not None
        assert self._child.stderr is not None
        self._told, self._said = self._child.stdout, self._child.stderr
        self._open = {self._told, self._said}
        for stream, read in ((self._told, self._read), (self._said, self._hear)):
            os.set_blocking(stream.fileno(), False)
            loop.watch(stream, READ, read)

    @property
    def pid(self) -> int:
        return self._child.pid

    def stop(self) -> None:
        """Lets the processes go; `over` comes later."""
        with contextlib.suppress(ProcessLookupError):
            self._child.send_signal(signal.SIGTERM)

    def _read(self, _ready: int) -> None:
        data = self._take(self._told)
        if data is None:
            return
        *lines, self._rest = (self._rest + data).split(b"\n")
        if len(self._rest) > _LONGEST:
            self._rest = b""
        for line in lines:
            found = self._reader.feed(line.decode(errors="replace"))
            if found is not None:
                self._tell(found)

    def _hear(self, _ready: int) -> None:
        data = self._take(self._said)
        if data is None:
            return
        *lines, self._words = (self._words + data).split(b"\n")
        for line in lines:
            text = line.decode(errors="replace")
            if found := _ATTACHED.match(text):
                self._awaited.discard(int(found[1]))
            elif found := _REFUSED.match(text):
                self._awaited.discard(int(found[1]))
                if found[2] != "No such process":
                    self.refused[int(found[1])] = found[2]
        self._tell_attached()

    def _tell_attached(self) -> None:
        if not self._awaited and self._attached:
            told, self._attached = self._attached, None
            told(self)

    def _take(self, stream: IO[bytes]) -> bytes | None:
        try:
            data = os.read(stream.fileno(), 1 << 18)
        except BlockingIOError:
            return None
        if data:
            return data
        self._loop.watch(stream, 0)
        stream.close()
        self._open.discard(stream)
        if not self._open:
            self._child.wait()
            self._awaited.clear()
            self._tell_attached()
            self._over(self)
        return None
