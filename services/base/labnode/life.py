"""A node's life: PID 1 of its container, from start over `ready` to SIGTERM."""

import signal

from labnode import journal
from labnode.keyboard import Keyboard
from labnode.loop import READ, Loop

READY_FILE = "/dev/shm/ready"  # for Compose's healthcheck; the only writable place of a read-only container


class Stop(BaseException):
    """SIGTERM came: close what is open, in order, and leave."""


def run(main) -> None:
    """Runs `main(loop)`, a node's set-up, then its loop until SIGTERM; `main` returns what closes its sockets."""

    def stop(_number, _frame):
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        raise Stop

    # PID 1 gets no default handlers (pid_namespaces(7)): without these, SIGTERM would do nothing at all.
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    # Whatever `docker exec` leaves behind becomes PID 1's child; ignoring SIGCHLD reaps it (wait(2), NOTES).
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    loop, close = Loop(), None
    try:
        close = main(loop)
        loop.run()
    except Stop:
        if close:
            close()
        journal.event("exit", signal="SIGTERM")
    except OSError as problem:
        journal.error(problem.errno or "EIO", f"the node can't do its job: {problem}")
        raise SystemExit(1) from None


def ready(**fields) -> None:
    """Says that the node can do its job now: to labctl by an event, to Compose's healthcheck by a file."""
    with open(READY_FILE, "w"):
        journal.event("ready", **fields)


def watch_keyboard(loop: Loop, on_input) -> None:
    """Calls `on_input(typed)` for each line that is typed, while there is a keyboard."""
    keyboard = Keyboard()

    def read(_ready):
        for typed in keyboard.read():
            on_input(typed)
        if keyboard.closed:
            loop.watch(keyboard, 0, None)  # the keyboard was pulled out; the node goes on

    try:
        loop.watch(keyboard, READ, read)
    except PermissionError:
        pass  # /dev/null or a file: a container that was started without stdin_open has no keyboard
