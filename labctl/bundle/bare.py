"""A run without what was said: no texts, no bytes behind the headers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from labctl.bundle import packets
from labctl.bundle.model import Mark, Run
from labctl.events.model import Event
from labctl.lab.faults.rules import Fault

# The fields whose texts are labctl's own or the kernel's, and no words of anybody's; numbers stay in any case.
_OURS = (
    "action",
    "call",
    "error",
    "family",
    "from",
    "id",
    "kind",
    "link",
    "program",
    "proto",
    "rule",
    "signal",
    "state",
    "to",
    "type",
)
_NOTE = "It was saved without payloads: no texts, and of packets the headers alone. What was corrupted can't be seen."


def without_payload(run: Run) -> Run:
    return replace(
        run,
        sides=tuple(map(packets.bare, run.sides)),
        events=tuple(map(_event, run.events)),
        inputs=tuple(
            replace(one, text=None, followed=tuple(Mark(m.node, m.event, "", m.nth) for m in one.followed))
            for one in run.inputs
        ),
        faults=tuple(map(_fault, run.faults)),
        recordings={
            name: replace(one, events=[_event(event) for event in one.events]) for name, one in run.recordings.items()
        },
        payload=False,
        notes=(*run.notes, _NOTE),
    )


def _event(event: Event) -> Event:
    return event._replace(fields=_fields(event.fields))


def _fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: _value(key, value) for key, value in fields.items()}
    return {key: value for key, value in found.items() if value is not None}


def _value(key: str, value: Any) -> Any:
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if isinstance(value, str):
        return value if key in _OURS else _what(value) if key == "what" else None
    if key == "args" and isinstance(value, list):  # of a system call: what isn't quoted is the kernel's
        return [one if not isinstance(one, str) or '"' not in one else '"..."' for one in value]
    if key == "datagrams" and isinstance(value, list):
        return [{"peer": one.get("peer")} for one in value if isinstance(one, dict)]
    return None


def _what(rule: str) -> str:
    """A rule may pick packets by a text."""
    return rule if '"' not in rule else "a rule that picks by a text"


def _fault(fault: Fault) -> Fault:
    return replace(fault, what=_what(fault.what))
