"""A container's streams off the wire: Docker's frames to lines, several containers on one selector."""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import time
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from typing import cast

from labctl import cancel
from labctl.cancel import Cancel
from labctl.engine.docker import ssh, websocket
from labctl.engine.docker.wire import Response
from labctl.engine.model import Line, Stream, StreamEvent

LINE_LIMIT = 32 * 1024 * 1024  # bytes; a longer line is given in pieces
PIECE = 16 * 1024  # bytes: the engine cuts longer lines into entries of its log that are so long
TYPED_AHEAD = 1 << 20  # bytes that are read from a source before the command has taken them


class Demultiplexer:
    """Docker's stream format: frames of an 8-byte header (channel, three zeros, length) and a payload.

    With `stamped`, each frame begins with the engine's time and a space; a line of more than 16 KiB comes in several
    of one time. A shorter one without a newline is what a program had printed last when it ended: what follows
    at another time is another run's.
    A container with a terminal (`raw`) has no frames at all.
    """

    def __init__(self, *, raw: bool = False, stamped: bool = False) -> None:
        self._raw = raw
        self._stamped = stamped
        self._buffer = bytearray()
        self._lines: dict[bool, bytearray] = {False: bytearray(), True: bytearray()}
        self._stamps: dict[bool, str | None] = {False: None, True: None}
        self._entries = {False: 0, True: 0}
        self._ended = {False: False, True: False}  # the last entry was the end of a run

    def feed(self, data: bytes) -> list[Line]:
        out: list[Line] = []
        if self._raw:
            self._add(False, data, None, out)
            return [_unstamped(line) for line in out] if self._stamped else out
        self._buffer += data
        start = 0
        while len(self._buffer) - start >= 8:
            length = int.from_bytes(self._buffer[start + 4 : start + 8], "big")
            if len(self._buffer) - start < 8 + length:
                break
            payload = bytes(self._buffer[start + 8 : start + 8 + length])
            self._frame(self._buffer[start] == 2, payload, out)
            start += 8 + length
        del self._buffer[:start]
        return out

    def _frame(self, stderr: bool, payload: bytes, out: list[Line]) -> None:
        stamp = None
        if self._stamped:
            head, _, payload = payload.partition(b" ")
            stamp = head.decode("ascii", "replace")
            if self._ended[stderr] and stamp != self._stamps[stderr]:
                self._flush(stderr, out)
            self._ended[stderr] = len(payload) < PIECE and not payload.endswith(b"\n")
        self._add(stderr, payload, stamp, out)

    def _flush(self, stderr: bool, out: list[Line]) -> None:
        if self._lines[stderr]:
            out.append(Line(bytes(self._lines[stderr]), stderr, self._stamps[stderr], max(1, self._entries[stderr])))
        self._lines[stderr], self._entries[stderr] = bytearray(), 0

    def _add(self, stderr: bool, payload: bytes, stamp: str | None, out: list[Line]) -> None:
        pending = self._lines[stderr]
        if not pending:
            self._stamps[stderr] = stamp
        pending += payload
        self._entries[stderr] += 1
        if b"\n" not in payload and len(pending) < LINE_LIMIT:
            return
        *lines, rest = bytes(pending).split(b"\n") if len(pending) < LINE_LIMIT else [bytes(pending), b""]
        for line in lines:
            out.append(Line(line, stderr, self._stamps[stderr] or stamp, max(1, self._entries[stderr])))
            self._stamps[stderr] = stamp
            self._entries[stderr] = 0
        self._lines[stderr] = bytearray(rest)

    def finish(self) -> list[Line]:
        """What is left of a last line that never got its newline."""
        left = [
            Line(bytes(rest), stderr, self._stamps[stderr], max(1, self._entries[stderr]))
            for stderr, rest in self._lines.items()
            if rest
        ]
        return [_unstamped(line) for line in left] if self._raw and self._stamped else left


def _unstamped(line: Line) -> Line:
    """A line of a terminal's log, which has no frames: the engine's time stands before its text."""
    head, _, text = line.text.partition(b" ")
    return Line(text, line.stderr, head.decode("ascii", "replace"))


class Pieces:
    """As Demultiplexer, for what has no lines: each frame's payload as it comes."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Line]:
        self._buffer += data
        out: list[Line] = []
        start = 0
        while len(self._buffer) - start >= 8:
            length = int.from_bytes(self._buffer[start + 4 : start + 8], "big")
            if len(self._buffer) - start < 8 + length:
                break
            out.append(Line(bytes(self._buffer[start + 8 : start + 8 + length]), self._buffer[start] == 2))
            start += 8 + length
        del self._buffer[:start]
        return out

    def finish(self) -> list[Line]:
        return []


class DockerStream:
    """A Stream of the Docker engine: one HTTP response, or one upgraded connection; `keyboard` is a WebSocket beside
    it that takes what is typed.

    `pending` holds lines that have arrived and were not given out yet: whoever stops listening in the middle of a batch
    finds the rest when it listens again.
    """

    def __init__(
        self,
        container: str,
        response: Response,
        demultiplexer: Demultiplexer | Pieces,
        execution: str = "",
        keyboard: Response | None = None,
    ) -> None:
        self.container = container
        self.execution = execution  # the engine's id of the command whose output this is
        self.pending: deque[Line] = deque()
        self.ended = False  # nothing more will arrive
        self.told = False  # the end was given out
        self._response = response
        self._demultiplexer = demultiplexer
        self._framed = keyboard is not None
        self._keyboard = (keyboard or response).sock
        self._outgoing = bytearray()
        response.sock.setblocking(False)
        self._keyboard.setblocking(False)
        if response.first:
            self.pending += demultiplexer.feed(response.first)
        if response.body.ended:
            self._finish()

    def interests(self) -> dict[int, int]:
        """What is waited for on which descriptor, as selectors' events."""
        if self.ended:
            return {}
        found = {self._response.sock.fileno(): selectors.EVENT_READ}
        if self._outgoing:
            found[self._keyboard.fileno()] = found.get(self._keyboard.fileno(), 0) | selectors.EVENT_WRITE
        return found

    def write(self, data: bytes) -> None:
        self._outgoing += websocket.frame(data) if self._framed else data
        self.flush()

    @property
    def unwritten(self) -> int:
        return len(self._outgoing)

    def flush(self) -> None:
        """Writes what the connection takes now."""
        while self._outgoing:
            try:
                written = self._keyboard.send(memoryview(self._outgoing)[: 1 << 16])
            except OSError as problem:
                if not _would_block(problem):
                    self._outgoing.clear()  # the reading side sees the end, too, and says so
                return
            del self._outgoing[:written]

    def read(self) -> None:
        """Takes in what can be read now."""
        while not self.ended:
            try:
                data = self._response.sock.recv(1 << 18)
            except OSError as problem:
                if _would_block(problem):
                    return
                data = b""  # a reset ends a journal as well as a close does
            if data:
                self.pending += self._demultiplexer.feed(self._response.body.feed(data))
            if not data or self._response.body.ended:
                self._finish()
            elif len(data) < 1 << 18:
                return

    def _finish(self) -> None:
        self.ended = True
        self.pending += self._demultiplexer.finish()

    def end_input(self) -> None:
        self._outgoing.clear()
        # A connection with TLS has no end of one direction alone, as far as Python goes; one over ssh has.
        if type(self._response.sock) in (socket.socket, ssh.Connection):
            with contextlib.suppress(OSError):  # it has hung up already
                self._response.sock.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self.ended = self.told = True
        self.pending.clear()
        self._response.sock.close()
        self._keyboard.close()


def _would_block(problem: OSError) -> bool:
    # A TLS connection says so in words of its own.
    return isinstance(problem, (BlockingIOError, InterruptedError)) or type(problem).__name__ in (
        "SSLWantReadError",
        "SSLWantWriteError",
    )


def wait(streams: Iterable[Stream], deadline: float | None, cancels: Collection[Cancel] = ()) -> Iterator[StreamEvent]:
    """See Engine.wait."""
    cancel.check(cancels)
    live = [stream for stream in streams if isinstance(stream, DockerStream) and not stream.told]
    with selectors.DefaultSelector() as selector:
        for stream in live:
            yield from _given_out(stream)
        _register(selector, live, cancels)
        while selector.get_map():
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return
            for key, ready in selector.select(left):
                if isinstance(key.data, Cancel):
                    continue
                stream = cast(DockerStream, key.data)
                if ready & selectors.EVENT_WRITE:
                    stream.flush()
                if ready & selectors.EVENT_READ:
                    stream.read()
                yield from _given_out(stream)
            # The caller may have closed a stream, or typed something, while it had the floor.
            cancel.check(cancels)
            _register(selector, live, cancels)


def _register(selector: selectors.BaseSelector, live: Iterable[DockerStream], cancels: Collection[Cancel] = ()) -> None:
    """Makes the selector wait for what the streams wait for now, and, with any of them, for what may end the wait."""
    wanted: dict[int, tuple[int, DockerStream | Cancel]] = {
        number: (events, stream) for stream in live for number, events in stream.interests().items()
    }
    if wanted:
        wanted |= {one.fileno(): (selectors.EVENT_READ, one) for one in cancels}
    for key in list(selector.get_map().values()):
        events, stream = wanted.pop(key.fd, (0, None))
        if stream is not key.data:
            selector.unregister(key.fd)
            if stream is not None:
                selector.register(key.fd, events, stream)
        elif events != key.events:
            selector.modify(key.fd, events, stream)
    for number, (events, stream) in wanted.items():
        selector.register(number, events, stream)


def converse(
    stream: DockerStream, source: int | None, deadline: float | None, cancels: Collection[Cancel] = ()
) -> Iterator[StreamEvent]:
    """See Engine.converse."""
    cancel.check(cancels)
    open_ = True  # the command may still be typed at
    with selectors.PollSelector() as selector:  # poll(2) takes regular files, which epoll(7) does not
        while not stream.ended or stream.pending:
            yield from _given_out(stream)
            if open_ and source is None and not stream.unwritten:
                stream.end_input()
                open_ = False
            wanted = stream.interests()
            if source is not None and stream.unwritten < TYPED_AHEAD and not stream.ended:
                wanted[source] = selectors.EVENT_READ
            if wanted:
                wanted |= {one.fileno(): selectors.EVENT_READ for one in cancels}
            _rearrange(selector, wanted)
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return
            for key, ready in selector.select(left) if wanted else ():
                if key.fd == source:
                    typed = _typed(key.fd)
                    stream.write(typed)
                    source = source if typed else None
                    continue
                if any(key.fd == one.fileno() for one in cancels):
                    continue
                if ready & selectors.EVENT_WRITE:
                    stream.flush()
                if ready & selectors.EVENT_READ and not stream.ended:
                    stream.read()
            cancel.check(cancels)
        yield from _given_out(stream)


def _typed(source: int) -> bytes:
    try:
        return os.read(source, 1 << 16)
    except OSError:  # a terminal that is gone
        return b""


def _rearrange(selector: selectors.BaseSelector, wanted: dict[int, int]) -> None:
    for fd in [fd for fd in selector.get_map() if fd not in wanted]:
        selector.unregister(fd)
    for fd, events in wanted.items():
        if fd not in selector.get_map():
            selector.register(fd, events)
        else:
            selector.modify(fd, events)


def _given_out(stream: DockerStream) -> Iterator[StreamEvent]:
    while stream.pending:
        yield StreamEvent(stream, stream.pending.popleft())
    if stream.ended and not stream.told:
        stream.told = True
        yield StreamEvent(stream, None)
