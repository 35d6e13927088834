"""System calls as lines of a timeline, each as C would have it."""

from __future__ import annotations

import re
from typing import Literal

from labctl.events.model import Event
from labctl.render.clock import clock
from labctl.render.inside.sockets import NARROW, program
from labctl.render.text import DIM, RED, address, colour_of, fitted, folded, padded, paint, printable, width

SLOW = 1_000_000  # nanoseconds; what took longer says so
WHO = len("python3[12345]")
# Data of which forty characters do, where a call is shown whole; strace marks what it leaves out in the same way.
_LONG = re.compile(r""""((?:[^"\\]|\\.){40})(?:[^"\\]|\\.)+"(?:\.\.\.)?""")
LEAST = 8  # characters of a line of a call, which ends behind an argument rather than within one
GIVES = ("accept", "accept4")


class Calls:
    """Lays out one line an event. `columns` None: as long as it gets (a file, a pipe).

    What doesn't fit loses the near end of its socket first, and then the end of its arguments, which `wrap` puts on
    further lines instead; a narrow terminal has no column for the name of one node.
    """

    def __init__(
        self, nodes: list[str], *, columns: int | None, colour: bool, local: bool = False, wrap: bool = False
    ) -> None:
        narrow = columns is not None and columns < NARROW and len(nodes) == 1
        self._width = 0 if narrow else max((len(name) for name in nodes), default=4)
        self._columns, self._colour, self._local, self._wrap = columns, colour, local, wrap

    def line(self, event: Event) -> str:
        moment, who = clock(event.ts, local=self._local), program(event.get("program"), event.get("pid"))
        name = f"{padded(event.node, self._width)}  " if self._width else ""
        head = f"{moment}  {name}{padded(who, WHO)}  "
        made, gave, failed = parts(event)
        if self._columns is not None:
            lay = _wrapped if self._wrap else _fitted
            made, gave = lay(event, made, gave, max(20, self._columns - width(head)), width(head))
        if not self._colour:
            return (head + made + gave).rstrip()
        code = colour_of(event.node)
        name, who = paint(name, code, bool(name)), paint(padded(who, WHO), code, not name)
        return f"{paint(moment, DIM, True)}  {name}{who}  {made}{paint(gave, RED, failed)}".rstrip()


def _fitted(event: Event, made: str, gave: str, left: int, _: int) -> tuple[str, str]:
    if width(made) + width(gave) > left:
        made, gave, _ = parts(event, "far")
    if width(made) + width(gave) > left:
        # What came of it is worth more than all arguments.
        gave = fitted(gave, max(left // 2, left - width(made)))
        made = fitted(made, left - width(gave))
    return made, gave


def _wrapped(event: Event, made: str, gave: str, left: int, indent: int) -> tuple[str, str]:
    """All of a call but for long data: what has no room goes on below, indented by so many columns."""
    if width(made) + width(gave) > left:
        made, gave, _ = parts(event, "far")
    lines = folded(_LONG.sub(r'"\1"...', made), left, LEAST)
    margin = f"\n{' ' * indent}"
    if width(lines[-1]) + width(gave) > left:
        gave = margin + margin.join(folded(gave.strip(), left))
    return margin.join(lines), gave


Ends = Literal["both", "far", "none"]


def parts(event: Event, ends: Ends = "both") -> tuple[str, str, bool]:
    """What was asked, what came of it, and whether that is an error; `ends`: which of a socket's are shown."""
    made, gave, failed = _parts(event, ends)
    return printable(made), printable(gave), failed


def _parts(event: Event, ends: Ends) -> tuple[str, str, bool]:
    if event.name == "syscall":
        return _made(event, ends), _gave(event, ends), is_failure(event)
    if event.name == "process" and event.get("state") == "started":
        return "-- ", f"started {event.get('command')}", False
    if event.name == "process":
        how = event.get("signal") or f"status {event.get('status')}"
        return "-- ", f"ended, {how}", bool(event.get("signal"))
    if event.name == "signal":
        return "-- ", f"signal {event.get('signal')}", False
    error = event.get("error")
    return "-- ", f"{event.get('reason')} ({error})" if error else f"{event.get('reason')}", True


def _made(event: Event, ends: Ends) -> str:
    arguments = [str(item) for item in event.get("args") or ()]
    if event.get("fd") is not None and arguments:
        arguments[0] = _descriptor(arguments[0], event, with_peer=event.get("call") not in GIVES, ends=ends)
    return f"{event.get('call')}({', '.join(arguments)})"


def _gave(event: Event, ends: Ends) -> str:
    result, error = event.get("result"), event.get("error")
    shown = " = ?" if result is None else f" = {result}"
    if result is not None and result >= 0 and event.get("call") in GIVES:
        shown = f" = {_descriptor(str(result), event, with_peer=True, ends=ends)}"
    if error:
        shown += f" {error} ({event.get('reason')})"
    elif event.get("more"):
        shown += f" ({event.get('more')})"
    took = event.get("duration_ns")
    return shown + (f"  {took / 1e6:.1f} ms" if took is not None and took >= SLOW else "")


def is_failure(event: Event) -> bool:
    """A call that would have had to wait, or goes on elsewhere, has not failed."""
    return bool(event.get("error")) and event.get("result") is not None and event.get("error") != "EINPROGRESS"


def _descriptor(number: str, event: Event, *, with_peer: bool, ends: Ends) -> str:
    """`7<tcp 10.77.0.5:12345 -> 10.77.0.6:41786>`"""
    kind = event.get("proto") or event.get("family")
    if not kind or ends == "none":
        return number
    has_peer = bool(event.peer) and with_peer
    shown = f" {address(event.local)}" if event.local and not (ends == "far" and has_peer) else ""
    if has_peer:
        shown += f" -> {address(event.peer)}"
    return f"{number}<{kind}{shown}>"


def gone(count: int) -> str:
    """What is said of calls that are recorded no more."""
    return f"{count} earlier ones are gone, there were too many"
