"""Evidence as it is shown: ladders, journals, system calls, packets layer by layer, sockets, values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from labctl.lesson.seen.evidence import ABSENT, Evidence
from labctl.lesson.seen.rows import Row
from labctl.lesson.written.model import Shown
from labctl.render.text import address, fitted, printable, quoted

LIMIT = 40  # arrows, lines or sockets; more hides what is to be seen
LINES = 3  # of an event
RESOLVER = "127.0.0.11"  # the engine's own name server in each host, which is no part of any lesson
TEXT_LIMIT = 200  # characters of a value


@dataclass(frozen=True)
class Screen:
    """Lines of at most so many columns, in colour or not, and labctl's own words in a language."""

    columns: int
    colour: bool
    language: str = "en"


def shown(what: Shown, evidence: Evidence, values: Mapping[str, Any], screen: Screen) -> str:
    """Empty where there is nothing (yet) to show."""
    return _SHOW[what.kind](what.names, evidence, values, screen)


Show = Callable[[tuple[str, ...], Evidence, Mapping[str, Any], Screen], str]


def _ladder(names: tuple[str, ...], evidence: Evidence, values: Mapping[str, Any], screen: Screen) -> str:
    found = evidence.ladder(*names[:2])
    return _drawn(found, _begin(names, evidence, values), screen)


def _begin(names: tuple[str, ...], evidence: Evidence, values: Mapping[str, Any]) -> int:
    """When a ladder begins: with the act, or with the packet (or call) that is named third; in nanoseconds."""
    row = values.get(names[2]) if names[2:] else None
    row = (row[0] if row else None) if isinstance(row, list) else row
    if not isinstance(row, Row):
        return evidence.began
    return row.source[0].at_ns if _is_packet(row) else int(row.source.nanoseconds)


def _is_packet(row: Row) -> bool:
    return type(row.source) is tuple  # with an arrow; an event is one as well, and has names


def _drawn(found: Any, begin: int, screen: Screen) -> str:
    """A ladder without what was before."""
    from labctl.render.ladder import text
    from labctl.render.phrases.saying import in_language

    if found is None:
        return ""
    drawn = found.drawn.part(begin, LIMIT)
    if not (drawn.arrows or drawn.moments):
        return ""
    return text.draw(drawn, columns=screen.columns, colour=screen.colour, say=in_language(screen.language))


def _xray(names: tuple[str, ...], evidence: Evidence, values: Mapping[str, Any], screen: Screen) -> str:
    import time

    try:
        last = (time.time_ns() - evidence.began) / 1e9 + 0.1
        found = evidence.lab.xray(*names[:2], last=last, limit=0)
    except ABSENT:
        return ""
    return _drawn(found, _begin(names, evidence, values), screen)


def _journal(names: tuple[str, ...], evidence: Evidence, _: Mapping[str, Any], screen: Screen) -> str:
    from labctl.render.timeline import Timeline

    rows = evidence.events(*names)[-LIMIT:]
    line = Timeline(list(names), columns=screen.columns, colour=screen.colour, wrap=True).line
    return "\n".join(_short(line(row.source)) for row in rows)


def _short(event: str) -> str:
    """An event in a few lines: the first alone often has no more than its ends."""
    lines = event.split("\n")
    return event if len(lines) <= LINES else "\n".join([*lines[:LINES], f"{' ' * _indent(lines[1])}…"])


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def _calls(names: tuple[str, ...], evidence: Evidence, _: Mapping[str, Any], screen: Screen) -> str:
    from labctl.render.inside.syscalls import Calls

    rows = [row for row in evidence.calls(*names) if row.get("call")][-LIMIT:]
    line = Calls(list(names), columns=screen.columns, colour=screen.colour, wrap=True).line
    return "\n".join(line(row.source) for row in rows)


def _packet(names: tuple[str, ...], _: Evidence, values: Mapping[str, Any], screen: Screen) -> str:
    return _layers(values.get(names[0]), screen, dump=False)


def _bytes(names: tuple[str, ...], _: Evidence, values: Mapping[str, Any], screen: Screen) -> str:
    return _layers(values.get(names[0]), screen, dump=True)


def _layers(value: Any, screen: Screen, *, dump: bool) -> str:
    from labctl.render.packets.layers import draw
    from labctl.render.phrases.saying import in_language

    row = (value[0] if value else None) if isinstance(value, list) else value
    if not isinstance(row, Row) or not _is_packet(row):
        return ""
    arrow, _ = row.source
    return draw(
        arrow.crossing.packet, columns=screen.columns, colour=screen.colour, dump=dump, say=in_language(screen.language)
    )


def _sockets(names: tuple[str, ...], evidence: Evidence, _: Mapping[str, Any], screen: Screen) -> str:
    from labctl.render.inside.sockets import table

    rows = [row for name in names for row in evidence.sockets(name) if row.get("local")[0] != RESOLVER]
    found = [row.source for row in rows[:LIMIT]]
    return table(found, columns=screen.columns, colour=screen.colour) if found else ""


def _values(names: tuple[str, ...], _: Evidence, values: Mapping[str, Any], screen: Screen) -> str:
    wide = max(map(len, names))
    return "\n".join(
        fitted(f"{name.ljust(wide)} = {printable(_said(values.get(name)))}", screen.columns) for name in names
    )


def _said(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6f}".rstrip("0").rstrip(".") if abs(value) < 1 else f"{value:,.3f}"
    if isinstance(value, Row):
        return str(value.get("head") or value.get("text") or value)[:TEXT_LIMIT]
    if isinstance(value, list):
        if len(value) == 2 and isinstance(value[0], str) and type(value[1]) is int:
            return address((value[0], value[1]))
        return ", ".join(_listed(item) for item in value[:12])[:TEXT_LIMIT] or "none"
    return "none" if value is None else str(value)[:TEXT_LIMIT]


def _listed(value: Any) -> str:
    """A text with blanks or newlines is told as ladders tell it: one sees where it begins and ends."""
    return quoted(value) if isinstance(value, str) and any(map(str.isspace, value)) else _said(value)


_SHOW: dict[str, Show] = {
    "ladder": _ladder,
    "xray": _xray,
    "journal": _journal,
    "calls": _calls,
    "packet": _packet,
    "bytes": _bytes,
    "sockets": _sockets,
    "values": _values,
}
