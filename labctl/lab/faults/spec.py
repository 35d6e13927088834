"""What a rule shall do, as data: made of the words that somebody gives, before any link or probe is looked at."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from labctl.errors import LabError, nearest
from labctl.faults import conditions, match
from labctl.faults.conditions import Conditions, Malformed
from labctl.faults.kinds import KINDS, SWITCHES, draws, kind_with
from labctl.faults.kinds.kind import Verb

VERBS: dict[str, Verb] = {name: kind.verb for name, kind in KINDS.items() if kind.verb}


@dataclass(frozen=True)
class RuleSpec:
    """`fields` as the probe takes them, `what` as it is shown. `kind` says where the rule comes from: `condition`s of a
    link, packets that were `pick`ed, a `partition`, conditions that the topology asks for (`standing`).

    `seed` of the rule's generator; None: any.
    """

    kind: str
    what: str
    fields: Mapping[str, Any] = field(hash=False)
    seed: int | None = None

    @property
    def by_chance(self) -> bool:
        """Whether its seed decides which packets it is about."""
        return self.kind == "condition" and any(map(draws, self.fields))


def parsed(given: Mapping[str, str]) -> Conditions:
    """Conditions of a link, such as {"delay": "40ms", "drop": "1%"}. Raises LabError `bad-condition`."""
    with _explained():
        return conditions.parse(given)


def of_conditions(
    given: Conditions, switches: Collection[str] = (), *, duration: str | None = None, seed: int | None = None
) -> RuleSpec:
    """A rule of conditions, with switches such as `fix_checksum`. `duration`, such as `30s`, is when it ends by itself.

    Raises LabError `bad-condition`.
    """
    if not given:
        hint = "give at least one, such as delay 100ms or drop 10%"
        raise LabError("bad-condition", why="no condition is given", mend=hint)
    for name in switches:
        kind = kind_with(name)
        if kind not in given.values:
            raise LabError("bad-condition", why=f"{SWITCHES[name].word} goes with {kind}", mend=f"give {kind} as well")
    fields = {**given.as_json(), **dict.fromkeys(switches, True), **_end(duration)}
    return RuleSpec("condition", _worded(str(given), switches), fields, seed)


def of_pick(
    verb: str,
    expression: str,
    switches: Collection[str] = (),
    *,
    by: str | None = None,
    times: int | None = None,
    duration: str | None = None,
    seed: int | None = None,
) -> RuleSpec:
    """A rule that does one thing to packets that an expression picks (docs/faults.md): to the first `times` of them, or
    where None is given to one, or to all of an expression that says `every`.

    `by` is the verb's value, such as delay's `200ms`. Raises LabError `bad-condition`.
    """
    with _explained():
        if verb not in VERBS:
            raise Malformed(
                f"packets can't be picked for {verb!r}{nearest(verb, VERBS)}", f"there are {_listed(VERBS)}"
            )
        found = match.parse(expression)
        worded = f"{verb} '{match.written(expression)}'"
        fields = dict(VERBS[verb].fields)
        value = VERBS[verb].by
        if value:
            fields[value.name] = value.measure.read("--by", by or VERBS[verb].by_usually)
    if times is None and not match.is_counted(found):
        times = 1
    if times is not None:
        worded += " once" if times == 1 else f" {times} times"
    if value:
        worded += f" by {value.measure.shown(fields[value.name])}"
    fields |= {**dict.fromkeys(switches, True), "match": found, "times": times, **_end(duration)}
    # Most leave nothing to chance.
    return RuleSpec("pick", _worded(worded, switches), fields, seed if VERBS[verb].by_chance else 0)


def of_partition(*, duration: str | None = None) -> RuleSpec:
    """Nothing gets through. Raises LabError `bad-condition`."""
    return RuleSpec("partition", "partition", {"drop": 1.0, **_end(duration)}, 0)


def _worded(what: str, switches: Collection[str]) -> str:
    return " ".join([what, *(SWITCHES[name].word for name in switches)])


def _end(duration: str | None) -> dict[str, float]:
    if duration is None:
        return {}
    with _explained():
        return {"for": conditions.span("--for", duration)}


def _listed(names: Collection[str]) -> str:
    return ", ".join(names)


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Gives a word that can't be understood as an error of labctl's."""
    try:
        yield
    except Malformed as problem:
        raise LabError("bad-condition", why=str(problem), mend=problem.hint) from None
