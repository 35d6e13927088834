"""Whether a prediction was right, by the evidence alone."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from labctl.errors import brief
from labctl.lesson.seen.evidence import Evidence
from labctl.lesson.written.model import Predict, Section

_FLAGS = re.compile("[sfrpu.]{2,}")


class Undecided(Exception):
    """The evidence makes none of the choices right, or more than one, or there is no number in it."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True)
class Answer:
    """The right one: what stands in the evidence, and how it is told. `values` are those of the fields to fill in."""

    text: str
    key: str = ""
    number: float | None = None
    values: tuple[Any, ...] = ()


def right(predict: Predict, section: Section, evidence: Evidence, values: Mapping[str, Any]) -> Answer:
    """Raises Undecided, Misplaced."""
    if predict.choices:
        found = [choice.key for choice in predict.choices if evidence.value(choice.when, values)]
        if len(found) != 1:
            what = "none of the choices is right" if not found else f"more than one choice is right: {', '.join(found)}"
            raise Undecided(f"by the evidence, {what}")
        return Answer(section.choices[found[0]], key=found[0])
    if predict.number is not None:
        number = evidence.value(predict.number, values)
        if isinstance(number, bool) or not isinstance(number, int | float):
            raise Undecided(f"the evidence gives no number: {brief(repr(number))}")
        try:
            asked = float(number)
        except OverflowError:
            raise Undecided("the evidence gives a number that is too large") from None
        return Answer(f"{shown(number)}{f' {section.unit}' if section.unit else ''}", number=asked)
    found_values = tuple(evidence.value(blank, values) for blank in predict.blanks)
    if any(value is None for value in found_values):
        missing = section.blanks[found_values.index(None)]
        raise Undecided(f"the evidence has nothing for {missing}")
    told = [f"{name} = {shown(value)}" for name, value in zip(section.blanks, found_values, strict=True)]
    return Answer("; ".join(told), values=found_values)


def is_decided(predict: Predict, evidence: Evidence, values: Mapping[str, Any]) -> bool:
    """Whether the evidence makes an answer the right one by now. Raises Misplaced."""
    texts = dict.fromkeys((choice.key for choice in predict.choices), "")
    nameless = Section("", "", "", (), choices=texts, blanks=("",) * len(predict.blanks))
    try:
        right(predict, nameless, evidence, values)
    except Undecided:
        return False
    return True


def is_right(predict: Predict, answer: Answer, given: str) -> bool:
    """Of a choice's key, or a number as it was typed."""
    if predict.choices:
        return given == answer.key
    assert answer.number is not None
    allowed = max(predict.within, predict.share * abs(answer.number), 1e-9)
    number = number_of(given)
    return number is not None and abs(number - answer.number) <= allowed


def number_of(text: str) -> float | None:
    try:
        return float(text.replace(",", "").strip())
    except ValueError:
        return None


def fills(value: Any, given: str) -> bool:
    """Whether what was typed is a field's value: numbers by their value (also hexadecimal), texts without regard to
    letters' case and blanks, flags (letters, with a dot for ACK) in any order."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        try:
            return abs(float(int(given, 0)) - value) < 1e-9
        except (ValueError, OverflowError):
            return number_of(given) == value
    wanted, found = ("".join(text.split()).lower() for text in (shown(value), given))
    return wanted == found or (bool(_FLAGS.fullmatch(wanted)) and sorted(wanted) == sorted(found))


def shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3g}" if abs(value) < 1000 else f"{value:,.0f}"
    if isinstance(value, list | tuple):
        return ":".join(map(str, value))
    return str(value)
