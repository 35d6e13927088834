"""Asks the process probe, in whose container this runs, and prints what comes back as it comes."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import time

from labnode import journal
from labprocess.lifeline import Lifeline

TYPE_CHECKING = False
if TYPE_CHECKING:
    from labnode.types import Source

ADDRESS = "/dev/shm/processes"
PATIENCE = 10.0  # seconds until a probe that was just started listens
RETRY = 0.01


def dial(address: str) -> socket.socket:
    deadline = time.monotonic() + PATIENCE
    while True:
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.connect(address)
            return sock
        except (FileNotFoundError, ConnectionRefusedError):
            sock.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(RETRY)


def ask(request: str, address: str = ADDRESS) -> None:
    """A line of JSON; returns when all of the answer is printed, or nobody wants it any more. Exits with 1 where the
    probe does not answer."""
    line = Lifeline()
    try:
        sock = dial(address)
        line.read()
        if line.is_cut:
            return  # whoever wanted this wants it no more, and may be taking it back
        sock.sendall(request.encode() + b"\n")
    except OSError as problem:
        journal.error(problem.errno or "EIO", f"the process probe does not answer: {problem}")
        raise SystemExit(1) from None
    _copy(sock, line)


def _copy(sock: socket.socket, line: Lifeline) -> None:
    """What comes is printed. Nothing is taken that can't be printed yet: it waits where it is counted."""
    os.set_blocking(1, False)
    data = b""
    while not line.is_cut:
        sources: list[Source] = [line] if data else [line, sock]
        ready, _, _ = select.select(sources, [1] if data else [], [], 1.0)
        if line in ready:
            line.read()
        if sock in ready:
            data = sock.recv(1 << 18)
            if not data:
                return
        with contextlib.suppress(BlockingIOError):
            data = data[os.write(1, data) :] if data else data
