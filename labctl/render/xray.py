"""What two nodes did, as moments of their ladder."""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from labctl.events.model import Event
from labctl.packets.ladder.ladder import Ladder, Moment
from labctl.packets.ladder.transitions import RFC_NAMES, Transition
from labctl.packets.protocols.words import end
from labctl.packets.tcp.segment import milliseconds
from labctl.render.inside.syscalls import SLOW, parts
from labctl.render.ladder.document import document
from labctl.render.text import address, fitted, width

if TYPE_CHECKING:
    from labctl.lab.recording.trace import Trace
    from labctl.lab.recording.xray import XRay

TEXT = 36  # columns of a text in a call


def with_moments(
    ladder: Ladder, events: Iterable[Event], changes: Mapping[str, Sequence[Transition]], limit: int = 0
) -> Ladder:
    """The ladder with system calls and states, at most so many of them (0: all), and none after its last arrow where
    it is cut there; a call that took a while stands at its beginning and at its end."""
    moments: list[Moment] = []
    passed = sorted({arrow.at_ns for arrow in ladder.arrows} | {arrow.arrived_ns or 0 for arrow in ladder.arrows})
    for event in events:
        on_right = event.node == ladder.right.name
        moments += [_state(event, on_right)] if event.name == "socket-state" else _call(event, on_right, passed)
    for name, found in changes.items():
        moments += [_change(one, name == ladder.right.name) for one in found]
    moments.sort(key=lambda moment: moment.at_ns)
    kept = [moment for moment in moments if not ladder.cut or moment.at_ns <= ladder.end_ns]
    kept = kept[:limit] if limit else kept
    if len(kept) == len(moments):
        return replace(ladder, moments=tuple(kept))
    note = f"Not shown: {len(moments) - len(kept)} more system calls and states, beyond the limit."
    return replace(ladder, moments=tuple(kept), notes=(*ladder.notes, note))


def joined(found: XRay, limit: int = 0) -> Ladder:
    """All of an x-ray as one ladder, and what is to be said besides as its notes."""
    made = with_moments(found.ladder, found.events, found.changes, limit)
    return replace(made, notes=(*made.notes, *found.notes))


def ladders_of(trace: Trace, limit: int = 0) -> list[Ladder]:
    """What something caused, with what the nodes did where that was asked for."""
    return [joined(trace.deep[n], limit) if n in trace.deep else found for n, found in enumerate(trace.ladders)]


def trace_document(trace: Trace, limit: int = 0) -> dict[str, Any]:
    """A trace as data: the ladders' documents, and how many packets are aside."""
    aside = {"packets": trace.aside.packets, "pairs": trace.aside.pairs, "kinds": list(trace.aside.kinds)}
    return {
        "status": trace.status,
        "ladders": [document(ladder) for ladder in ladders_of(trace, limit)],
        "aside": aside,
    }


def _call(event: Event, on_right: bool, passed: Sequence[int]) -> list[Moment]:
    """One moment, or two where packets passed while the call took its time. The arrows say which ends are meant."""
    made, gave, failed = parts(_brief(event), "none")
    at, took = event.nanoseconds, event.get("duration_ns") or 0
    if took < SLOW:
        return [Moment(at, on_right, "call", made + gave, failed)]
    came, _, _ = gave.rpartition("  ")  # without the time, which is said in other words here
    if bisect(passed, at) == bisect(passed, at + took):
        return [Moment(at, on_right, "call", f"{made}{came} ({milliseconds(took)})", failed)]
    ended = f"{event.get('call')} ...{came} after {milliseconds(took)}"
    return [Moment(at, on_right, "call", f"{made} ..."), Moment(at + took, on_right, "call", ended, failed)]


def _brief(event: Event) -> Event:
    """The call with the beginning of long texts alone: what came of it must have its place."""
    arguments = [_cut(str(argument)) for argument in event.get("args") or ()]
    return event._replace(fields={**event.fields, "args": arguments})


def _cut(argument: str) -> str:
    if not argument.startswith('"') or width(argument) <= TEXT:
        return argument
    kept = fitted(argument, TEXT - 4).removesuffix("…").rstrip("\\")
    return f'{kept}"...'


def _state(event: Event, on_right: bool) -> Moment:
    """One that no packet tells of: its time is that of a look at the kernel's table."""
    names = RFC_NAMES if event.get("proto") == "tcp" else {}
    before, after = (names.get(str(event.get(key)), event.get(key)) for key in ("from", "to"))
    whose = f"  at {address(event.local)}" if event.local else ""
    return Moment(event.nanoseconds, on_right, "state", f"{before} -> {after}{whose}")


def _change(change: Transition, on_right: bool) -> Moment:
    # Behind the packet that it came with.
    return Moment(change.at_ns + 1, on_right, "state", f"{change.before} -> {change.after}  at {end(*change.local)}")
