"""Which of several packets that look alike arrived when: sendings and arrivals in order of time to pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sending:
    """When a packet was sent (ns), and what a fault says that it did to it: nothing, or all of these."""

    at: int
    dropped: bool = False
    delayed: bool = False
    reordered: bool = False
    duplicated: bool = False


def paired(
    sendings: Sequence[Sending], arrivals: Sequence[int], latency: int, slack: int, flight: int
) -> list[list[int]]:
    """For each sending the positions of its arrivals, first to last. Both come in order of time; linear.

    `latency` is what a packet usually takes. What can't be told from looks alone is decided by the verdicts, and then
    by nearness: an undisturbed packet has the arrival next to when it was due; a disturbed one has what is left over.
    What comes more than `flight` after the first is no copy, unless a fault says that it made one: it is left out.
    """
    out: list[list[int]] = [[] for _ in sendings]
    free = [True] * len(arrivals)
    if len(sendings) == 1:
        _in_turn(sendings, arrivals, [0], slack, out, free)
        _copies(sendings, arrivals, slack, flight, out, free)
        return out
    plain = [n for n, one in enumerate(sendings) if not (one.dropped or one.delayed or one.reordered)]
    _punctual(sendings, arrivals, plain, latency, slack, out, free)
    for chosen in (
        # What is held back least first: it would else get the arrival of something that was held back long.
        [n for n, one in enumerate(sendings) if one.reordered],
        [n for n, one in enumerate(sendings) if one.duplicated],
        [n for n, one in enumerate(sendings) if one.delayed and not out[n]],
        [n for n in plain if not out[n]],
        [n for n, one in enumerate(sendings) if one.dropped],
    ):
        _in_turn(sendings, arrivals, chosen, slack, out, free)
    _copies(sendings, arrivals, slack, flight, out, free)
    return [sorted(places) for places in out]


def _punctual(
    sendings: Sequence[Sending],
    arrivals: Sequence[int],
    plain: list[int],
    latency: int,
    slack: int,
    out: list[list[int]],
    free: list[bool],
) -> None:
    """Gives each undisturbed sending the arrival nearest to when it was due."""
    place = 0
    for turn, number in enumerate(plain):
        due = sendings[number].at + latency
        while place < len(arrivals) and arrivals[place] < sendings[number].at - slack:
            place += 1
        needed = len(plain) - turn
        while (
            len(arrivals) - place > needed
            and place + 1 < len(arrivals)
            and abs(arrivals[place + 1] - due) < abs(arrivals[place] - due)
        ):
            place += 1
        if place >= len(arrivals):
            return
        if turn + 1 < len(plain) and len(arrivals) - place < needed:
            after = sendings[plain[turn + 1]].at + latency
            if arrivals[place] >= sendings[plain[turn + 1]].at - slack and abs(arrivals[place] - after) < abs(
                arrivals[place] - due
            ):
                continue  # it suits the next one better: this one is lost
        out[number].append(place)
        free[place] = False
        place += 1


def _in_turn(
    sendings: Sequence[Sending],
    arrivals: Sequence[int],
    chosen: list[int],
    slack: int,
    out: list[list[int]],
    free: list[bool],
) -> None:
    """Gives each of the chosen the first free arrival that comes after it."""
    place = 0
    for number in chosen:
        while place < len(arrivals) and (not free[place] or arrivals[place] < sendings[number].at - slack):
            place += 1
        if place == len(arrivals):
            return
        out[number].append(place)
        free[place] = False


def _copies(
    sendings: Sequence[Sending],
    arrivals: Sequence[int],
    slack: int,
    flight: int,
    out: list[list[int]],
    free: list[bool],
) -> None:
    """Gives what is left over to the last sending before it that has arrived at all, and of which it may be a copy."""
    first = [arrivals[min(places)] if places else 0 for places in out]
    number, last = 0, -1
    for place, at in enumerate(arrivals):
        while number < len(sendings) and sendings[number].at - slack <= at:
            last = number if out[number] else last
            number += 1
        if free[place] and last >= 0 and (sendings[last].duplicated or at - first[last] <= flight):
            out[last].append(place)
            free[place] = False
