"""What became of a program that was run: what there is to say of it, or why it failed, in words for its author."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from labctl.engine.model import Engine
from labctl.engine.nodes import PROGRAMS_GATE
from labctl.errors import LabError
from labctl.lab.model import Lab, Node
from labctl.lab.programs import awaiting, remarks
from labctl.lab.programs.awaiting import Seen
from labctl.lab.programs.ran import Ran
from labctl.lab.programs.remarks import Situation
from labctl.lab.programs.wanted import PLACE, Expected, Wanted, command_of, expected_of, folder_of

SHOWN = 10  # last lines of a program that has failed


def judged(ran: Ran, seen: Seen, wanted: Wanted, others: tuple[str, ...], timeout: float) -> Ran:
    """What was seen, with what there is to say of it. Raises LabError `program-failed`, `program-silent`."""
    if seen.state == "failed":
        about = Situation(ran.node, wanted.command, wanted.folder, others)
        raise failed(seen, about, wanted.memory)
    if seen.state == "silent":
        raise silent(ran.node, seen, wanted.expected, timeout)
    published = [port.private for port in wanted.publish if port.proto == "tcp"]
    notes = tuple(remarks.of_sockets(ran.node, seen, wanted.expected, published, ran.addresses))
    return replace(ran, seen=seen, notes=(*ran.notes, *notes))


def failed(seen: Seen, about: Situation, memory: int | None) -> LabError:
    """LabError `program-failed`, with its last lines, and what its author may have tripped over."""
    tips = list(remarks.of_failure(seen, about, f"{memory // 1024**2} MiB" if memory else "share"))
    mend = "; ".join(tips) or (f"`labctl logs {about.node}` shows all that it printed" if seen.lines else "")
    return LabError("program-failed", node=about.node, how=how_of(seen.exit_code), lines=_lines(seen), mend=mend)


def silent(node: str, seen: Seen, expected: Expected, timeout: float) -> LabError:
    """LabError `program-silent`."""
    why = f"it has not printed {expected.text!r}" if expected.text is not None else "it listens nowhere"
    return LabError("program-silent", node=node, seconds=timeout, why=why, lines=_lines(seen))


def again(engine: Engine, lab: Lab, node: Node, timeout: float) -> Seen:
    """Waits for a program that was started again. Raises LabError `program-failed`, `program-silent`."""
    labels = node.container.labels
    seen = awaiting.wait(engine, node.container.id, expected_of(labels), timeout, time.monotonic())
    if seen.state == "failed":
        made = engine.settings(node.container.id)
        mounted = next((Path(one.source) for one in made.mounts if one.target == PLACE and one.kind == "bind"), None)
        command = command_of(labels) or made.command[made.command[:1] == (PROGRAMS_GATE,) :]
        about = Situation(node.name, command, folder_of(labels) or mounted, running(lab))
        raise failed(seen, about, made.memory)
    if seen.state == "silent":
        raise silent(node.name, seen, expected_of(labels), timeout)
    return seen


def running(lab: Lab) -> tuple[str, ...]:
    return tuple(node.name for node in lab.nodes if node.is_running)


def how_of(code: int) -> str:
    """How a program ended, by its exit status."""
    from labctl.signals import name_of

    signal = name_of(code - 128) if code > 128 else None
    return f"with exit status {code}{f' ({signal})' if signal else ''}"


def _lines(seen: Seen) -> str:
    """The last lines that it printed."""
    shown = seen.lines[-SHOWN:]
    if not shown:
        return ", and printed nothing"
    which = "its last lines" if seen.printed > len(shown) else "what it printed"
    return f"; {which}:\n" + "\n".join(f"    {line}" for line in shown)
