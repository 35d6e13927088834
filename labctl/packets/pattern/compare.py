"""A line beside a packet: whether they fit, and where they don't."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from labctl.packets.pattern.model import Line, Number, Payload, Variable
from labctl.packets.pattern.outcomes import MUST_BE_SAID
from labctl.packets.pattern.seen import Seen

Values = Mapping[str, int | str | bytes]  # of variables


@dataclass(frozen=True, slots=True)
class Difference:
    """`what` isn't as wanted: in the words of a pattern; or the packet `is`, or `says`, something else."""

    what: str
    wanted: str
    found: str

    def told(self, verb: str) -> tuple[str, str]:
        """What a packet has, behind that verb, or its own one; and which that is."""
        mine = self.what if self.what in ("is", "says") else "has"
        words = (mine if mine != verb else "", self.what if mine == "has" else "", self.found)
        return " ".join(word for word in (*words, "instead of", self.wanted) if word), mine


def fits(line: Line, seen: Seen, values: Values) -> Values | None:
    """The variables' values with those that the packet adds; None: it doesn't fit."""
    if (
        line.source.node != seen.sender
        or line.target.node != seen.receiver
        or line.protocol != seen.protocol
        or (line.flags is not None and line.flags != seen.flags)
    ):
        return None
    compared = _Compared(values)
    compared.all_of(line, seen, until_first=True)
    return None if compared.differences else compared.values


def differences(line: Line, seen: Seen, values: Values) -> list[Difference]:
    """All that is other than wanted, the most telling first."""
    out = []
    if (line.source.node, line.target.node) != (seen.sender, seen.receiver):
        wanted, found = f"{line.source.node} > {line.target.node}", f"{seen.sender} > {seen.receiver}"
        out.append(Difference("direction", wanted, found))
    if line.protocol != seen.protocol:
        out.append(Difference("protocol", line.protocol, seen.protocol))
    elif line.flags is not None and line.flags != seen.flags:
        out.append(Difference("flags", letters(line.flags), letters(seen.flags)))
    compared = _Compared(values)
    compared.all_of(line, seen)
    return out + compared.differences


def letters(flags: frozenset[str]) -> str:
    """Flags as tcpdump(8) writes them; `-`: none."""
    return "".join(letter for letter in "SFRP.UEWe" if letter in flags) or "-"


class _Compared:
    def __init__(self, values: Values) -> None:
        self.values = values
        self.differences: list[Difference] = []

    def all_of(self, line: Line, seen: Seen, *, until_first: bool = False) -> None:
        for one in (self._outcomes, self._numbers, self._rest):
            one(line, seen)
            if until_first and self.differences:
                return

    def _numbers(self, line: Line, seen: Seen) -> None:
        for what, wanted, found in (
            ("length", line.length, seen.length),
            ("first", line.first, seen.first),
            ("last", line.last, seen.last),
            ("ack", line.ack, seen.ack),
            ("win", line.window, seen.window),
            ("port", line.source.port, seen.sport),
            ("port", line.target.port, seen.dport),
        ):
            if wanted is not None:
                self._same(what, wanted, found)

    def _same(self, what: str, wanted: Number | str, found: int | str | bytes | None) -> None:
        nothing = "of unknown scale" if what == "win" else "none"
        if isinstance(wanted, Variable):
            if found is None:
                self._add(what, f"${wanted.name}", nothing)
            elif wanted.name not in self.values:
                self.values = {**self.values, wanted.name: found}
            elif self.values[wanted.name] != found:
                self._add(what, f"${wanted.name} ({self.values[wanted.name]!r})", str(found))
        elif wanted != found:
            self._add(what, str(wanted), nothing if found is None else str(found))

    def _outcomes(self, line: Line, seen: Seen) -> None:
        wanted = {one.word for one in line.outcomes}
        missing = [one.word for one in line.outcomes if one.word not in seen.outcomes]
        more = [word for word in seen.outcomes if word in MUST_BE_SAID and word not in wanted]
        if missing or more:
            shown = [word for word in seen.outcomes if word in MUST_BE_SAID or word in wanted]
            said = " ".join(one.word for one in line.outcomes)
            self._add("is", said or "delivered as it was sent", " ".join(shown) or "delivered as it was sent")
            return
        for one in line.outcomes:
            rules = seen.causes.get(one.word, ())
            if isinstance(one.rule, Variable):
                known = self.values.get(one.rule.name)
                self._same(f"{one.word} by", one.rule, known if known in rules else rules[0] if rules else None)
            elif one.rule is not None and one.rule not in rules:
                self._add(f"{one.word} by", one.rule, ", ".join(rules) or "no rule")

    def _rest(self, line: Line, seen: Seen) -> None:
        if line.fragment != seen.fragment:
            self._add("is", "a fragment" if line.fragment else "whole", "a fragment" if seen.fragment else "whole")
        if line.message and line.message != seen.message:
            self._add("says", line.message, seen.message or "nothing")
        for option in line.options:
            has = seen.options or {}
            if option.word not in has:
                self._add("options", option.word, ", ".join(has) or "none")
            elif option.value is not None:
                self._same(f"option {option.word}", option.value, has[option.word])
        if isinstance(line.payload, Variable):
            self._same("payload", line.payload, seen.payload)
        elif line.payload is not None and not _carries(line.payload, seen.payload):
            self._add("payload", shown(line.payload), shown(Payload(seen.payload)))

    def _add(self, what: str, wanted: str, found: str) -> None:
        self.differences.append(Difference(what, wanted, found))


def _carries(wanted: Payload, data: bytes) -> bool:
    if wanted.digest:
        return hashlib.sha256(data).hexdigest().startswith(wanted.digest)
    return data.startswith(wanted.data) if wanted.begins else data == wanted.data


def shown(payload: Payload, most: int = 64) -> str:
    """A payload as a pattern has it, cut after so many bytes."""
    from labctl.packets.pattern.words import text_of

    if payload.digest:
        return f"sha256 {payload.digest}"
    cut = "..." if payload.begins or len(payload.data) > most else ""
    return f"{text_of(payload.data[:most])}{cut}"
