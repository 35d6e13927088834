"""Tries a lesson on a lab from its first step to its last: what it says must be so."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from labctl.api.lab import Lab
from labctl.lesson import judging
from labctl.lesson.acts import Output, Shell
from labctl.lesson.playing import start
from labctl.lesson.seen.evidence import Misplaced
from labctl.lesson.stepping import SETTLE, begun
from labctl.lesson.written import console
from labctl.lesson.written.model import Lesson, Step, Typed
from labctl.lesson.written.problems import Problem, Problems

SHOWN = 12  # lines of what was seen instead, at most


@dataclass(frozen=True)
class Change:
    """A block of a file that shows something else than what was seen: lines from `begin` to `end` (from 0) become
    `lines`."""

    file: Path
    begin: int
    end: int
    lines: tuple[str, ...]


@dataclass
class Validated:
    """What was found: `problems`, and the `changes` that would mend what console blocks show."""

    problems: tuple[Problem, ...]
    changes: tuple[Change, ...]


@dataclass
class _Trial:
    lesson: Lesson
    lab: Lab
    languages: tuple[str, ...]
    settle: float
    problems: Problems = field(default_factory=Problems)
    changes: list[Change] = field(default_factory=list)
    earlier: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def file(self) -> Path:
        return self.lesson.prose["en"].file

    def step(self, step: Step, shell: Shell) -> None:
        running = begun(step, self.lab, shell, self.earlier)
        if running.look()[0]:
            self.problems.add(
                self.file, step.check.place, f"step {step.id}: its check is true before anything was done"
            )
        if step.acts:
            for output in running.act(step.acts):
                self.compare(step, output)
        if step.solve != step.acts:
            running.act(step.solve)
        true, evidence, values = running.settled(self.settle)
        self.earlier[step.id] = values
        if not true:
            seen = "; ".join(f"{name} = {value!r}"[:200] for name, value in values.items())
            told = " | ".join(line for output in running.outputs if output.status for line in output.lines[:SHOWN])
            message = f"step {step.id}: its check is false after its act ({seen})"
            self.problems.add(self.file, step.check.place, f"{message}; a command failed: {told}" if told else message)
        elif step.predict is not None:
            try:
                judging.right(step.predict, self.lesson.prose["en"].sections[step.id], evidence, values)
            except judging.Undecided as problem:
                seen = "; ".join(f"{name} = {value!r}"[:200] for name, value in values.items())
                self.problems.add(self.file, step.predict.place, f"step {step.id}: {problem.message} ({seen})")

    def compare(self, step: Step, output: Output) -> None:
        """What was seen against what each language's page shows; a command that fails must be shown to."""
        shown = False
        for language in self.languages:
            prose = self.lesson.prose[language]
            for typed in prose.sections[step.id].console:
                if typed.arguments == output.typed.arguments and typed.expected is not None:
                    shown = shown or any(line.startswith("[exit ") for line in typed.expected)
                    self.against(prose.file, typed, output)
        if output.status and not shown:
            self.problems.add(self.file, output.typed.place, f"{output.typed.line}: {' | '.join(output.lines[:SHOWN])}")

    def against(self, file: Path, typed: Typed, output: Output) -> None:
        assert typed.expected is not None
        expected, seen = typed.expected, output.lines
        place = console.first_difference(expected, seen)
        if place is None:
            return
        line = typed.place._replace(line=typed.begin + 1 + min(place, max(len(expected) - 1, 0)), column=1)
        told = "\n  ".join(seen[:SHOWN]) or "nothing"
        what = (
            f"`{typed.line}` shows something else: {expected[place]!r} was not seen"
            if place < len(expected)
            else f"`{typed.line}` shows more than is written"
        )
        self.problems.add(file, line, f"{what}; it was\n  {told}")
        self.changes.append(Change(file, typed.begin, typed.end, tuple(console.generalised(seen))))


def validate(
    lesson: Lesson,
    lab: Lab,
    languages: Iterable[str],
    report: Callable[[str], None] = lambda text: None,
    *,
    settle: float = SETTLE,
) -> Validated:
    """Each check must be false before its act and true within `settle` seconds after it, one choice right, and what is
    seen as it is written. Raises LabError where the lab can't be used."""
    trial = _Trial(lesson, lab, tuple(language for language in languages if language in lesson.prose), settle)
    shell = Shell(lesson.folder, lab.name)
    start(lesson, shell)
    for step in lesson.steps:
        report(f"{lesson.name}: {step.id}")
        try:
            trial.step(step, shell)
        except Misplaced as problem:
            trial.problems.add(trial.file, problem.place, problem.message)
    return Validated(tuple(trial.problems.found), tuple(trial.changes))


def update(changes: Iterable[Change]) -> tuple[Path, ...]:
    """Writes console blocks anew from what was seen; the files that were changed. Raises OSError."""
    by_file: dict[Path, list[Change]] = {}
    for change in changes:
        by_file.setdefault(change.file, []).append(change)
    for file, found in by_file.items():
        lines = file.read_text(encoding="utf-8").split("\n")
        for change in sorted(found, key=lambda one: one.begin, reverse=True):
            lines[change.begin : change.end] = change.lines
        file.write_text("\n".join(lines), encoding="utf-8")
    return tuple(by_file)
