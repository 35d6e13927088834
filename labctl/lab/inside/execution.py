"""Runs a command in a node, with our standard streams as its own: what is typed here is read there.

However labctl ends, the command does not outlive it: ^C, SIGTERM, SIGHUP and a reader that has gone are passed on to it
(docs/verbs.md).
"""

from __future__ import annotations

import contextlib
import signal
import subprocess
import termios
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from labctl.engine.model import Engine, Stream
from labctl.errors import LabError
from labctl.lab.inside import ending
from labctl.lab.model import Lab, Node
from labctl.phases import reached

STATUS_LIMIT = 5.0  # seconds until the engine knows how a command that has ended did so
LOOK_AGAIN = 0.01
LAST_WORDS = ending.GRACE + 5  # seconds for what a command says when it is told to end
_REFUSED = b"OCI runtime exec failed: "
NOT_RUNNABLE, NOT_FOUND = 126, 127  # as a shell has it


@dataclass(frozen=True)
class Place:
    """Where a command runs."""

    lab: Lab
    node: Node

    @property
    def container(self) -> str:
        return self.node.container.id


def run(
    engine: Engine,
    place: Place,
    command: Sequence[str],
    *,
    source: int | None,
    show: Callable[[bytes, bool], None],
    why_ended: Callable[[BaseException], int | None],
    limit: float | None = None,
    late: LabError | None = None,
) -> int:
    """Runs a command; its exit status. What it writes goes to `show` (with True for its standard error), and what can
    be read from the file descriptor `source` is its standard input.

    `why_ended` says with which signal a command ends for an exception that comes meanwhile (None: with no signal); that
    is raised again once the command has ended. `limit` in seconds is for the whole of it. Raises LabError `no-program`,
    `cancelled`, and after the limit `late`, else `engine-timeout`.
    """
    mark = ending.fresh_mark()
    watch = ending.Watch(place.lab.name, place.node.name, place.container, mark)
    stream = None
    try:
        stream = engine.open(place.container, command, lines=False, environment={ending.VARIABLE: mark})
        reached("exec:running")
        status = _pumped(engine, place, command, stream, source, show, limit, late)
    except BaseException as cause:
        number = why_ended(cause)
        engine = engine.cancelled_by()
        if number is not None and stream:
            _end(engine, place, mark, stream, number, show)
        elif number is not None:  # the engine may have been asked for it already
            _end_unheard(engine, place, mark, number)
        if number is not None or isinstance(cause, LabError):
            watch.dismiss()
        raise
    finally:
        if stream:
            stream.close()
    watch.dismiss()
    return status


def _pumped(
    engine: Engine,
    place: Place,
    command: Sequence[str],
    stream: Stream,
    source: int | None,
    show: Callable[[bytes, bool], None],
    limit: float | None,
    late: LabError | None,
) -> int:
    first: bytes | None = None  # the engine's words, perhaps, instead of the command's
    for happening in engine.converse(stream, source, None if limit is None else time.monotonic() + limit):
        if happening.line is None:
            break
        if first is None and happening.line.text.startswith(_REFUSED):
            first = happening.line.text
            continue
        if first:
            show(first, False)
        first = b""
        show(happening.line.text, happening.line.stderr)
    else:  # nobody said that it has ended
        raise late or LabError("engine-timeout", seconds=limit, action=f"run a command in {place.node.name}")
    status = exit_status(engine, stream, f"tell how a command in {place.node.name} ended")
    if first:
        if status in (NOT_RUNNABLE, NOT_FOUND):
            raise _refused(place.node.name, command[0], first)
        show(first, False)
    return status


def _refused(node: str, program: str, said: bytes) -> LabError:
    why = said.decode(errors="replace").strip().removesuffix(": unknown").rpartition(": ")[2]
    return LabError("no-program", node=node, program=program, why=why)


def status_of(problem: LabError) -> int:
    """The exit status of a shell that can't run a command, for `no-program`."""
    why = str(problem.values["why"])
    return NOT_FOUND if "not found" in why or "no such file" in why else NOT_RUNNABLE


def exit_status(engine: Engine, stream: Stream, action: str) -> int:
    """Of a command whose output has ended. Raises LabError `engine-timeout`, by what was to be done."""
    deadline = time.monotonic() + STATUS_LIMIT
    while (status := engine.status(stream)) is None:
        if time.monotonic() > deadline:
            # Its streams are closed, and it goes on without them.
            raise LabError("engine-timeout", seconds=STATUS_LIMIT, action=action)
        time.sleep(LOOK_AGAIN)
    return status


def _end(
    engine: Engine, place: Place, mark: str, stream: Stream, number: int, show: Callable[[bytes, bool], None]
) -> None:
    """Passes a signal on, and goes on showing what the command says of it; but for nobody who has stopped reading."""
    task = ending.Ending(engine, place.lab.name, place.node.name, place.container, mark, number)
    deaf = number == signal.SIGPIPE
    deadline = time.monotonic() + LAST_WORDS
    for happening in engine.converse(stream, None, deadline):
        if happening.line is None:
            break
        if not deaf:
            show(happening.line.text, happening.line.stderr)
    task.join(ending.LIMIT)
    if task.problem:
        raise LabError("command-left", node=place.node.name, why=task.problem.message)


def at_terminal(
    engine: Engine,
    place: Place,
    command: Sequence[str],
    *,
    terminal: bool,
    keyboard: bool = True,
    why_ended: Callable[[BaseException], int | None],
) -> int:
    """As `run`, with Docker's client between our terminal and the command's: it knows of sizes and of raw keys.
    Without a `keyboard` our standard input is let alone."""
    mark = ending.fresh_mark()
    watch = ending.Watch(place.lab.name, place.node.name, place.container, mark)
    flags = [*(["-i"] if keyboard else []), *(["-t"] if terminal else []), "-e", f"{ending.VARIABLE}={mark}"]
    arguments, environment = engine.client(["exec", *flags, place.container, *command])
    child = None
    modes = _modes() if terminal else None
    try:
        # Python ignores SIGPIPE, and what is ignored stays so in another program.
        source = None if keyboard else subprocess.DEVNULL
        child = subprocess.Popen(arguments, stdin=source, env=environment, restore_signals=True)
        reached("exec:running")
        status = child.wait()
    except BaseException as cause:
        number = why_ended(cause)
        if child:
            child.kill()
            child.wait()
            _set_modes(modes)
        if number is not None:
            _end_unheard(engine, place, mark, number)
            watch.dismiss()
        raise
    if status < 0:  # somebody ended the client, and what it ran goes on
        _set_modes(modes)
        _end_unheard(engine, place, mark, signal.SIGHUP)
    watch.dismiss()
    return 128 - status if status < 0 else status


def _modes() -> list[Any] | None:
    """How the terminal on standard input takes keys; None where it is gone."""
    try:
        return termios.tcgetattr(0)
    except termios.error:
        return None


def _set_modes(modes: list[Any] | None) -> None:
    """As it was: Docker's client takes each key raw, and where it is killed leaves it so."""
    if modes:
        with contextlib.suppress(termios.error):  # it is gone
            termios.tcsetattr(0, termios.TCSANOW, modes)


def _end_unheard(engine: Engine, place: Place, mark: str, number: int) -> None:
    ending.end(engine, place.lab.name, place.node.name, place.container, mark, number)
