"""Compose's version, asked for before anything is imported that will need it.

To start Compose takes it longer than to say that, and Python that long to import what brings a lab up; asked for at
once, both go on at the same time. Nothing here imports more than a Python has that has just started. Then Compose is
asked to read the file (labctl.engine.expect_reading), and what is imported until then is as little as that takes:
`typing` alone is a tenth of it, so it is left for afterwards.
"""

from __future__ import annotations

import os

from labctl.engine.compose import plugin

TYPE_CHECKING = False  # as typing has it
if TYPE_CHECKING:
    from collections.abc import Sequence

VERSION = ("version", "--short")
_asked: list[tuple[int, int]] = []  # one at most: the process, and what it writes to


def begin() -> None:
    """Asks. Says nothing where that can't be: who needs the answer asks then, and hears why.

    The process is in labctl's own group, so that ^C ends both, and nobody watches over it: it reads nothing and asks
    nobody, and ends when it has said its line, or when nobody is there to read that.
    """
    program = plugin.find()
    if not program:
        return
    reader, writer = os.pipe()
    actions: list[tuple[int, int, int] | tuple[int, int, str, int, int]] = [
        (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
        (os.POSIX_SPAWN_DUP2, writer, 1),
        (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
    ]
    try:
        child = os.posix_spawn(program, [program, *plugin.NO_ENGINE, *VERSION], os.environ, file_actions=actions)
    except OSError:
        os.close(reader)
    else:
        _asked.append((child, reader))
    os.close(writer)


def answer(program: Sequence[str], limit: float) -> str | None:
    """What Compose said, where `program` is what was asked; None where nobody asked, or it gave no answer within some
    seconds: it is ended then."""
    if not _asked:
        return None
    import select
    import signal
    import time

    child, reader = _asked.pop()
    deadline, said = time.monotonic() + limit, b""
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    ended = False
    while not ended and (left := deadline - time.monotonic()) > 0:
        if poll.poll(left * 1000):
            piece = os.read(reader, 4096)
            said, ended = said + piece, not piece
    os.close(reader)
    if not ended:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return said.decode(errors="replace") if list(program) == [plugin.find()] and ended and not status else None
