"""A TCP client of an echo server: every typed line is sent, and the next whole line that comes back is its answer.

    getaddrinfo, socket, connect     for each address of the name, in order, until one answers
    send, recv                       line after line over the same connection
    shutdown, close                  when `exit` is typed, or the other side hangs up

`connect HOST:PORT` chooses another target. Environment: TARGET (`echo:7`), CONNECT_TIMEOUT (5 seconds).
"""

import errno
import os
import socket

from lines import Lines

from labnode import journal, keyboard, life, names
from labnode.loop import WRITE
from labnode.stream import Stream

TARGET = os.environ.get("TARGET") or "echo:7"
PATIENCE = float(os.environ.get("CONNECT_TIMEOUT") or 5)  # seconds: for connect(2), and for a peer to hang up after us


class Connection:
    """A connection to one target. Lines may be sent at once: they wait until it is made."""

    def __init__(self, loop, name, opener, on_end):
        self._loop, self.name, self._opener, self._on_end = loop, name, opener, on_end
        self._lines = Lines()
        self._addresses, self._attempt = [], 0
        self._sock = self._limit = self._stream = self._exit = None
        self._target, self._called = names.split(name), False

    def call(self):
        """Calls the target, once."""
        if not self._called:
            self._called = True
            names.resolve(self._loop, *self._target, self._resolved)

    def _resolved(self, addresses, problem):
        self._addresses = addresses
        if problem:
            self._end(names.error_name(problem), f"{self.name}: {problem.strerror}", call="getaddrinfo")
        else:
            self._connect()

    def _connect(self):
        """Calls the next of the addresses, and doesn't wait for it: there is a keyboard to listen to."""
        family, kind, protocol, _, address = self._addresses[self._attempt]
        self._attempt += 1
        try:
            self._sock = socket.socket(family, kind, protocol)
        except OSError as problem:  # a kernel without IPv6, say
            self._failed(problem.errno, None)
            return
        self._sock.setblocking(False)
        code = self._sock.connect_ex(address)
        if code == errno.EINPROGRESS:
            # connect(2): the socket becomes writable when the connection is made, and when it has failed.
            self._loop.watch(self._sock, WRITE, lambda _: self._connected(address, None))
            self._limit = self._loop.later(PATIENCE, lambda: self._connected(address, errno.ETIMEDOUT))
        else:
            self._connected(address, code)

    def _connected(self, address, code):
        sock, self._sock = self._sock, None
        self._loop.cancel(self._limit)
        self._loop.watch(sock, 0)
        if code is None:
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        ends = journal.ends(sock, address)
        if code:
            sock.close()
            self._failed(code, ends)
            return
        journal.event("connect", ends, name=self.name, attempt=self._attempt, **self._opener)
        # Without backpressure: this side must go on reading while it sends, or with a line that is longer than all the
        # buffers between the two, each would wait for the other. `Lines` bounds what waits here.
        self._stream = Stream(
            self._loop,
            sock,
            on_data=self._received,
            on_eof=self._hung_up,
            on_close=lambda error: self._end(error or "EPIPE", "the connection is closed; no answer came", ends),
            backpressure=False,
            drain=True,
            ends=ends,
        )
        for line, data in self._lines.waiting():
            self.send(line, data)
        if self._exit is not None:
            self.exit(self._exit)

    def _failed(self, code, ends):
        known = {"name": self.name, "attempt": self._attempt}
        error, reason = errno.errorcode.get(code, str(code)), f"connect: {os.strerror(code)}"
        if self._attempt < len(self._addresses):
            # Not an `error`: that would be the end of the line that is waiting for this connection.
            journal.event("retry", ends, **known, delay_s=0, error=error, reason=reason, **self._opener)
            self._connect()
        else:
            self._end(error, reason, ends, call="connect", **known)

    def send(self, line, data):
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

    def _received(self, data):
        for line, answer, rtt in self._lines.take(data):
            journal.event("answer", self._stream.ends, **line, rtt_ms=rtt, **journal.payload(answer, len(answer)))
        if self._lines.begun > keyboard.LIMIT:
            self._stream.close("EMSGSIZE")

    def _hung_up(self):
        self._end("EPIPE", "the peer closed the connection; no answer came", self._stream.ends)
        if self._stream.unsent:
            self._stream.close()
        else:
            self._stream.finish()

    def exit(self, line):
        """Closes our direction after all that was typed before; the other stays open for its answers (RFC 862)."""
        self._exit = line
        if self._stream:
            self._stream.finish(**line)
            self._loop.later(PATIENCE, lambda: self._stream.close("ETIMEDOUT"))

    def close(self):
        """Closes it now."""
        self._end("ECANCELED", "the node leaves", self._stream and self._stream.ends)
        if self._sock:
            self._sock.close()
        if self._stream:
            self._stream.close()

    def _end(self, error, reason, ends=None, **fields):
        """No answer will come any more, and every line that waits for one is told."""
        lines = self._lines.give_up()
        if not self._stream:
            lines += [line for line in (self._opener, self._exit) if line is not None and line not in lines]
        for line in lines:
            journal.error(error, reason, ends, **fields, **line)
        self._on_end(self)


class EchoClient:
    """The keyboard: which connection a line is for."""

    def __init__(self, loop):
        self._loop, self._target = loop, TARGET
        self._current = {}  # target: its connection
        self._open = []  # those that were told to exit too, oldest first
        life.watch_keyboard(loop, self._typed)
        life.ready(target=TARGET, listening=[])

    def _typed(self, typed):
        line = {"id": typed.id} if typed.id else {}
        command, _, argument = typed.text.partition(" ")
        try:
            if typed.text == "exit":
                self._exit(line, typed.to)
            elif command == "connect" and " " not in argument:
                self._connection(argument, line)
                self._target = argument
            else:
                self._connection(typed.to or self._target, line).send(line, typed.text.encode() + b"\n")
        except ValueError as problem:
            journal.error("EINVAL", str(problem), call="input", **line)

    def _connection(self, name, line):
        if name not in self._current:
            self._current[name] = Connection(self._loop, name, line, self._ended)
            self._open.append(self._current[name])
            self._call_next(name)
        return self._current[name]

    def _call_next(self, name):
        """One connection to a target at a time: the next waits until the one that was told to exit is closed."""
        oldest = next((connection for connection in self._open if connection.name == name), None)
        if oldest:
            oldest.call()

    def _exit(self, line, name):
        chosen = [self._current.pop(each) for each in list(self._current) if name in (None, each)]
        for connection in chosen:
            connection.exit(line)
        if not chosen:
            journal.error("ENOTCONN", "there is no connection to close", call="shutdown", **line)

    def _ended(self, connection):
        if connection in self._open:
            self._open.remove(connection)
            if self._current.get(connection.name) is connection:
                del self._current[connection.name]
            self._call_next(connection.name)

    def close(self):
        for connection in list(self._open):
            connection.close()


if __name__ == "__main__":
    life.run(lambda loop: EchoClient(loop).close)
