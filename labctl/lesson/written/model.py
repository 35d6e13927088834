"""A lesson as data: its steps, and its prose in each language."""

from __future__ import annotations

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path

from labctl.topology.check.problems import Place

LANGUAGES = ("en", "zh")
EMPTY = "empty"  # a topology without nodes, for programs alone


@dataclass(frozen=True)
class Expression:
    """An expression over the evidence; `place` is where it begins in the file."""

    text: str
    tree: ast.expr = field(repr=False)
    place: Place


@dataclass(frozen=True)
class Typed:
    """A command line of a console block: what is typed, and what is expected to be seen.

    `line` is as it is typed, `arguments` those after `labctl`. `expected` are lines with patterns (labctl/lesson/
    console.py); None where nothing is said of it. `place` is the line of the `$`; what is expected stands in the
    file's lines from `begin` to `end`, counted from 0.
    """

    line: str
    arguments: tuple[str, ...]
    place: Place
    expected: tuple[str, ...] | None = None
    begin: int = 0
    end: int = 0


@dataclass(frozen=True)
class Choice:
    """`when`: true over the evidence if this is the right one."""

    key: str
    when: Expression


@dataclass(frozen=True)
class Predict:
    """What is asked before the act: one of some choices, a number, or the fields of a packet one by one.

    `within` is how far from the number an answer may be, absolute or as a share of it.
    """

    place: Place
    choices: tuple[Choice, ...] = ()
    number: Expression | None = None
    within: float = 0.0
    share: float = 0.0
    blanks: tuple[Expression, ...] = ()


@dataclass(frozen=True)
class Shown:
    """A line of `show`: `ladder alice bob`."""

    kind: str
    names: tuple[str, ...]
    place: Place


@dataclass(frozen=True)
class Step:
    """`acts`: the commands of the act, none where the learner does it; `solve`: those that do what the step asks for.
    `packets` and `calls` are the nodes where these are recorded for it, `counters` those whose counters it reads."""

    id: str
    place: Place
    predict: Predict | None
    evidence: Mapping[str, Expression]
    show: tuple[Shown, ...]
    check: Expression
    acts: tuple[Typed, ...]
    solve: tuple[Typed, ...]
    packets: frozenset[str] = frozenset()
    calls: frozenset[str] = frozenset()
    counters: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Section:
    """A step's prose: Markdown before and after its act, and what its question says; `unit` is told with a number."""

    title: str
    before: str
    after: str
    console: tuple[Typed, ...]
    ask: str = ""
    choices: Mapping[str, str] = field(default_factory=dict)
    blanks: tuple[str, ...] = ()
    hint: str = ""
    unit: str = ""


@dataclass(frozen=True)
class Prose:
    """A lesson in one language."""

    language: str
    file: Path
    title: str
    introduction: str
    sections: Mapping[str, Section]


@dataclass(frozen=True)
class Lesson:
    """`topology` is a built-in one's name or a Compose file; `functions` are rows of the table of socket functions that
    it uses and shows by name, `claims` what it shows to be true."""

    name: str
    folder: Path
    topology: str
    minutes: int
    needs: tuple[str, ...]
    functions: tuple[str, ...]
    claims: tuple[str, ...]
    start: tuple[Typed, ...]
    steps: tuple[Step, ...]
    prose: Mapping[str, Prose]

    @property
    def records_packets(self) -> bool:
        return any(step.packets for step in self.steps)

    @property
    def programs(self) -> frozenset[str]:
        """The hosts that it makes by `labctl run --name HOST`."""
        lines = [*self.start, *(typed for step in self.steps for typed in (*step.acts, *step.solve))]
        found = [line.arguments for line in lines if line.arguments[:1] == ("run",)]
        return frozenset(name for words in found if (name := _name_in(words)))

    def step(self, id: str) -> Step | None:
        return next((step for step in self.steps if step.id == id), None)


def _name_in(words: Sequence[str]) -> str:
    """What the option --name says, before the program's own words; "" where it isn't there."""
    options = list(takewhile(lambda word: word != "--", words))
    for word, after in zip(options, [*options[1:], ""], strict=True):
        name, given, value = word.partition("=")
        if name == "--name":
            return value if given else after
    return ""
