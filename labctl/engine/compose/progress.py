"""What Compose tells while it makes a project, and how it is ended."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Collection, Sequence

from labctl import cancel
from labctl.cancel import Cancel
from labctl.engine.children import Group

PATIENCE = 2.0  # seconds for Compose to end when it is interrupted; one that only just starts may not hear it
_MAKES = r'\s*(?:Network|Volume|Container) "?(.+?)"?\s+(Creating|Created)\s*$'


def read(
    child: subprocess.Popen[bytes],
    report: Callable[[str], None],
    deadline: float,
    said: list[str],
    cancels: Collection[Cancel] = (),
) -> None:
    """Adds each line to `said`, until the end. Raises TimeoutExpired, LabError `cancelled`."""
    import selectors

    output = child.stdout or child.stderr
    assert output
    rest = b""
    with selectors.DefaultSelector() as selector:
        selector.register(output, selectors.EVENT_READ)
        for one in cancels:
            selector.register(one, selectors.EVENT_READ)
        while True:
            left = deadline - time.monotonic()
            if left <= 0 or not selector.select(left):
                raise subprocess.TimeoutExpired("docker compose", 0)
            cancel.check(cancels)
            data = os.read(output.fileno(), 1 << 16)
            *lines, rest = (rest + data).split(b"\n")
            whole = lines if data else [*lines, rest]
            texts = [text for line in whole if (text := line.decode(errors="replace").strip())]
            said += texts  # all of them before any is reported: a signal may come in the middle of that
            for text in texts:
                report(text)
            if not data:
                return


def end(child: subprocess.Popen[bytes], group: Group, said: list[str]) -> None:
    """Interrupts Compose, as ^C would, and adds its last lines to `said`."""
    if child.poll() is None:
        child.send_signal(signal.SIGINT)
        try:
            child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            group.kill()
            child.wait(10)
    output = child.stdout or child.stderr
    assert output
    os.set_blocking(output.fileno(), False)
    said += (output.read() or b"").decode(errors="replace").split("\n")


def unfinished(said: Sequence[str]) -> frozenset[str]:
    """The names of what the engine was asked to make, and was not seen to have made."""
    begun: set[str] = set()
    for line in said:
        found = re.match(_MAKES, line)
        if found:
            (begun.add if found[2] == "Creating" else begun.discard)(found[1])
    return frozenset(begun)
