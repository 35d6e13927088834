"""Processes that labctl starts, and that never outlive it, however it ends.

They run in a process group of their own. A shell in it waits at a pipe whose other end only labctl holds: where labctl
says goodbye, it leaves; where the pipe ends without a word, labctl is dead, and the group dies in the same moment. That
catches what no handler in labctl can, SIGKILL, and catches children of children (`docker` runs Compose as a plugin);
and unlike prctl(2)'s PR_SET_PDEATHSIG it has no moment at which the parent may already be gone, and works on every
Unix.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator, Sequence

TYPE_CHECKING = False  # as typing has it, which takes longer to import than this
if TYPE_CHECKING:
    import subprocess
    from typing import Any

# The shell itself only goes by the pipe: a signal for the whole group is none for the one that watches over it.
_WATCH = "trap '' INT TERM HUP TTIN TTOU TSTP; read -r word || kill -KILL 0"
PATIENCE = 10.0  # seconds until what was killed is gone


def _give_terminal(group: int) -> None:
    # Who isn't in the foreground is stopped where it says who is.
    before = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
    try:
        os.tcsetpgrp(0, group)
    finally:
        signal.signal(signal.SIGTTOU, before)


class Group:
    """A process group that lives inside a `with`; whatever of it is left at the end is killed."""

    def __init__(self) -> None:
        import subprocess  # here: most commands start nothing

        reader, self._writer = os.pipe()
        try:
            self._watcher = subprocess.Popen(
                ["/bin/sh", "-c", _WATCH],
                stdin=reader,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                # Not the terminal's foreground: a ^C there is labctl's to handle, else both would roll back at once.
                process_group=0,
            )
        except BaseException:
            os.close(self._writer)
            raise
        finally:
            os.close(reader)

    def start(self, command: Sequence[str], *, hold: Sequence[int] = (), **options: Any) -> subprocess.Popen[Any]:
        """A child in the group. It holds the file descriptors of `hold`, and with them their locks, while it lives."""
        import subprocess

        return subprocess.Popen(command, process_group=self._watcher.pid, pass_fds=hold, **options)

    @contextlib.contextmanager
    def foreground(self) -> Iterator[None]:
        """Gives the group the terminal on standard input, if labctl has one: its keys, ^C among them, are the group's.

        ^Z does nothing meanwhile, in children that are started here: nobody would be there to go on with them.
        """
        if not os.isatty(0) or os.tcgetpgrp(0) != os.getpgrp():
            yield
            return
        before = signal.signal(signal.SIGTSTP, signal.SIG_IGN)
        _give_terminal(self._watcher.pid)
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # its window was closed
                _give_terminal(os.getpgrp())
            signal.signal(signal.SIGTSTP, before)

    def kill(self) -> None:
        """Kills all of the group at once."""
        os.killpg(self._watcher.pid, signal.SIGKILL)

    def __enter__(self) -> Group:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind:
            self.kill()
        with contextlib.suppress(BrokenPipeError):
            os.write(self._writer, b"bye\n")
        os.close(self._writer)
        self._watcher.wait(PATIENCE)
