"""Makes the checks of a subject, one after the other, and says what came of each."""

from __future__ import annotations

import contextlib
import datetime as dt
import secrets
import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from labctl.errors import LabError, LabTimeout
from labctl.grade.hosts import AGAIN, RESTARTED, Hosts, NotStarted, Start, opened
from labctl.grade.model import CHECKER, PROGRAM, Breaking, Check, Grade, Outcome, Subject

if TYPE_CHECKING:
    from labctl.api.link import Rule
    from labctl.engine.model import Engine

WIRE_LIMIT = 10.0  # seconds until the recorders of a busy machine have shown all that there was
LADDER = 60  # lines of a ladder that are kept
Told = Callable[[Outcome], None]


def grade(
    subject: Subject,
    start: Start,
    *,
    named: str = "",
    only: Sequence[str] = (),
    seed: str | None = None,
    engine: Engine | None = None,
    report: Callable[[str], None] = lambda text: None,
    told: Told = lambda outcome: None,
) -> Grade:
    """Runs a program and all checks of a subject, or `only` some and those that these need. `named` is what the command
    line calls the subject; the same `seed` gives the same payloads. `told` gets each outcome as it comes.

    Raises InvalidArgument (`no-such-check`), LabError where the program can't be run as it is given.
    """
    chosen = _chosen(subject, only)
    used = seed or secrets.token_hex(4)
    begun = time.monotonic()
    with opened(start, subject, engine, report) as hosts:
        run = _Run(hosts, subject, start, used, named or subject.name)
        outcomes = []
        for outcome in run.outcomes(chosen):
            outcomes.append(outcome)
            told(outcome)
        output, notes = hosts.output(), hosts.notes
    return Grade(subject, start.command, used, tuple(outcomes), output, time.monotonic() - begun, notes)


def _chosen(subject: Subject, only: Sequence[str]) -> list[Check]:
    """Those that are asked for, and what they need, in the table's order."""
    from labctl.errors import nearest

    for name in only:
        if subject.check(name) is None:
            names = [one.name for one in subject.checks]
            raise LabError(
                "no-such-check", name=name, subject=subject.name, near=nearest(name, names), has=", ".join(names)
            )
    wanted, open_ = set[str](), list(only)
    while open_:
        check = subject.check(open_.pop())
        if check is not None and check.name not in wanted:
            wanted.add(check.name)
            open_ += check.needs
    return [one for one in subject.checks if not only or one.name in wanted]


class _Run:
    def __init__(self, hosts: Hosts, subject: Subject, start: Start, seed: str, named: str) -> None:
        self._hosts, self._subject, self._start = hosts, subject, start
        self._seed, self._named = seed, named
        self._is_spent = False  # a check has failed: the next one takes the program as it begins, not as it was left
        self._gone = ""  # why the program can't be checked any more

    def outcomes(self, checks: Sequence[Check]) -> Iterator[Outcome]:
        verdicts: dict[str, str] = {}
        for check in checks:
            begun = time.monotonic()
            lacking = [name for name in check.needs if verdicts.get(name, "passed") != "passed"]
            if lacking:
                found = Outcome(check, "skipped", why=f"it needs {', '.join(lacking)}")
            elif check.act == "inside" and not self._is_there():
                found = Outcome(check, "skipped", why=self._gone)
            else:
                found = self._done(check)
                self._is_spent = found.verdict != "passed" and check.act == "inside"
            verdicts[check.name] = found.verdict
            yield replace(found, again=self._again(check), seconds=time.monotonic() - begun)

    def _again(self, check: Check) -> str:
        more = [f"--folder={self._start.folder}"] if str(self._start.folder) != "." else []
        more += [f"--image={self._start.image}"] if self._start.image else []
        more += [f"--port={self._start.port}"] if self._start.port else []
        return shlex.join(
            [
                "labctl",
                "grade",
                self._named,
                "--only",
                check.name,
                "--seed",
                self._seed,
                *more,
                "--",
                *self._start.command,
            ]
        )

    def _is_there(self) -> bool:
        """Whether there is a program to be checked: it is started again where that has to be."""
        if self._is_spent and not self._gone:
            try:
                self._hosts.start_again()
            except NotStarted as problem:
                self._gone = f"it can't be started again: {problem.actual}"
        return not self._gone

    def _done(self, check: Check) -> Outcome:
        """A program's mistake is an outcome, and so is one of ours; only a lab that is gone is an error."""
        begun = dt.datetime.now(dt.UTC)
        try:
            if check.act == "listens":
                self._hosts.begin()
                return Outcome(check, "passed")
            found = self._restarted(check) if check.act == "restart" else self._inside(check)
        except NotStarted as problem:
            found = Outcome(check, "failed", problem.expected, problem.actual, problem.help)
            return replace(found, actual=self._with_words(found, begun)) if check.act == "listens" else found
        except LabTimeout:
            found = Outcome(check, "failed", "it is done in time", f"it was not within {check.limit:g} s")
        if check.act != "restart":
            found = self._lives(found)
        if found.verdict != "failed":
            return found
        return replace(found, actual=self._with_words(found, begun), ladder=self._ladder(check, begun))

    def _with_words(self, found: Outcome, begun: dt.datetime) -> str:
        """What came instead, and what the program printed last meanwhile: often the exception's own words."""
        last = self._hosts.output(since=begun).strip().rpartition("\n")[2].strip()
        return f"{found.actual}\nit printed last: {last}" if last and last not in found.actual else found.actual

    def _inside(self, check: Check) -> Outcome:
        steps = None
        if check.steps:
            steps = {"transport": self._subject.transport, "steps": list(check.steps)}
        begun = dt.datetime.now(dt.UTC)
        with ExitStack() as stack:
            rules = [stack.enter_context(self._break(one)) for one in check.faults]
            said = self._hosts.act(check.name, f"{self._seed}/{check.name}", check.limit, steps=steps)
            idle = [rule.what for rule in rules if not sum(rule.done.values())]
        found = _judged(check, said)
        if found.verdict == "passed" and idle:
            return Outcome(check, "error", why=f"the fault {', '.join(idle)} found no packet")
        return self._wired(check, begun) if found.verdict == "passed" and check.wire else found

    def _break(self, what: Breaking) -> Rule:
        link = self._hosts.lab.link(what.link)
        if what.verb == "delay":
            return link.delay(what.match, by=what.by)
        return link.drop(what.match) if what.verb == "drop" else link.duplicate(what.match)

    def _wired(self, check: Check, begun: dt.datetime) -> Outcome:
        """What the wire showed fits the check's pattern, in which the two are called client and program."""
        from labctl.errors import PatternDiffers

        try:
            self._hosts.lab.wire(CHECKER, PROGRAM, since=begun).expect(check.wire, timeout=WIRE_LIMIT)
        except PatternDiffers as problem:
            return Outcome(check, "failed", "the wire shows the pattern", problem.message)
        return Outcome(check, "passed")

    def _restarted(self, check: Check) -> Outcome:
        """With a connection open, as a server has them when it is restarted."""
        again = self._hosts.once_more()
        if self._subject.transport == "tcp":
            held = self._hosts.act("hold", f"{self._seed}/hold", check.limit, AGAIN)
            if not held.get("passed"):
                return _judged(check, held)
        with contextlib.suppress(NotStarted):  # what follows tells it in its own words
            again()
        found = _judged(check, self._hosts.act("again", f"{self._seed}/{check.name}", check.limit, AGAIN))
        if found.verdict == "failed" and (said := self._hosts.output(RESTARTED).strip()):
            return replace(found, actual=f"{found.actual}\nit printed last: {said.splitlines()[-1]}")
        return found

    def _lives(self, found: Outcome) -> Outcome:
        """Whether the program has survived the check."""
        how = self._hosts.ended
        if not how:
            return found
        last = self._hosts.output().strip().splitlines()[-1:]
        said = f"; it printed last: {last[0]}" if last else ""
        if found.verdict == "failed":
            return replace(found, actual=f"the program {how}{said}\n{found.actual}")
        return Outcome(found.check, "failed", "the program goes on", f"the program {how}{said}")

    def _ladder(self, check: Check, begun: dt.datetime) -> str:
        """The packets of the check, as text."""
        if check.act != "inside":
            return ""
        try:
            ladders = self._hosts.lab.wire(CHECKER, PROGRAM, since=begun).ladders
        except LabError:
            return ""
        lines = [line for ladder in ladders for line in ladder.text(columns=100).splitlines()]
        cut = [f"... {len(lines) - LADDER} lines more"] if len(lines) > LADDER else []
        return "\n".join([*lines[:LADDER], *cut])


def _judged(check: Check, said: dict[str, Any]) -> Outcome:
    """What the client said, as an outcome."""
    if "error" in said:
        return Outcome(check, "error", why=f"labctl's own check failed: {said['error']}")
    if said.get("passed") is True:
        return Outcome(check, "passed")
    return Outcome(check, "failed", str(said["expected"]), str(said["actual"]), str(said.get("help") or ""))
