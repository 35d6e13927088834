"""One TCP connection as a node sees it: bytes in, bytes out, and an event for every step.

TCP carries a stream of bytes, not messages (RFC 9293, section 3.1). Each `send` and `recv` event therefore holds
`offset`, the position of its first byte in that direction's stream: the one thing about it that both ends agree on.
"""

from __future__ import annotations

import errno
import fcntl
import socket
import sys
import termios
from collections import deque

from labnode import journal
from labnode.loop import READ, WRITE, Loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from labnode.types import Done, Fields

CHUNK = 1 << 16  # bytes asked of one recv(2)
HIGH_WATER = 1 << 16  # bytes waiting to be sent at which no more are read: TCP then slows the sender down
HIGH_COUNT = 64  # the same for send()s: a thousand of one byte each take far more memory than their bytes


class Stream:
    """A connected socket on a loop.

    `on_data(data)` gets what arrives; `on_eof()` is called once when the peer has closed its direction (it may still
    read); `on_close(error)` once at the end of all, with an errno's name or None. `preview` is how many bytes of a
    payload the events repeat, and may be changed. `backpressure` is for a server that answers what it reads; one that
    must read while it waits to send (a client of such a server: else the two wait for each other) turns it off and
    bounds itself.
    `on_sent()` is called when the kernel has taken bytes. With `drain`, what had arrived before sending failed is still
    read, and only then the connection closed.
    `ends` is what journal.ends() gave, if it was asked already: a connection that is reset no longer knows its peer.
    """

    def __init__(
        self,
        loop: Loop,
        sock: socket.socket,
        *,
        on_data: Callable[[bytes], object],
        on_eof: Done,
        on_close: Callable[[str | None], object] | None = None,
        on_sent: Done | None = None,
        preview: int = journal.PREVIEW,
        backpressure: bool = True,
        drain: bool = False,
        ends: Mapping[str, object] | None = None,
    ) -> None:
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._loop, self._sock, self.preview = loop, sock, preview
        self._on_data: Callable[[bytes], object] | None = on_data
        self._on_eof: Done | None = on_eof
        self._on_close, self._on_sent = on_close, on_sent
        self._backpressure, self._drain = backpressure, drain
        self._broken: str | None = None  # why nothing can be sent any more, while what had arrived is still read
        self.ends = ends or journal.ends(sock)
        self.received = 0  # bytes, so far
        self.queued = 0  # bytes given to send(), so far: the offset of the next one
        self.sent = 0  # bytes that the kernel has taken
        self._queue: deque[list[Any]] = deque()  # [data, offset, shown]
        self._passing: tuple[bytes | None, str | None] = (
            None,
            None,
        )  # what on_data() is given, and how its events show it
        self._last: Fields = {}  # fields that the events of its end repeat
        self._eof = self._finishing = self.closed = self._paused = self._shut = False
        self._interest = 0
        self._update()

    @property
    def unsent(self) -> int:
        """Bytes given to send() that the kernel has not taken yet."""
        return self.queued - self.sent

    @property
    def unacknowledged(self) -> int:
        """Bytes that our kernel took, and whose arrival the peer's has not confirmed (SIOCOUTQ, tcp(7))."""
        waiting = int.from_bytes(fcntl.ioctl(self._sock, termios.TIOCOUTQ, bytes(4)), sys.byteorder)
        return waiting - 1 if waiting and self._shut else waiting  # a FIN counts as a byte (RFC 9293, section 3.4)

    def send(self, data: bytes, /, **fields: object) -> None:
        """Queues bytes; their `send` event, with `fields`, comes when the kernel has taken the last of them.

        `fields` replaces the preview of the payload; it must then hold `bytes` itself.
        """
        if self.closed or self._finishing:
            raise BrokenPipeError(errno.EPIPE, "this side of the connection is closed")
        offset = self.queued
        self.queued += len(data)
        if self._broken:
            return  # `unsent` counts it
        piece, before = [data, offset, journal.members(fields) if fields else self._shown(data)], self.sent
        if self._queue or not self._give(piece):
            if self.closed or self._broken:
                return
            self._queue.append(piece)
        if self._on_sent and self.sent > before:
            self._on_sent()
        if not self.closed:
            self._update()

    def finish(self, **fields: object) -> None:
        """Closes our direction once all is sent (shutdown(2), SHUT_WR: a half-close); still reads.

        The `shutdown` and `close` events then hold `fields`.
        """
        if not self._finishing and not self.closed:
            self._finishing = True
            self._last = fields
            if not self._queue and not self._broken:
                self._shutdown()
            if not self.closed:
                self._update()

    def pause(self, paused: bool) -> None:
        """Stops or resumes reading."""
        if paused != self._paused:
            self._paused = paused
            if not self.closed:
                self._update()

    def close(self, error: str | None = None, **fields: object) -> None:
        """Closes both directions now; what is queued is lost. The `close` event then holds `fields`."""
        if self.closed:
            return
        self.closed = True
        self._loop.watch(self._sock, 0)
        lost = {"unsent": self.unsent} if self.unsent else {}
        if error and (unacknowledged := self.unacknowledged):
            lost["unacknowledged"] = unacknowledged
        self._sock.close()
        told = {**lost, **self._last, **fields}
        journal.event("close", self.ends, received=self.received, sent=self.sent, **told)
        on_close = self._on_close
        # Without these circles its memory is free at once, and not when the garbage collector comes by.
        self._on_data = self._on_eof = self._on_close = self._on_sent = None
        self._queue.clear()
        if on_close:
            on_close(error)

    def _update(self) -> None:
        if self._interest == READ and not (self._queue or self._eof or self._paused):
            return  # as nearly always
        if self._eof and self._finishing and not self._queue:
            self.close()  # both directions are closed: nothing more can come or go
            return
        full = self._backpressure and (self.unsent >= HIGH_WATER or len(self._queue) >= HIGH_COUNT)
        reads = self._broken or not (self._eof or self._paused or full)
        interest = (READ if reads else 0) | (WRITE if self._queue else 0)
        if interest != self._interest:
            self._loop.watch(self._sock, interest, self._on_ready)
            self._interest = interest

    def _on_ready(self, ready: int) -> None:
        if ready & WRITE:
            self._flush()
        if ready & READ and not self.closed:
            self._receive()
        if not self.closed:
            self._update()

    def _receive(self) -> None:
        try:
            data = self._sock.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError as problem:
            if self._broken:
                self.close(self._broken)
            else:
                self._fail("recv", problem)
            return
        offset, shown = self.received, self._shown(data)
        self.received += len(data)
        journal.event("recv", self.ends, None, shown, offset=offset)
        if data:
            self._passing = (data, shown)
            if self._on_data:
                self._on_data(data)
            self._passing = (None, None)
        elif self._broken:
            self.close(self._broken)
        else:
            self._eof = True
            if self._on_eof:
                self._on_eof()

    def _flush(self) -> None:
        before = self.sent
        while self._queue and self._give(self._queue[0]):
            self._queue.popleft()
        if self.closed or self._broken:
            return
        if self._finishing and not self._queue:
            self._shutdown()
        if self._on_sent and self.sent > before and not self.closed:
            self._on_sent()

    def _give(self, piece: list[Any]) -> bool:
        """Gives the kernel what it takes of a piece now; True when that was all of it."""
        data, offset, shown = piece
        while True:
            when = journal.stamp()
            try:
                taken = self._sock.send(data)
            except BlockingIOError:
                return False
            except OSError as problem:
                self._fail("send", problem)
                return False
            self.sent += taken
            if taken == len(data):
                journal.event("send", self.ends, when, shown, offset=offset)
                return True
            data = piece[0] = memoryview(data)[taken:]

    def _shown(self, data: bytes) -> str:
        passing, shown = self._passing
        if shown is not None and data is passing:
            return shown
        return journal.members(journal.payload(data, self.preview) if self.preview else {"bytes": len(data)})

    def _shutdown(self) -> None:
        when = journal.stamp()
        try:
            self._sock.shutdown(socket.SHUT_WR)
        except OSError as problem:
            self._fail("shutdown", problem)
            return
        self._shut = True
        journal.event("shutdown", self.ends, when, how="SHUT_WR", sent=self.sent, **self._last)

    def _fail(self, call: str, problem: OSError) -> None:
        journal.error(problem.errno, f"{call}: {problem.strerror}", self.ends, call=call)
        name = journal.errno_name(problem.errno)
        if call != "recv" and self._drain and not self._eof:
            self._broken = name
            self._queue.clear()
        else:
            self.close(name)
