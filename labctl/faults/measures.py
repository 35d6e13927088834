"""What the values of faults are given in: times, shares, rates. Text to numbers and back; no I/O."""

from __future__ import annotations

import re
from collections.abc import Callable

from labctl.errors import brief
from labctl.events import moments
from labctl.named import NamedTuple

_RATES = {"bit": 1.0, "kbit": 1e3, "mbit": 1e6, "gbit": 1e9}
LONGEST = 60.0  # seconds of delay: what is held takes memory
SLOWEST = 100.0  # bits a second
_LONGEST_VALUE = 32  # characters


class Malformed(ValueError):
    """What is wrong with one text, as a sentence; `hint` says how it is written right."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


class Measure(NamedTuple):
    """`read(word, text)` gives the number of a text, or raises Malformed; `shown(number)` is the text again. `pattern`
    is that of such texts (a regular expression of JSON Schema), `metavar` how the help calls them."""

    metavar: str
    pattern: str
    read: Callable[[str, str], float]
    shown: Callable[[float], str]


def seconds(word: str, text: str, most: float = LONGEST) -> float:
    """`40ms`, `1.5s`. Raises Malformed."""
    found = _time(word, text, "a time such as 40ms (us, ms, s)")
    if found > most:
        raise Malformed(f"{word} {text} is too long", f"give at most {most:g}s")
    return found


def span(word: str, text: str) -> float:
    """How long something holds, such as `30s` or `5m`, in seconds. Raises Malformed."""
    found = _time(word, text, "a time such as 30s (ms, s, m, h, d)")
    if not 0.01 <= found <= 7 * 86400:
        raise Malformed(f"{word} {text} is no time to wait for", "give from 10ms to 168h")
    return found


def rate(text: str) -> float:
    """`1mbit`, in bits a second. Raises Malformed."""
    found = _number("rate", text, _RATES, "a rate such as 1mbit")
    if not found:
        raise Malformed(
            f"rate {text} lets nothing through", "give a rate such as 1mbit; `drop 100%` lets nothing through"
        )
    if found < SLOWEST:
        raise Malformed(f"rate {text} is too slow for one packet a minute", f"give at least {SLOWEST:g}bit")
    return found


def share(word: str, text: str) -> float:
    """`10%`, as 0.1. Raises Malformed."""
    try:
        found = float(text.removesuffix("%")) / 100 if len(text) <= _LONGEST_VALUE else -1.0
    except ValueError:
        found = -1.0
    if not text.endswith("%") or not 0 <= found <= 1:
        raise Malformed(f"{word} {brief(text)} is no share", "give a share from 0% to 100%")
    return found


def _time(word: str, text: str, wanted: str) -> float:
    """Seconds."""
    found = moments.span(text) if len(text) <= _LONGEST_VALUE else None
    if found is not None:
        return found
    plain, _, units = wanted.partition(" (")
    if text[:1] == "-" and len(text) <= _LONGEST_VALUE and moments.span(text[1:]):
        raise Malformed(f"{word} {text} is negative", f"give {plain}")
    raise Malformed(f"{word} {brief(text)} is not {plain}", f"give {plain} ({units}")


def _number(word: str, text: str, units: dict[str, float], wanted: str) -> float:
    found = re.fullmatch(r"(-?\d+(?:\.\d+)?)([a-z]+)", text) if len(text) <= _LONGEST_VALUE else None
    if found and found[2] in units and float(found[1]) < 0:
        raise Malformed(f"{word} {text} is negative", f"give {wanted}")
    if not found or found[2] not in units:
        raise Malformed(f"{word} {brief(text)} is not {wanted}", f"give {wanted} ({', '.join(units)})")
    return float(found[1]) * units[found[2]]


def _seconds_shown(found: float) -> str:
    return f"{found:g}s" if found >= 1 else f"{found * 1e3:g}ms" if found >= 1e-3 else f"{found * 1e6:g}us"


def _rate_shown(found: float) -> str:
    unit, size = next((item for item in reversed(_RATES.items()) if found >= item[1]), ("bit", 1.0))
    return f"{found / size:g}{unit}"


_NUMBER = r"[0-9]+(\.[0-9]+)?"
TIME = Measure("TIME", f"({_NUMBER}({'|'.join(moments.SPANS)}))+", seconds, _seconds_shown)
SHARE = Measure("SHARE", f"{_NUMBER}%", share, lambda found: f"{found * 100:g}%")
RATE = Measure("RATE", f"{_NUMBER}({'|'.join(_RATES)})", lambda _, text: rate(text), _rate_shown)
