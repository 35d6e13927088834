"""Conditions of a link as data: the same words in a topology and on the command line. No I/O."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields

from labctl.errors import nearest
from labctl.events import moments

CONDITIONS = ("delay", "jitter", "loss", "duplicate", "reorder", "corrupt", "rate")
_RATES = {"bit": 1.0, "kbit": 1e3, "mbit": 1e6, "gbit": 1e9}
LONGEST = 60.0  # seconds of delay: what is held takes memory
SLOWEST = 100.0  # bits a second
_LONGEST_VALUE = 32  # characters


class Malformed(ValueError):
    """What is wrong with one text, as a sentence; `hint` says how it is written right."""

    def __init__(self, message: str, hint: str) -> None:
        super().__init__(message)
        self.hint = hint


def brief(text: str) -> str:
    """A text as a message repeats it: its beginning, where it is long."""
    return text if len(text) <= 60 else text[:57] + "..."


@dataclass(frozen=True)
class Conditions:
    """What holds for packets. Delay and jitter in seconds, shares from 0 to 1, rate in bits a second; 0: none."""

    delay: float = 0.0
    jitter: float = 0.0
    loss: float = 0.0
    duplicate: float = 0.0
    reorder: float = 0.0
    corrupt: float = 0.0
    rate: float = 0.0

    def __bool__(self) -> bool:
        return any(getattr(self, item.name) for item in fields(self))

    def as_json(self) -> dict[str, float]:
        """Those that there are."""
        return {item.name: value for item in fields(self) if (value := getattr(self, item.name))}

    def __str__(self) -> str:
        """As it is typed: `delay 100ms loss 10%`."""
        return " ".join(f"{name} {shown(name, value)}" for name, value in self.as_json().items())


def parse(given: dict[str, str]) -> Conditions:
    """Texts by condition, such as {"delay": "40ms", "loss": "1%"}. Raises Malformed."""
    values = {word: value(word, text) for word, text in given.items()}
    if values.get("jitter", 0.0) > values.get("delay", 0.0):
        raise Malformed(
            f"jitter {given['jitter']} is more than the delay, and a packet can't leave before it came",
            f"give a delay of at least {given['jitter']} as well",
        )
    return Conditions(**values)


def parse_words(text: str, about: str) -> Conditions:
    """`delay 40ms loss 1%`, the conditions of `about`. Raises Malformed."""
    words = text.split()
    if len(words) % 2:
        raise Malformed(f"{brief(text)!r}: each condition is a word and a value", "write `delay 40ms loss 1%`")
    given: dict[str, str] = {}
    for word, found in zip(words[::2], words[1::2], strict=True):
        if word not in CONDITIONS:
            raise Malformed(
                f"{brief(word)!r} is no condition of a link{nearest(word, CONDITIONS)}", f"there are {_listed()}"
            )
        if word in given:
            raise Malformed(f"{word} is given twice for {brief(about)}", "give each condition once")
        given[word] = found
    return parse(given)


def value(word: str, text: str) -> float:
    """The value of one condition. Raises Malformed."""
    if word in ("delay", "jitter"):
        return seconds(word, text)
    return rate(text) if word == "rate" else share(word, text)


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
    found = _measure("rate", text, _RATES, "a rate such as 1mbit")
    if not found:
        raise Malformed(
            f"rate {text} lets nothing through", "give a rate such as 1mbit; `loss 100%` lets nothing through"
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


def shown(word: str, found: float) -> str:
    """A value as it is typed."""
    if word in ("delay", "jitter"):
        return f"{found:g}s" if found >= 1 else f"{found * 1e3:g}ms" if found >= 1e-3 else f"{found * 1e6:g}us"
    if word == "rate":
        unit, size = next((item for item in reversed(_RATES.items()) if found >= item[1]), ("bit", 1.0))
        return f"{found / size:g}{unit}"
    return f"{found * 100:g}%"


def _time(word: str, text: str, wanted: str) -> float:
    """Seconds."""
    found = moments.span(text) if len(text) <= _LONGEST_VALUE else None
    if found is not None:
        return found
    plain, _, units = wanted.partition(" (")
    if text[:1] == "-" and len(text) <= _LONGEST_VALUE and moments.span(text[1:]):
        raise Malformed(f"{word} {text} is negative", f"give {plain}")
    raise Malformed(f"{word} {brief(text)} is not {plain}", f"give {plain} ({units}")


def _measure(word: str, text: str, units: dict[str, float], wanted: str) -> float:
    found = re.fullmatch(r"(-?\d+(?:\.\d+)?)([a-z]+)", text) if len(text) <= _LONGEST_VALUE else None
    if found and found[2] in units and float(found[1]) < 0:
        raise Malformed(f"{word} {text} is negative", f"give {wanted}")
    if not found or found[2] not in units:
        raise Malformed(f"{word} {brief(text)} is not {wanted}", f"give {wanted} ({', '.join(units)})")
    return float(found[1]) * units[found[2]]


def _listed() -> str:
    return ", ".join(CONDITIONS)
