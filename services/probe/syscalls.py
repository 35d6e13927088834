"""Asks the process probe, in whose container it runs; labctl starts it, and it ends with labctl.

    python3 /opt/probe/syscalls.py '{"do": "read", "kinds": ["calls"], "since": 0, "follow": true}'

What comes back is printed as it comes.
"""

import contextlib
import os
import select
import socket
import sys
import time

from labprocess.lifeline import Lifeline

from labnode import journal

ADDRESS = "/dev/shm/processes"
PATIENCE = 10.0  # seconds until a probe that was just started listens
RETRY = 0.01


def dial() -> socket.socket:
    deadline = time.monotonic() + PATIENCE
    while True:
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.connect(ADDRESS)
            return sock
        except (FileNotFoundError, ConnectionRefusedError):
            sock.close()
            if time.monotonic() > deadline:
                raise
            time.sleep(RETRY)


def main() -> None:
    line = Lifeline()
    try:
        sock = dial()
        line.read()
        if line.is_cut:
            return  # whoever wanted this wants it no more, and may be taking it back
        sock.sendall(sys.argv[1].encode() + b"\n")
    except OSError as problem:
        journal.error(problem.errno or "EIO", f"the process probe does not answer: {problem}")
        raise SystemExit(1) from None
    copy(sock, line)


def copy(sock: socket.socket, line: Lifeline) -> None:
    """What comes is printed. Nothing is taken that can't be printed yet: it waits where it is counted."""
    os.set_blocking(1, False)
    data = b""
    while not line.is_cut:
        sources, sinks = ([line], [1]) if data else ([line, sock], [])
        ready, _, _ = select.select(sources, sinks, [], 1.0)
        if line in ready:
            line.read()
        if sock in ready:
            data = sock.recv(1 << 18)
            if not data:
                return
        with contextlib.suppress(BlockingIOError):
            data = data[os.write(1, data) :] if data else data


if __name__ == "__main__":
    main()
