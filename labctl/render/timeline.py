"""Events as lines of a timeline: when, who, what, between which addresses."""

from __future__ import annotations

import re
from typing import Any

from labctl.events.model import Event
from labctl.lab.roles import arrows
from labctl.render.clock import clock
from labctl.render.text import DIM, RED, address, colour_of, fitted, folded, padded, paint, printable, quoted, width

STDERR = "stderr"  # what a program wrote there; its lines on standard output are a `log`
_COLOURS = re.compile(r"\x1b\[[0-9;:]*m")  # SGR (ECMA-48, 8.3.117)
# Shown first and in this order; what else an event holds follows by name.
_FIRST = ("bytes", "text", "data", "error", "reason")
_HIDDEN = ("proto", "id", "offset", "node", "call", "cut")


class Timeline:
    """Lays out one line an event. `columns` None: as long as it gets (a file, a pipe).

    A line that is wider than `columns` is cut or, with `wrap`, goes on below. `local`: times of the machine's own zone.
    """

    def __init__(
        self, nodes: list[str], *, columns: int | None, colour: bool, wrap: bool = False, local: bool = False
    ) -> None:
        self._name_width = max((len(name) for name in nodes), default=4)
        self._columns, self._colour = columns, colour
        self._wrap, self._local = wrap, local

    def line(self, event: Event) -> str:
        moment, named = clock(event.ts, local=self._local), printable(_name(event))
        head = f"{moment}  {padded(event.node, self._name_width)}  {padded(named, 8)}  "
        # Whoever writes to a journal chooses names, addresses and keys as well: none of it reaches the terminal raw.
        lines = self._laid_out(said(event), width(head))
        if self._colour:
            code = RED if named in ("error", STDERR, "missing") else colour_of(event.node)
            name = paint(padded(event.node, self._name_width), colour_of(event.node), True)
            head = f"{paint(moment, DIM, True)}  {name}  {paint(padded(named, 8), code, True)}  "
        return "\n".join((head + lines[0]).rstrip() if not number else line for number, line in enumerate(lines))

    def _laid_out(self, body: str, indent: int) -> list[str]:
        """The lines of what is said, all but the first with their indent."""
        if self._columns is None:
            return [body]
        left = max(20, self._columns - indent)
        if not self._wrap:
            return [fitted(body, left)]
        first, *rest = folded(body, left)
        # Where the head leaves hardly any room, what goes on below takes a little less indent.
        gap = " " * min(indent, max(0, self._columns - left))
        return [first, *(gap + line for line in rest)]


def said(event: Event) -> str:
    """What an event says, safe to print: a program's own line as it is, anything else as its ends and its fields."""
    if event.name == "log":
        # Its tabs keep their columns, and the colours that it was written in are left out.
        return printable(_COLOURS.sub("", str(event.get("text"))).expandtabs())
    return printable("  ".join(part for part in (_ends(event), _details(event)) if part))


def _name(event: Event) -> str:
    return STDERR if event.name == "log" and event.get("stderr") else event.name


def _ends(event: Event) -> str:
    if event.local and event.peer:
        return f"{address(event.local)} {arrows().get(event.name, '--')} {address(event.peer)}"
    if event.peer:
        return f"{arrows().get(event.name, '--')} {address(event.peer)}"
    return address(event.local) if event.local else ""


def _details(event: Event) -> str:
    fields = event.fields
    parts = [_detail(key, fields[key]) for key in _FIRST if key in fields]
    if "cut" in fields:
        parts.append(f"(and {fields['cut']} B more)")
    parts += [_detail(key, value) for key, value in fields.items() if key not in _FIRST and key not in _HIDDEN]
    return "  ".join(part for part in parts if part)


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
        return "listening on " + ", ".join(_listening(item) for item in value) if value else ""
    return f"{key}={quoted(repr(value))[1:-1]}" if isinstance(value, (list, dict)) else f"{key}={value}"


def _listening(item: Any) -> str:
    try:
        proto, host, port = item
        return f"{address((str(host), int(port)))}/{proto}"
    except (TypeError, ValueError):
        return str(item)
