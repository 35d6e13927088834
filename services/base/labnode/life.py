"""A node's life: PID 1 of its container, from start over `ready` to SIGTERM."""

from __future__ import annotations

import os
import signal

from labnode import gate, journal
from labnode.keyboard import Keyboard
from labnode.loop import READ, Loop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from labnode.types import Done, Typed

READY_FILE = "/dev/shm/ready"  # for Compose's healthcheck; the only writable place of a read-only container


class Stop(BaseException):
    """SIGTERM or SIGINT came: close what is open, in order, and leave."""


def run(main: Callable[[Loop], Done | None]) -> None:
    """Runs `main(loop)`, a node's set-up, then its loop until SIGTERM; `main` returns what closes its sockets."""

    # A handler that raised could do so between send(2) and its event, or in the middle of a line of the journal. The
    # signal's number goes through a pipe instead, and the loop raises where nothing is half done.
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)

    def stop(_ready: int) -> None:
        raise Stop(signal.Signals(os.read(woken, 1)[0]).name)

    # PID 1 gets no default handlers (pid_namespaces(7)): without these, SIGTERM would do nothing at all.
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGINT, lambda *_: None)
    # Whatever `docker exec` leaves behind becomes PID 1's child; ignoring SIGCHLD reaps it (wait(2), NOTES).
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    loop, close = Loop(), None
    loop.watch(woken, READ, stop)
    try:
        gate.wait()
        close = main(loop)
        loop.run()
    except Stop as came:
        loop.watch(woken, 0)
        if close:
            close()
        journal.event("exit", signal=str(came))
    except OSError as problem:
        journal.error(problem.errno or "EIO", f"the node can't do its job: {problem}")
        raise SystemExit(1) from None


def ready(**fields: object) -> None:
    """Says that the node can do its job now: to labctl by an event, to Compose's healthcheck by a file."""
    with open(READY_FILE, "w"):
        journal.event("ready", **fields)


def watch_keyboard(loop: Loop, on_input: Typed) -> Callable[[bool], None]:
    """Calls `on_input(typed)` for each line that is typed, while there is a keyboard.

    Gives back `pause(paused)`, which stops and resumes reading it: what is typed meanwhile waits in the pipe, and
    whoever types faster than the node can work is slowed down.
    """
    keyboard, watched, paused_now = Keyboard(), True, False

    def read(_ready: int) -> None:
        for typed in keyboard.read():
            on_input(typed)
        if keyboard.closed:
            loop.watch(keyboard, 0, None)  # the keyboard was pulled out; the node goes on

    def pause(paused: bool) -> None:
        nonlocal paused_now
        if paused != paused_now and watched and not keyboard.closed:
            paused_now = paused
            loop.watch(keyboard, 0 if paused else READ, read)

    try:
        loop.watch(keyboard, READ, read)
    except PermissionError:
        watched = False  # /dev/null or a file: a container that was started without stdin_open has no keyboard
    return pause
