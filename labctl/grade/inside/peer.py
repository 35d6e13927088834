"""A client that never marks a right server wrong: it reads all that comes before it closes, and waits long enough."""

from __future__ import annotations

import contextlib
import os
import random
import socket
import struct
import time
from collections.abc import Iterator

PATIENCE = 8.0  # seconds for an answer: a busy machine is no mistake of a program's
# Seconds between parts that must not be joined. On a busy machine a server takes its time to take a connection up, and
# finds all in one piece that has come by then.
FIRST_PAUSE, PAUSE = 0.3, 0.02
QUIET = 0.4  # seconds in which nothing must come
DRAIN = 2.0  # seconds for what is still on its way when a client closes
DRAINS = 3.0  # the same for all clients of a check: of a server that never closes there may be many


class Wrong(Exception):
    """The program did something else than is wanted."""

    def __init__(self, expected: str, actual: str, help: str = "") -> None:
        super().__init__(expected)
        self.expected, self.actual, self.help = expected, actual, help


class Place:
    """Where the program is, and the chance that makes the payloads: the same seed gives the same ones."""

    def __init__(self, host: str, port: int, seed: str) -> None:
        self.host, self.port, self.chance = host, port, random.Random(seed)

    def word(self, length: int = 8) -> str:
        return "".join(self.chance.choices("abcdefghijklmnopqrstuvwxyz0123456789", k=length))

    def connect(self) -> Peer:
        try:
            sock = socket.create_connection((self.host, self.port), PATIENCE)
        except OSError as problem:
            raise Wrong("a connection", f"none: {problem.strerror or problem}", "does it still listen?") from None
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return Peer(sock)

    def await_listening(self, help: str) -> None:
        """Until a connection can be made, of which nothing is used. Raises Wrong."""
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                self.connect().close()
                return
            except Wrong as wrong:
                if time.monotonic() > deadline:
                    raise Wrong("it listens again", wrong.actual, help) from None
                time.sleep(0.1)


class Peer:
    """One connection. What comes at the end of a check is read for `drains` seconds at most."""

    drains = DRAINS

    def __init__(self, sock: socket.socket) -> None:
        self.sock, self.rest, self.ended = sock, b"", ""

    def __enter__(self) -> Peer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, data: bytes) -> None:
        try:
            self.sock.settimeout(PATIENCE)
            self.sock.sendall(data)
        except TimeoutError:
            raise Wrong(
                f"{len(data)} bytes are read", "its receive buffer stays full", "does it go on reading?"
            ) from None
        except OSError as problem:
            raise Wrong(f"{len(data)} bytes are read", f"the connection is gone: {problem.strerror}") from None

    def send_last(self, data: bytes) -> None:
        """With the end of the stream in the last segment: who takes that end for the client's has no time to answer
        before it, on a fast machine nor on a slow one."""
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        try:
            self.send(data)
        finally:
            self.end_of_sending()

    def parts(self, *parts: bytes) -> None:
        """Each in a segment of its own."""
        for number, part in enumerate(parts):
            self.send(part)
            time.sleep(PAUSE if number else FIRST_PAUSE)

    def receive(self, count: int, patience: float = PATIENCE) -> bytes:
        """So many bytes; fewer where the stream ended (`ended` says how) or nothing more came in time."""
        deadline = time.monotonic() + patience
        while len(self.rest) < count and not self.ended:
            self._more(deadline)
            if time.monotonic() >= deadline:
                break
        found, self.rest = self.rest[:count], self.rest[count:]
        return found

    def line(self, patience: float = PATIENCE) -> bytes | None:
        """With its newline; None where none came in time."""
        deadline = time.monotonic() + patience
        while b"\n" not in self.rest and not self.ended and time.monotonic() < deadline:
            self._more(deadline)
        if b"\n" not in self.rest:
            return None
        line, _, self.rest = self.rest.partition(b"\n")
        return line + b"\n"

    def to_end(self, patience: float = PATIENCE) -> bytes:
        """All until the other end has closed; `ended` is empty where it has not."""
        deadline = time.monotonic() + patience
        while not self.ended and time.monotonic() < deadline:
            self._more(deadline)
        found, self.rest = self.rest, b""
        return found

    def _more(self, deadline: float) -> None:
        self.sock.settimeout(max(0.01, deadline - time.monotonic()))
        try:
            data = self.sock.recv(1 << 16)
        except TimeoutError:
            return
        except OSError as problem:
            self.ended = f"reset ({problem.strerror})"
            return
        if data:
            self.rest += data
        else:
            self.ended = "closed"

    def end_of_sending(self) -> None:
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """RST to the other end (SO_LINGER of no time, socket(7))."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.sock.close()

    def close(self) -> None:
        """In order: what comes is read, so that no kernel answers it by RST."""
        if self.sock.fileno() < 0:
            return
        self.end_of_sending()
        if not self.ended:
            begun = time.monotonic()
            self.to_end(min(DRAIN, Peer.drains))
            Peer.drains = max(0.1, Peer.drains - (time.monotonic() - begun))
        self.sock.close()


@contextlib.contextmanager
def hint(text: str) -> Iterator[None]:
    """What may be the cause of whatever goes wrong here, where nothing better is known."""
    try:
        yield
    except Wrong as wrong:
        wrong.help = wrong.help or text
        raise


def held() -> None:
    """Tells that a connection is there, and stays; whoever reads goes on."""
    print('{"passed": true}', flush=True)
    devnull = os.open(os.devnull, os.O_WRONLY)
    os.dup2(devnull, 1)


def same(expected: bytes, peer: Peer, got: bytes, help: str = "") -> None:
    """Raises Wrong with a mark under the first byte that is other."""
    if got == expected:
        return
    at = next(
        (place for place, (a, b) in enumerate(zip(expected, got, strict=False)) if a != b), min(len(expected), len(got))
    )
    how = f"; then the connection was {peer.ended}" if peer.ended else ""
    if len(got) < len(expected) and at == len(got):
        how = f": {len(got)} of {len(expected)} bytes came{how or f', and no more within {PATIENCE:g} s'}"
        raise Wrong(shown(expected), f"{shown(got)}{how}", help)
    start = max(0, at - 24)
    mark = " " * len(shown(got[start:at])[:-1]) + "^"
    actual = f"{shown(got[start : at + 24])}\n{mark} byte {at} of {len(expected)}"
    raise Wrong(shown(expected[start : at + 24]), actual, help)


def shown(data: bytes) -> str:
    """The bytes as a person reads them, cut."""
    cut = f"... ({len(data)} bytes)" if len(data) > 80 else ""
    return f'"{data[:80].decode("latin-1").translate(_SEEN)}"{cut}'


# Of each byte that doesn't stand for itself.
_SEEN = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 256))}
_SEEN |= {10: "\\n", 13: "\\r", 9: "\\t", 34: '\\"', 92: "\\\\"}
