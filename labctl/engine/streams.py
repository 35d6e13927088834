"""A container's streams off the wire: Docker's frames to lines, several containers on one selector."""

from __future__ import annotations

import errno
import selectors
import time
from collections.abc import Iterable, Iterator
from typing import cast

from labctl.engine.model import Happening, Line, Stream
from labctl.engine.wire import Response

LINE_LIMIT = 32 * 1024 * 1024  # bytes; a longer line is given in pieces


class Demultiplexer:
    """Docker's stream format: frames of an 8-byte header (channel, three zeros, length) and a payload.

    With `stamped`, each frame begins with the engine's time and a space; a line of more than 16 KiB comes in several.
    A container with a terminal (`raw`) has no frames at all.
    """

    def __init__(self, *, raw: bool = False, stamped: bool = False) -> None:
        self._raw = raw
        self._stamped = stamped
        self._buffer = bytearray()
        self._lines: dict[bool, bytearray] = {False: bytearray(), True: bytearray()}
        self._stamps: dict[bool, str | None] = {False: None, True: None}

    def feed(self, data: bytes) -> list[Line]:
        out: list[Line] = []
        if self._raw:
            self._add(False, data, None, out)
            return out
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
        self._add(stderr, payload, stamp, out)

    def _add(self, stderr: bool, payload: bytes, stamp: str | None, out: list[Line]) -> None:
        pending = self._lines[stderr]
        if not pending:
            self._stamps[stderr] = stamp
        pending += payload
        if b"\n" not in payload and len(pending) < LINE_LIMIT:
            return
        *lines, rest = bytes(pending).split(b"\n") if len(pending) < LINE_LIMIT else [bytes(pending), b""]
        for line in lines:
            out.append(Line(line, stderr, self._stamps[stderr] or stamp))
            self._stamps[stderr] = stamp
        self._lines[stderr] = bytearray(rest)

    def finish(self) -> list[Line]:
        """What is left of a last line that never got its newline."""
        return [Line(bytes(rest), stderr, self._stamps[stderr]) for stderr, rest in self._lines.items() if rest]


class DockerStream:
    """A Stream of the Docker engine: one HTTP response, or one upgraded connection."""

    def __init__(self, container: str, response: Response, demultiplexer: Demultiplexer) -> None:
        self.container = container
        self._response = response
        self._demultiplexer = demultiplexer
        self._outgoing = bytearray()
        self._first: bytes | None = response.first
        self.ended = False
        response.sock.setblocking(False)

    def fileno(self) -> int:
        return self._response.sock.fileno()

    def write(self, data: bytes) -> None:
        self._outgoing += data

    @property
    def unwritten(self) -> int:
        return len(self._outgoing)

    def flush(self) -> None:
        """Writes what the connection takes now; a connection that is gone ends the stream."""
        while self._outgoing:
            try:
                written = self._response.sock.send(memoryview(self._outgoing)[: 1 << 16])
            except (BlockingIOError, InterruptedError):
                return
            except OSError as problem:
                if type(problem).__name__ in ("SSLWantWriteError", "SSLWantReadError"):
                    return
                self._outgoing.clear()
                return  # the reading side sees the end, too, and says so
            del self._outgoing[:written]

    def take_first(self) -> list[Line]:
        """What came together with the response's headers."""
        first, self._first = self._first, None
        lines = self._demultiplexer.feed(first) if first else []
        return lines + (self._finish() if self._response.body.ended else [])

    def read(self) -> list[Line]:
        """What can be read now; sets `ended` at the end."""
        lines: list[Line] = []
        while not self.ended:
            try:
                data = self._response.sock.recv(1 << 18)
            except (BlockingIOError, InterruptedError):
                break
            except OSError as problem:
                if type(problem).__name__ == "SSLWantReadError":
                    break
                if problem.errno not in (errno.ECONNRESET, errno.EPIPE):
                    raise
                data = b""
            lines += self._demultiplexer.feed(self._response.body.feed(data)) if data else []
            if not data or self._response.body.ended:
                lines += self._finish()
            elif len(data) < 1 << 18:
                break
        return lines

    def _finish(self) -> list[Line]:
        self.ended = True
        return self._demultiplexer.finish()

    def close(self) -> None:
        self.ended = True
        self._response.sock.close()


def wait(streams: Iterable[Stream], deadline: float | None) -> Iterator[Happening]:
    """See Engine.wait."""
    live = [stream for stream in streams if isinstance(stream, DockerStream) and not stream.ended]
    for stream in live:
        for line in stream.take_first():
            yield Happening(stream, line)
    with selectors.DefaultSelector() as selector:
        for stream in live:
            if stream.ended:
                yield Happening(stream, None)
            else:
                selector.register(stream, _interest(stream))
        while selector.get_map():
            left = None if deadline is None else deadline - time.monotonic()
            if left is not None and left <= 0:
                return
            for key, ready in selector.select(left):
                stream = cast(DockerStream, key.fileobj)
                if ready & selectors.EVENT_WRITE:
                    stream.flush()
                lines = stream.read() if ready & selectors.EVENT_READ else []
                if stream.ended:
                    selector.unregister(stream)
                for line in lines:
                    yield Happening(stream, line)
                if stream.ended:
                    yield Happening(stream, None)
            # The caller may have queued something for a keyboard while it had the floor.
            for key in list(selector.get_map().values()):
                stream = cast(DockerStream, key.fileobj)
                if stream.ended:  # closed by the caller
                    selector.unregister(stream)
                elif key.events != _interest(stream):
                    selector.modify(stream, _interest(stream))


def _interest(stream: DockerStream) -> int:
    return selectors.EVENT_READ | (selectors.EVENT_WRITE if stream.unwritten else 0)
