"""Shells in hosts for the page: each is `labctl shell` at a terminal of its own, which the page shows."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import secrets
import select
import struct
import subprocess
import sys
import termios
from collections.abc import AsyncIterator
from dataclasses import dataclass

from labctl import environment
from labctl.errors import LabError

MOST = 8  # shells at the same time
LARGEST = 500  # rows, or columns
ENDING = 3.0  # seconds for a shell whose terminal is gone


@dataclass
class Shell:
    """A child process and the side of its terminal that is ours."""

    child: subprocess.Popen[bytes]
    terminal: int

    def resize(self, rows: int, columns: int) -> None:
        size = struct.pack("HHHH", *(max(1, min(count, LARGEST)) for count in (rows, columns)), 0, 0)
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, size)

    def type(self, keys: bytes) -> None:
        """Waits for room, as a paste may need it."""
        room = select.poll()  # select(2) knows no number above 1023, and a page may have more open
        room.register(self.terminal, select.POLLOUT)
        while keys:
            room.poll(ENDING * 1000)
            keys = keys[os.write(self.terminal, keys) :]

    def end(self) -> None:
        """Hangs up, as a window that is closed does."""
        with contextlib.suppress(OSError):
            os.close(self.terminal)
        with contextlib.suppress(ProcessLookupError):
            self.child.terminate()
        try:
            self.child.wait(ENDING)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()


class Shells:
    """The shells of one lab, by names that nobody guesses."""

    def __init__(self, lab: str) -> None:
        self._lab = lab
        self._open: dict[str, Shell] = {}

    def begin(self, node: str, rows: int, columns: int) -> str:
        """A shell in a node; its name. Raises InvalidArgument (`bad-option`) where there are too many."""
        if len(self._open) >= MOST:
            raise LabError("bad-option", option="shell", why=f"{MOST} are open already; close one")
        ours, theirs = pty.openpty()
        try:
            # Who opens a terminal as the first of a session has it as the controlling one: then ^C is a key.
            words = ["sh", "-c", 'tty=$1; shift; exec "$@" <"$tty" >"$tty" 2>&1', "sh", os.ttyname(theirs)]
            words += [sys.executable, "-P", "-m", "labctl", "shell", "--lab", self._lab, "--", node]
            variables = {**environment.variables(), "TERM": "xterm-256color"}
            child = subprocess.Popen(words, stdin=subprocess.DEVNULL, start_new_session=True, env=variables)
        except BaseException:
            os.close(ours)
            raise
        finally:
            os.close(theirs)
        os.set_blocking(ours, False)
        name = secrets.token_urlsafe(12)
        self._open[name] = Shell(child, ours)
        self._open[name].resize(rows, columns)
        return name

    def find(self, name: str) -> Shell:
        """Raises InvalidArgument (`bad-option`) where there is none of that name."""
        if name not in self._open:
            raise LabError("bad-option", option="shell", why="there is none of that name any more")
        return self._open[name]

    async def shown(self, name: str) -> AsyncIterator[bytes]:
        """What it shows, until it ends; whoever stops reading ends it."""
        shell, loop = self.find(name), asyncio.get_running_loop()
        readable = asyncio.Event()
        loop.add_reader(shell.terminal, readable.set)
        try:
            while True:
                await readable.wait()
                readable.clear()
                try:
                    data = os.read(shell.terminal, 1 << 16)
                except BlockingIOError:  # what it was woken for has been read already
                    continue
                except OSError:  # EIO: nobody has the terminal open any more
                    return
                yield data
        finally:
            loop.remove_reader(shell.terminal)
            self._open.pop(name, None)
            await loop.run_in_executor(None, shell.end)

    def close(self) -> None:
        """Ends all that are open."""
        while self._open:
            self._open.popitem()[1].end()
