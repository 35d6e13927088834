"""Events as lines of a timeline: when, who, what, between which addresses."""

from __future__ import annotations

from typing import Any

from labctl.events.model import Event
from labctl.render.text import DIM, RED, address, colour_of, fitted, padded, paint, printable, quoted, width

ARROWS = {"send": "->", "connect": "->", "retry": "->", "recv": "<-", "accept": "<-", "message": "<-", "answer": "<-"}
# Shown first and in this order; what else an event holds follows by name.
_FIRST = ("bytes", "text", "data", "error", "reason")
_HIDDEN = ("proto", "id", "offset", "node", "call", "cut")


class Timeline:
    """Lays out one line an event. `columns` None: as long as it gets (a file, a pipe)."""

    def __init__(self, nodes: list[str], *, columns: int | None, colour: bool) -> None:
        self._name_width = max((len(name) for name in nodes), default=4)
        self._columns = columns
        self._colour = colour

    def line(self, event: Event) -> str:
        clock, named = event.ts[11:26], printable(event.name)
        head = f"{clock}  {padded(event.node, self._name_width)}  {padded(named, 8)}  "
        # Whoever writes to a journal chooses names, addresses and keys as well: none of it reaches the terminal raw.
        body = printable("  ".join(part for part in (_ends(event), _details(event)) if part))
        if self._columns is not None:
            body = fitted(body, max(20, self._columns - width(head)))
        if not self._colour:
            return (head + body).rstrip()
        code = RED if event.name == "error" else colour_of(event.node)
        name = paint(padded(event.node, self._name_width), colour_of(event.node), True)
        verb = paint(padded(named, 8), code, True)
        return f"{paint(clock, DIM, True)}  {name}  {verb}  {body}".rstrip()


def _ends(event: Event) -> str:
    if event.local and event.peer:
        return f"{address(event.local)} {ARROWS.get(event.name, '--')} {address(event.peer)}"
    if event.peer:
        return f"{ARROWS.get(event.name, '--')} {address(event.peer)}"
    return address(event.local) if event.local else ""


def _details(event: Event) -> str:
    fields = event.fields
    parts = [_detail(key, fields[key]) for key in _FIRST if key in fields]
    if "cut" in fields:
        parts.append(f"(and {fields['cut']} B more)")
    parts += [_detail(key, value) for key, value in fields.items() if key not in _FIRST and key not in _HIDDEN]
    return "  ".join(parts)


def _detail(key: str, value: Any) -> str:
    if key == "bytes":
        return f"{value} B"
    if key == "text":
        return quoted(str(value))
    if key == "data":
        return f"base64:{value}"
    if key in ("error", "reason"):
        return quoted(str(value))[1:-1]
    if isinstance(value, float):
        return f"{key}={value:g}"
    if isinstance(value, str) and value and value.isprintable() and " " not in value:
        return f"{key}={value}"
    if isinstance(value, str):
        return f"{key}={quoted(value)}"
    if key == "listening" and isinstance(value, list):
        return "listening on " + ", ".join(_listening(item) for item in value)
    return f"{key}={quoted(repr(value))[1:-1]}" if isinstance(value, (list, dict)) else f"{key}={value}"


def _listening(item: Any) -> str:
    try:
        proto, host, port = item
        return f"{address((str(host), int(port)))}/{proto}"
    except (TypeError, ValueError):
        return str(item)
