"""Ends what `labctl exec` has started in a node: the engine can start a command and has no way to end one.

Each command carries a mark in its environment, which its children inherit. A helper in the node's process namespace
finds the mark and sends the signal, in any image, with a shell or without.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from labctl.engine.model import LABEL_LAB, LABEL_PROBE, LABEL_PROBED, LABEL_TARGET, Engine, ProbeOrder
from labctl.errors import LabError
from labctl.lab.inside import killer

VARIABLE = "LABCTL_COMMAND"
GRACE = 5.0  # seconds that a command has after the signal, until it is killed
UNREAD = 1.0  # seconds, of one whose reader has gone: nobody waits for its last words
LIMIT = 30.0  # seconds for all of it
# What /bin/sh does until it is told goodbye: whoever started it is dead else, and has left its command behind.
_WATCH = "trap '' INT TERM HUP TTIN TTOU TSTP; read -r word || exec \"$@\""


def fresh_mark() -> str:
    return os.urandom(8).hex()


def end(engine: Engine, lab: str, node: str, container: str, mark: str, number: int, grace: float = GRACE) -> int:
    """Sends a signal to a command and all that it has started, and SIGKILL to what is left after a while; how many
    processes there were. Raises LabError."""
    labels = {LABEL_LAB: lab, LABEL_PROBE: "end", LABEL_PROBED: node, LABEL_TARGET: container}
    program = Path(killer.__file__).read_text()
    command = ("python3", "-c", program, f"{VARIABLE}={mark}", str(int(number)), f"{grace:g}")
    name = f"{lab}-{node}-end-{os.urandom(3).hex()}"
    # To see a process's environment is the right to trace it; and none of them is root's.
    rights = ("DAC_OVERRIDE", "KILL", "SYS_PTRACE")
    wanted = ProbeOrder(name, command, container, labels, {}, None, rights, processes=True, memory=64, apart=True)
    ident = engine.create_probe(wanted)
    if ident is None:
        raise LabError("engine-refused", action="make a probe", why=f"the name {name} is another container's")
    try:
        engine.change("start", ident)
        return _counted(engine, ident)
    finally:
        engine.remove_container(ident)


def _counted(engine: Engine, probe: str) -> int:
    stream = engine.logs(probe, follow=True)
    said = []
    try:
        for happening in engine.wait([stream], time.monotonic() + LIMIT):
            if happening.line is None:
                break
            said.append(happening.line.text.decode(errors="replace"))
    finally:
        stream.close()
    try:
        return int(said[-1].split()[0])
    except (IndexError, ValueError):
        why = " / ".join(said[-2:]) or "no words"
        raise LabError("probe-failed", command="end", status="nothing", why=why) from None


class Ending(threading.Thread):
    """`end` on its way, while the command's last words are still read; `problem` says why it failed."""

    def __init__(self, engine: Engine, lab: str, node: str, container: str, mark: str, number: int) -> None:
        super().__init__(daemon=True)
        grace = UNREAD if number == signal.SIGPIPE else GRACE
        self._arguments = (engine, lab, node, container, mark, number, grace)
        self.problem: LabError | None = None
        self.start()

    def run(self) -> None:
        try:
            end(*self._arguments)
        except LabError as problem:
            self.problem = problem


class Watch:
    """Ends a command where this process can't any more, as after SIGKILL: a shell in a session of its own waits for a
    word, and for the end of its pipe."""

    def __init__(self, lab: str, node: str, container: str, mark: str) -> None:
        # -P: a learner's own socket.py, in the folder that this runs in, is none of labctl's.
        python = [sys.executable, "-P", "-m", "labctl.lab.inside.ending"]
        reader, self._writer = os.pipe()
        try:
            self._shell = subprocess.Popen(
                ["/bin/sh", "-c", _WATCH, "sh", *python, lab, node, container, mark],
                stdin=reader,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        except BaseException:
            os.close(self._writer)
            raise
        finally:
            os.close(reader)

    def dismiss(self) -> None:
        """All is in order: there is nothing to end any more."""
        try:
            os.write(self._writer, b"bye\n")
        except OSError:  # somebody killed it
            pass
        finally:
            os.close(self._writer)
        self._shell.wait(LIMIT)


def main() -> None:
    from labctl.engine import connect

    lab, node, container, mark = sys.argv[1:]
    end(connect(), lab, node, container, mark, signal.SIGHUP)


if __name__ == "__main__":
    main()
