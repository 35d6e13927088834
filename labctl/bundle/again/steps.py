"""What is to be done again of a run: lines that were typed and rules that were set or taken back, by their causes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from labctl.bundle.inputs import INPUT, Marks
from labctl.bundle.model import Input, Mark, Run
from labctl.events.model import Event
from labctl.faults.kinds import SWITCHES
from labctl.lab.faults import spec
from labctl.lab.faults.spec import RuleSpec

STANDING = "standing"  # the topology's own rules, which come with it
_PICK = re.compile(
    r"(?P<verb>[a-z]+) '(?P<match>.*)'(?: (?:(?P<once>once)|(?P<times>\d{1,9}) times))?(?: by (?P<by>\S+))?"
    r"(?P<switches>(?: [a-z-]+)*)",
    re.DOTALL,
)


@dataclass(frozen=True)
class Typing:
    """A line to type. `because`: why it can't be, as a sentence's end; empty: it can."""

    input: Input
    because: str = ""

    @property
    def followed(self) -> tuple[Mark, ...]:
        return self.input.followed


@dataclass(frozen=True)
class Breaking:
    """A rule to put in force on links (`alice:bob`), or with `ends` to take back."""

    id: str
    links: tuple[str, ...]
    what: str
    kind: str
    seed: int
    followed: tuple[Mark, ...]
    ends: bool = False


Step = Typing | Breaking


def steps_of(run: Run) -> list[Step]:
    """In the order in which they were done."""
    inputs = iter(run.inputs)
    trains = {event.id for event in run.events if event.name == "train"}
    # A rule on a link both ways, or on all traffic of a node, is told of once for each way.
    links: dict[tuple[str, str], list[str]] = {}
    for event in run.events:
        if event.name == "rule" and event.get("kind") != STANDING:
            links.setdefault(_key(event), []).append(str(event.get("link")))
    out: list[Step] = []
    marks, last, done = Marks(), dict[str, Mark](), set[tuple[str, str]]()
    for event in run.events:
        if event.name == INPUT and (one := next(inputs, None)) is not None:
            out.append(Typing(one, _because(one, event, trains)))
        elif event.name == "rule" and _key(event) in links and _key(event) not in done:
            done.add(_key(event))
            if step := _breaking(event, tuple(dict.fromkeys(links[_key(event)])), tuple(last.values())):
                out.append(step)
        if found := marks.of(event):
            last[found.node] = found
    return out


def _key(event: Event) -> tuple[str, str]:
    return str(event.get("rule")), str(event.get("state"))


def _because(one: Input, event: Event, trains: set[str | None]) -> str:
    if one.text is None:
        return "its text was not saved"
    if event.id and event.id in trains:
        return "it was a train of datagrams, which a replay doesn't send"
    return "it has a newline" if "\n" in one.text else ""


def _breaking(event: Event, links: tuple[str, ...], followed: tuple[Mark, ...]) -> Breaking | None:
    ident, state = _key(event)
    if state == "ended":
        # What ended with its node, or with the lab, nobody took back.
        over = event.get("reason") in ("cleared", "its time is over")
        return Breaking(ident, links, "", "", 0, followed, ends=True) if over else None
    seed = event.get("seed")
    what, kind = str(event.get("what")), str(event.get("kind"))
    return Breaking(ident, links, what, kind, seed if isinstance(seed, int) else 0, followed)


def spec_of(step: Breaking) -> RuleSpec:
    """A rule as it was asked for, from the words that tell of it. Raises LabError `bad-condition`."""
    if step.kind == "partition":
        return spec.of_partition()
    found = _PICK.fullmatch(step.what)
    if step.kind == "pick" and found:
        times = 1 if found["once"] else int(found["times"]) if found["times"] else None
        return spec.of_pick(
            found["verb"],
            found["match"],
            list(_switches(found["switches"])),
            by=found["by"],
            times=times,
            seed=step.seed,
        )
    words = step.what.split()
    switches = list(_switches(step.what))
    named = [SWITCHES[name].word for name in switches]
    pairs = [word for word in words if word not in named]
    return spec.of_conditions(spec.parsed(dict(zip(pairs[::2], pairs[1::2], strict=False))), switches, seed=step.seed)


def _switches(words: str) -> Iterator[str]:
    yield from (name for name, switch in SWITCHES.items() if switch.word in words.split())
