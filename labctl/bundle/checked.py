"""JSON that may be anybody's, taken apart with a look at each value."""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from labctl.events.codec import normalise

NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]{0,254}")
_LONGEST = 1 << 63
MOST_VALUES = 10_000_000  # of one part: each takes some 70 bytes here, however few it has there


class Malformed(Exception):
    """A value isn't what it should be; its text is the end of a sentence."""


def text(value: object, limit: int = 1 << 20) -> str:
    """A text that UTF-8 can carry."""
    if not isinstance(value, str) or len(value) > limit:
        raise Malformed("a text is none, or too long")
    if value.isascii():
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Malformed("a text is none that UTF-8 can carry") from None
    return value


def some_text(value: object) -> str | None:
    return None if value is None else text(value)


def name(value: object) -> str:
    """A node's, a network's, a lab's."""
    found = text(value)
    if not _is_name(found):
        raise Malformed(f"{found[:40]!r} is no name")
    return found


@lru_cache(maxsize=1024)
def _is_name(found: str) -> bool:
    """A run has few of them, each a thousand times."""
    return NAME.fullmatch(found) is not None


def address(value: object) -> str:
    found = text(value)
    try:
        ipaddress.ip_address(found)
    except ValueError:
        raise Malformed(f"{found[:40]!r} is no address") from None
    return found


def end(value: object) -> tuple[str, int] | None:
    """An address and a port; the address of a socket that isn't IP's is a text."""
    if value is None:
        return None
    found = array(value)
    if len(found) != 2:
        raise Malformed("an address is [address, port]")
    return text(found[0], 255), number(found[1])


def number(value: object) -> int:
    """A whole number that isn't below zero."""
    if type(value) is not int or not 0 <= value < _LONGEST:
        raise Malformed(f"{str(value)[:40]} is no number that can stand there")
    return value


def some_number(value: object) -> int | None:
    return None if value is None else number(value)


def yes(value: object) -> bool:
    if not isinstance(value, bool):
        raise Malformed(f"{str(value)[:40]} is neither true nor false")
    return value


def array(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise Malformed("what should be an array is none")
    return value


def record(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Malformed("what should be an object is none")
    return value


def time(value: object) -> str:
    found = normalise(value)
    if found is None:
        raise Malformed(f"{str(value)[:40]!r} is no time")
    return found


def texts(value: object) -> tuple[str, ...]:
    return tuple(map(text, array(value)))


def by_name(value: object, of: Callable[[object], Any]) -> dict[str, Any]:
    return {name(key): of(item) for key, item in record(value).items()}


def counts(value: object) -> Mapping[str, int] | None:
    return None if value is None else {text(key, 255): number(item) for key, item in record(value).items()}


def values_in(content: bytes) -> int:
    """How many values JSON has, at most: what begins one is counted, also where a text holds it."""
    return sum(map(content.count, (b",", b"[", b"{")))


def _refuse_many(content: bytes) -> None:
    if values_in(content) > MOST_VALUES:
        raise Malformed(f"it has more than {MOST_VALUES} values")


def document(content: bytes) -> dict[str, Any]:
    _refuse_many(content)
    return record(_json(content.decode("utf-8", "strict")))


def lines(content: bytes, most: int) -> Iterator[dict[str, Any]]:
    """The objects of JSON lines."""
    _refuse_many(content)
    count = 0
    for line in content.split(b"\n"):
        if line:
            count += 1
            if count > most:
                raise Malformed(f"it has more than {most} lines")
            yield record(_json(line.decode("utf-8", "strict")))


def _json(content: str) -> Any:
    if content[:1] == "{":
        found, end = _JSON.raw_decode(content)
        if end == len(content):
            return found
    return _JSON.decode(content)  # which takes white space around it


def _refuse(word: str) -> None:
    raise Malformed(f"{word} is no number of JSON")  # RFC 8259, section 6


# json.loads would make one anew for each line.
_JSON = json.JSONDecoder(parse_constant=_refuse)


def amount(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < 1e18:
        raise Malformed(f"{str(value)[:40]} is no amount")
    return float(value)


def whole(value: object) -> int:
    """A number that may be below zero, as a system call's result."""
    if type(value) is not int or abs(value) >= _LONGEST:
        raise Malformed(f"{str(value)[:40]} is no whole number")
    return value


def _datagrams(value: object) -> None:
    for one in array(value):
        end(record(one).get("peer"))


# What labctl reckons with, by event and field.
FIELDS: dict[str, dict[str, Callable[[Any], object]]] = {
    "fault": {"seq": number, "size": number, "ip_id": number, "delay_ms": amount},
    "syscall": {
        "pid": number,
        "fd": whole,
        "result": whole,
        "duration_ns": number,
        "args": array,
        "datagrams": _datagrams,
    },
}


def fields(event: str, told: Mapping[str, Any]) -> None:
    """Raises Malformed where an event's field isn't what labctl reckons with."""
    for key, check in FIELDS[event].items():
        if told.get(key) is not None:
            check(told[key])
