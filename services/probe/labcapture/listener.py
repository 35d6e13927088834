"""Somebody who is told what the recorder has, and what comes, as fast as it reads."""

from __future__ import annotations

import json
import socket
import time
from collections import deque

from labcapture import wire
from labcapture.store import Piece
from labnode.loop import READ, WRITE, Loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from labnode.types import Fields

BEHIND = 64 << 20  # bytes of what comes that a listener may be behind
TURN = 4 << 20  # bytes that one is told at a time: the kernel's rings must be emptied meanwhile


class Listener:
    """First it says what it wants, in one line of JSON. What it is told waits here as the store's own pieces: one who
    asks for all there is costs no second copy."""

    def __init__(
        self,
        loop: Loop,
        sock: socket.socket,
        on_wish: Callable[[Listener, Fields], object],
        forget: Callable[[Listener], object],
    ) -> None:
        self._loop, self._sock, self._on_wish, self._forget = loop, sock, on_wish, forget
        self._waiting: deque[tuple[Piece, bool]] = deque()
        self._behind = 0  # bytes of what came since it listens
        self._outgoing = memoryview(b"")
        self._said = bytearray()
        self._ends = False
        self.since_ns = 0  # from when on it wants packets
        self.live = False
        sock.setblocking(False)
        loop.watch(sock, READ, self._ready)

    @property
    def is_open(self) -> bool:
        return self._sock.fileno() >= 0

    def _ready(self, ready: int) -> None:
        if ready & READ:
            try:
                data = self._sock.recv(4096)
            except OSError:
                data = b""
            if not data:
                self.close()
                return
            self._said += data
            line, whole, rest = self._said.partition(b"\n")
            if whole:
                self._said = rest
                self._on_wish(self, json.loads(line))
        if ready & WRITE:
            self._flush()

    def tell(self, piece: Piece, *, recorded: bool = False) -> None:
        """One more piece; `recorded`: of what was there before, of which any amount may wait."""
        if not self.is_open:
            return
        self._waiting.append((piece, recorded))
        self._behind += 0 if recorded else len(piece.data)
        if self._behind > BEHIND:
            self.close()  # it sees an end without a last state, and says so
            return
        self._flush()

    def end(self) -> None:
        """Closes when all is told."""
        self._ends = True
        self._flush()

    def finish(self, deadline: float) -> None:
        """The recorder's own end (`deadline` of time.monotonic()): waits until all is told, and the listener has passed
        it on: it runs in the recorder's container, and ends with that."""
        if not self.is_open:
            return
        try:
            while self._outgoing or self._waiting:
                self._sock.settimeout(max(0.001, deadline - time.monotonic()))
                self._send()
            self._sock.shutdown(socket.SHUT_WR)
            self._sock.settimeout(max(0.001, deadline - time.monotonic()))
            while self._sock.recv(4096):
                pass
        except OSError:
            pass
        self.close()

    def _flush(self) -> None:
        if not self.is_open:
            return
        try:
            self._send()
        except BlockingIOError:
            pass
        except OSError:  # whoever asked is gone
            self.close()
            return
        left = bool(self._outgoing or self._waiting)
        if self._ends and not left:
            self.close()
        else:
            self._loop.watch(self._sock, READ | (WRITE if left else 0), self._ready)

    def _send(self) -> None:
        room = TURN
        while room > 0:
            if not self._outgoing:
                if not self._waiting:
                    return
                piece, recorded = self._waiting.popleft()
                self._behind -= 0 if recorded else len(piece.data)
                self._outgoing = memoryview(wire.packed(piece))
            sent = self._sock.send(self._outgoing)
            self._outgoing = self._outgoing[sent:]
            room -= sent

    def close(self) -> None:
        if self.is_open:
            self._loop.watch(self._sock, 0)
            self._sock.close()
            self._waiting.clear()
            self._forget(self)
