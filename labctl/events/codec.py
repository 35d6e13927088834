"""JSON lines to events and back. What isn't an event is kept as one: `log`, with the line as its text."""

from __future__ import annotations

import json
import math
import re
from functools import lru_cache
from typing import Any, NoReturn

from labctl.events.model import Address, Event

EPOCH = "1970-01-01T00:00:00.000000000Z"
_STAMP = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z")


def _no_json(text: str) -> NoReturn:
    """Python reads NaN and Infinity, and writes them; nobody else does (RFC 8259, section 6)."""
    raise ValueError(f"{text} is no number")


def _finite(text: str) -> float:
    found = float(text)
    return found if math.isfinite(found) else _no_json(text)


_JSON = json.JSONDecoder(parse_constant=_no_json, parse_float=_finite)


def decode(line: bytes, *, node: str, stamp: str | None = None, stderr: bool = False) -> Event:
    """The event that a node's line is.

    `node` is the name under which labctl knows the node, which holds over what the line says; `stamp` is the engine's
    time of the line, for one that has none of its own. Never fails: a line that is no event becomes a `log` event.
    """
    if line[:1] == b"{" and not stderr:
        event = _decode_object(line, node)
        if event:
            return event
    fields: dict[str, Any] = {"text": line.rstrip(b"\r").decode(errors="replace")}
    if stderr:
        fields["stderr"] = True
    return Event(normalise(stamp) or EPOCH, node, "log", fields=fields)


def _decode_object(line: bytes, node: str) -> Event | None:
    try:
        found = _JSON.decode(line.decode())
        ts, name = normalise(found.pop("ts")), found.pop("event")
        local, peer = _address(found.pop("local", None)), _address(found.pop("peer", None))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    if ts is None or not isinstance(name, str):
        return None
    found.pop("node", None)
    return Event(ts, node, name, local, peer, found)


def encode(event: Event) -> dict[str, Any]:
    """The event as its JSON object."""
    out: dict[str, Any] = {"ts": event.ts, "node": event.node, "event": event.name}
    for key, address in (("local", event.local), ("peer", event.peer)):
        if address:
            out[key] = list(address)
    return {**out, **event.fields}


def normalise(stamp: object) -> str | None:
    """An RFC 3339 time in UTC with nine digits of fraction, None where it is none."""
    found = _STAMP.fullmatch(stamp) if isinstance(stamp, str) else None
    return f"{found[1]}.{(found[2] or '').ljust(9, '0')}Z" if found and _is_time(found[1]) else None


@lru_cache(maxsize=1024)
def _is_time(second: str) -> bool:
    """Whether there is such a day, and such a time of day."""
    import datetime  # `labctl --help` and its like have no need of it

    try:
        datetime.datetime.fromisoformat(second)
    except ValueError:
        return False
    return True


def stamp_of(moment_ns: int) -> str:
    """A time in nanoseconds since the epoch as events hold it."""
    import time

    seconds, rest = divmod(max(0, moment_ns), 1_000_000_000)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:09d}Z"


def _address(value: object) -> Address | None:
    if value is None:
        return None
    if isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and type(value[1]) is int:
        return (value[0], value[1])
    raise ValueError("an address is [address, port]")
