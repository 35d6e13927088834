"""A node's keyboard and journal in one terminal."""

from __future__ import annotations

import contextlib
import os
import select
import threading
from collections.abc import Callable
from typing import BinaryIO

from labctl.encoding import decoded
from labctl.engine.model import Engine, Stream
from labctl.errors import LabError
from labctl.events.codec import decode
from labctl.events.model import Event
from labctl.lab.keyboard.send import type_plain
from labctl.lab.keyboard.typed import Typed, need_keyboard
from labctl.lab.model import Lab, Node


def attach(
    engine: Engine,
    lab: Lab,
    name: str,
    source: BinaryIO,
    show: Callable[[Event], object],
    *,
    ready: Callable[[], object] = lambda: None,
    timeout: float = 5.0,
) -> None:
    """Types each line of `source` at a node and gives its journal to `show`, until the source or the node ends.

    `ready` is called once what comes is heard, and before anything is typed. Every line is typed like `labctl send`
    does, so that lines of several people never mix; at somebody's own program as a person would, where they may.
    Raises LabError.
    """
    node = lab.running(name, "nothing can be typed at it")
    need_keyboard(engine, node)
    # Lines of somebody else's program have no time but the engine's.
    journal = (
        engine.attach(node.container.id, keyboard=False)
        if node.role
        else engine.logs(node.container.id, follow=True, tail=0)
    )
    ready()
    reader, writer = os.pipe()
    failure: list[LabError] = []

    def type_lines() -> None:
        try:
            for line in source:
                _type(engine, lab, node, line, timeout)
        except LabError as problem:
            failure.append(problem)
        finally:
            with contextlib.suppress(OSError):  # who waited for it has gone
                os.write(writer, b".")  # wakes the loop below
            os.close(writer)

    typist = threading.Thread(target=type_lines, daemon=True)
    typist.start()
    try:
        _show_until(engine, journal, reader, node, show)
    finally:
        journal.close()
        os.close(reader)
    if failure:
        raise failure[0]


def _type(engine: Engine, lab: Lab, node: Node, line: bytes, timeout: float) -> None:
    text = decoded(line.rstrip(b"\n"), "a line")
    if node.role is None:
        type_plain(engine, node, text, timeout)
        return
    with Typed(engine, lab, node, text, timeout=timeout):
        pass


def _show_until(engine: Engine, journal: Stream, done: int, node: Node, show: Callable[[Event], object]) -> None:
    import time

    end = select.poll()
    end.register(done, select.POLLIN)
    while True:
        finished = bool(end.poll(0))
        # After the last line its consequences get a moment to arrive.
        for happening in engine.wait([journal], time.monotonic() + (0.3 if finished else 0.1)):
            if happening.line is None:
                engine.containers(running=True)  # raises where it is the engine that went away
                raise LabError("node-stopped", node=node.name)
            line = happening.line
            show(decode(line.text, node=node.name, stamp=line.stamp, stderr=line.stderr))
        if finished:
            return
