"""Conditions of a link as data: the same words in a topology and on the command line. No I/O."""

from __future__ import annotations

from collections.abc import Mapping

from labctl.errors import brief, nearest
from labctl.faults.kinds import PARAMETERS, TYPED
from labctl.faults.measures import LONGEST, SLOWEST, Malformed, rate, seconds, share, span
from labctl.named import NamedTuple

__all__ = [
    "CONDITIONS",
    "LONGEST",
    "SLOWEST",
    "Conditions",
    "Malformed",
    "parse",
    "parse_words",
    "pattern",
    "rate",
    "seconds",
    "share",
    "shown",
    "span",
]
CONDITIONS = tuple(PARAMETERS)


class Conditions(NamedTuple):
    """What holds for packets: `values` by the name of the parameter, in its own unit (seconds, shares from 0 to 1, bits
    a second), and none that are 0."""

    values: Mapping[str, float] = {}

    def __bool__(self) -> bool:
        return bool(self.values)

    def as_json(self) -> dict[str, float]:
        """Those that there are."""
        return dict(self.values)

    def __str__(self) -> str:
        """As it may be typed: `delay 100ms drop 10%`."""
        return " ".join(f"{name} {shown(name, value)}" for name, value in self.values.items())


def parse(given: Mapping[str, str]) -> Conditions:
    """Texts by condition, such as {"delay": "40ms", "drop": "1%"}. Raises Malformed."""
    texts: dict[str, str] = {}
    found: dict[str, float] = {}
    for word, text in given.items():
        if word not in TYPED:
            hint = f"there are {', '.join(CONDITIONS)}"
            raise Malformed(f"{brief(word)!r} is no condition of a link{nearest(word, TYPED)}", hint)
        parameter = TYPED[word]
        if parameter.name in found:
            raise Malformed(f"{word} is given twice, as {' and '.join(parameter.words)}", "give each condition once")
        texts[parameter.name] = text
        found[parameter.name] = parameter.measure.read(word, text)
    for name in found:
        least = PARAMETERS[name].within
        if least and found[name] > found.get(least, 0.0):
            raise Malformed(
                f"{name} {texts[name]} is more than the {least}, and a packet can't leave before it came",
                f"give a {least} of at least {texts[name]} as well",
            )
    return Conditions({name: found[name] for name in CONDITIONS if found.get(name)})


def parse_words(text: str, about: str) -> Conditions:
    """`delay 40ms drop 1%`, the conditions of `about`. Raises Malformed."""
    words = text.split()
    if len(words) % 2:
        raise Malformed(f"{brief(text)!r}: each condition is a word and a value", "write `delay 40ms drop 1%`")
    given: dict[str, str] = {}
    for word, value in zip(words[::2], words[1::2], strict=True):
        if word in given:
            raise Malformed(f"{word} is given twice for {brief(about)}", "give each condition once")
        given[word] = value
    return parse(given)


def shown(name: str, value: float) -> str:
    """A parameter's value as it is typed."""
    return PARAMETERS[name].measure.shown(value)


def pattern() -> str:
    """The regular expression of one condition with its value, as JSON Schema writes it."""
    return "|".join(f"({'|'.join(one.words)})\\s+{one.measure.pattern}" for one in PARAMETERS.values())
