"""What is checked, and what came of it: check50's model, without check50."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

PROGRAM, CHECKER = "program", "checker"  # names of hosts
Verdict = Literal["passed", "failed", "skipped", "error"]
Transport = Literal["tcp", "udp"]


@dataclass(frozen=True)
class Breaking:
    """A fault on the way between the checking client and the program while a check runs; it has to touch a packet.
    `link` is in labctl's words: `checker:program` what the client sends, `checker-program` both ways."""

    verb: Literal["drop", "duplicate", "delay"]
    match: str
    by: str = "300ms"
    link: str = f"{CHECKER}:{PROGRAM}"


@dataclass(frozen=True)
class Check:
    """One thing that is looked at. `what` is wanted; `needs` are the checks without which this one says nothing.

    `act`: done `inside` by a client beside the program, or by a `restart` of it, or it is what its kernel says of where
    it `listens`. `limit` is in seconds, for all of it. `steps`, of somebody's own protocol, are for the client.
    """

    name: str
    what: str
    points: int = 1
    needs: tuple[str, ...] = ("listens",)
    act: Literal["inside", "restart", "listens"] = "inside"
    faults: tuple[Breaking, ...] = ()
    limit: float = 60.0
    steps: tuple[dict[str, Any], ...] = ()
    wire: str = ""


@dataclass(frozen=True)
class Subject:
    """A kind of program: its checks in the order in which they are made, each after those that it needs.

    `module` is the client's file in `inside`. `port`: where the program has to listen; 0: wherever it does.
    """

    name: str
    title: str
    transport: Transport
    checks: tuple[Check, ...]
    module: str
    port: int = 0

    def check(self, name: str) -> Check | None:
        return next((one for one in self.checks if one.name == name), None)


@dataclass(frozen=True)
class Outcome:
    """What came of a check. `ladder` is the step's packets as text, where it failed; `again` the command that repeats
    just this one; `seconds` how long it took. `why` says what a skipped one lacks, or what went wrong in labctl."""

    check: Check
    verdict: Verdict
    expected: str = ""
    actual: str = ""
    help: str = ""
    why: str = ""
    ladder: str = ""
    again: str = ""
    seconds: float = 0.0

    @property
    def score(self) -> int:
        return self.check.points if self.verdict == "passed" else 0


@dataclass(frozen=True)
class Grade:
    """All of a program's outcomes. `output` is what it printed, its end, safe to show; `command` as it was given."""

    subject: Subject
    command: tuple[str, ...]
    seed: str
    outcomes: tuple[Outcome, ...]
    output: str = ""
    seconds: float = 0.0
    notes: tuple[str, ...] = field(default=())

    @property
    def score(self) -> int:
        return sum(one.score for one in self.outcomes)

    @property
    def most(self) -> int:
        return sum(one.check.points for one in self.outcomes)

    @property
    def passed(self) -> bool:
        return all(one.verdict == "passed" for one in self.outcomes)

    def count(self, verdict: Verdict) -> int:
        return sum(one.verdict == verdict for one in self.outcomes)
