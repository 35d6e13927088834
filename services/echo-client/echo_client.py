"""A TCP client of an echo server: every typed line is sent, and the next whole line that comes back is its answer.

    getaddrinfo, socket, connect     for each address of the name, in order, until one answers
    send, recv                       line after line over the same connection
    shutdown, close                  when `exit` is typed, or the other side hangs up

`connect HOST:PORT` chooses another target. Environment: TARGET (`echo:7`), CONNECT_TIMEOUT (5 seconds).
"""

from __future__ import annotations

import errno
import os
import socket

from lines import Lines

from labnode import journal, keyboard, life, names
from labnode.loop import WRITE, Loop
from labnode.stream import Stream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from labnode.keyboard import Input
    from labnode.types import Address, Fields, Resolved, Timer

TARGET = os.environ.get("TARGET") or "echo:7"
PATIENCE = float(os.environ.get("CONNECT_TIMEOUT") or 5)  # seconds: for connect(2), and for a peer to hang up after us


class Connection:
    """A connection to one target. Lines may be sent at once: they wait until it is made."""

    def __init__(self, loop: Loop, name: str, opener: Fields, on_end: Callable[[Connection], object]) -> None:
        self._loop, self.name, self._opener, self._on_end = loop, name, opener, on_end
        self._lines = Lines()
        self._addresses: list[Resolved] = []
        self._attempt = 0
        self._sock: socket.socket | None = None  # that is being connected
        self._limit: Timer | None = None
        self._stream: Stream | None = None
        self._exit: Fields | None = None
        self._target, self._called = names.split(name), False

    def call(self) -> None:
        """Calls the target, once."""
        if not self._called:
            self._called = True
            names.resolve(self._loop, *self._target, self.resolved)

    def resolved(self, addresses: list[Resolved], problem: OSError | None) -> None:
        self._addresses = addresses
        if problem:
            self.end(names.error_name(problem), f"{self.name}: {problem.strerror}", call="getaddrinfo")
        else:
            self.connect()

    def connect(self) -> None:
        """Calls the next of the addresses, and doesn't wait for it: there is a keyboard to listen to."""
        family, kind, protocol, _, address = self._addresses[self._attempt]
        self._attempt += 1
        try:
            sock = self._sock = socket.socket(family, kind, protocol)
        except OSError as problem:  # a kernel without IPv6, say
            self.failed(problem.errno, None)
            return
        sock.setblocking(False)
        code = sock.connect_ex(address)
        if code == errno.EINPROGRESS:
            # connect(2): the socket becomes writable when the connection is made, and when it has failed.
            self._loop.watch(sock, WRITE, lambda _: self.connected(sock, address, None))
            self._limit = self._loop.later(PATIENCE, lambda: self.connected(sock, address, errno.ETIMEDOUT))
        else:
            self.connected(sock, address, code)

    def connected(self, sock: socket.socket, address: Address, code: int | None) -> None:
        self._sock = None
        self._loop.cancel(self._limit)
        self._loop.watch(sock, 0)
        if code is None:
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        ends = journal.ends(sock, address)
        if code:
            sock.close()
            self.failed(code, ends)
            return
        journal.event("connect", ends, name=self.name, attempt=self._attempt, **self._opener)
        # Without backpressure: this side must go on reading while it sends, or with a line that is longer than all the
        # buffers between the two, each would wait for the other. `Lines` bounds what waits here.
        stream = self._stream = Stream(
            self._loop,
            sock,
            on_data=lambda data: self.received(stream, data),
            on_eof=lambda: self.hung_up(stream),
            on_close=lambda error: self.end(error or "EPIPE", "the connection is closed; no answer came", ends),
            backpressure=False,
            drain=True,
            ends=ends,
        )
        for line, data in self._lines.waiting():
            self.send(line, data)
        if self._exit is not None:
            self.exit(self._exit)

    def failed(self, code: int | None, ends: Mapping[str, object] | None) -> None:
        known = {"name": self.name, "attempt": self._attempt}
        error, reason = journal.errno_name(code), f"connect: {os.strerror(code or 0)}"
        if self._attempt < len(self._addresses):
            # Not an `error`: that would be the end of the line that is waiting for this connection.
            journal.event("retry", ends, **known, delay_s=0, error=error, reason=reason, **self._opener)
            self.connect()
        else:
            self.end(error, reason, ends, call="connect", **known)

    def send(self, line: Fields, data: bytes) -> None:
        full = self._lines.full(len(data), self._stream.unsent if self._stream else 0)
        if full:
            journal.error("ENOBUFS", f"{self.name}: {full}", call="send", **line)
        elif not self._stream:
            self._lines.wait(line, data)
        elif self._stream.closed:
            journal.error("EPIPE", "the connection is closed", self._stream.ends, call="send", **line)
        else:
            self._lines.ask(line)
            self._stream.send(data, **line, **journal.payload(data))

    def received(self, stream: Stream, data: bytes) -> None:
        for line, answer, rtt in self._lines.take(data):
            journal.event("answer", stream.ends, **line, rtt_ms=rtt, **journal.payload(answer, len(answer)))
        if self._lines.begun > keyboard.LIMIT:
            stream.close("EMSGSIZE")

    def hung_up(self, stream: Stream) -> None:
        self.end("EPIPE", "the peer closed the connection; no answer came", stream.ends)
        if stream.unsent:
            stream.close()
        else:
            stream.finish()

    def exit(self, line: Fields) -> None:
        """Closes our direction after all that was typed before; the other stays open for its answers (RFC 862)."""
        self._exit = line
        if stream := self._stream:
            stream.finish(**line)
            self._loop.later(PATIENCE, lambda: stream.close("ETIMEDOUT"))

    def close(self) -> None:
        """Closes it now."""
        self.end("ECANCELED", "the node leaves", self._stream.ends if self._stream else None)
        if self._sock:
            self._sock.close()
        if self._stream:
            self._stream.close()

    def end(self, error: str, reason: str, ends: Mapping[str, object] | None = None, **fields: object) -> None:
        """No answer will come any more, and every line that waits for one is told."""
        lines = self._lines.give_up()
        if not self._stream:
            lines += [line for line in (self._opener, self._exit) if line is not None and line not in lines]
        for line in lines:
            journal.error(error, reason, ends, **fields, **line)
        self._on_end(self)


class EchoClient:
    """The keyboard: which connection a line is for."""

    def __init__(self, loop: Loop) -> None:
        self._loop, self._target = loop, TARGET
        self._current: dict[str, Connection] = {}  # target: its connection
        self._open: list[Connection] = []  # those that were told to exit too, oldest first
        life.watch_keyboard(loop, self.typed)
        life.ready(target=TARGET, listening=[])

    def typed(self, typed: Input) -> None:
        line: Fields = {"id": typed.id} if typed.id else {}
        command, _, argument = typed.text.partition(" ")
        try:
            if typed.text == "exit":
                self.exit(line, typed.to)
            elif command == "connect" and " " not in argument:
                self.connection(argument, line)
                self._target = argument
            else:
                self.connection(typed.to or self._target, line).send(line, typed.text.encode() + b"\n")
        except ValueError as problem:
            journal.error("EINVAL", str(problem), call="input", **line)

    def connection(self, name: str, line: Fields) -> Connection:
        if name not in self._current:
            self._current[name] = Connection(self._loop, name, line, self.ended)
            self._open.append(self._current[name])
            self.call_next(name)
        return self._current[name]

    def call_next(self, name: str) -> None:
        """One connection to a target at a time: the next waits until the one that was told to exit is closed."""
        oldest = next((connection for connection in self._open if connection.name == name), None)
        if oldest:
            oldest.call()

    def exit(self, line: Fields, name: str | None) -> None:
        chosen = [self._current.pop(each) for each in list(self._current) if name in (None, each)]
        for connection in chosen:
            connection.exit(line)
        if not chosen:
            journal.error("ENOTCONN", "there is no connection to close", call="shutdown", **line)

    def ended(self, connection: Connection) -> None:
        if connection in self._open:
            self._open.remove(connection)
            if self._current.get(connection.name) is connection:
                del self._current[connection.name]
            self.call_next(connection.name)

    def close(self) -> None:
        for connection in list(self._open):
            connection.close()


if __name__ == "__main__":
    life.run(lambda loop: EchoClient(loop).close)
