"""Plays a lesson: asks, does, shows, judges."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

from labctl.api.lab import Lab
from labctl.errors import LabError
from labctl.lesson import judging
from labctl.lesson.acts import Output, Shell
from labctl.lesson.progress import Progress, Store
from labctl.lesson.prose import broken, rendered, typed_lines
from labctl.lesson.seen.evidence import Misplaced
from labctl.lesson.seen.showing import Screen, shown
from labctl.lesson.stepping import Running, begun
from labctl.lesson.words import said
from labctl.lesson.written.model import Lesson, Prose, Section, Step
from labctl.render.text import BOLD, DIM, RED, folded, paint

GREEN = 32  # SGR (ECMA-48, 8.3.117)
LEAVE = ("q", "quit")


class Left(Exception):
    """The learner leaves."""


class Talk(Protocol):
    """The learner: `say` shows lines, `ask` shows a question and gives the answer, or raises Left."""

    columns: int
    colour: bool

    def say(self, text: str) -> None: ...

    def ask(self, question: str) -> str: ...


@dataclass(frozen=True)
class Played:
    """`asked` predictions, of which `right` were; `failed` are the steps whose act did not come to its evidence."""

    asked: int
    right: int
    failed: tuple[str, ...]
    left_at: str = ""


@dataclass
class Player:
    """`questions` False: nothing is asked, and every act is done."""

    lesson: Lesson
    lab: Lab
    language: str
    talk: Talk
    store: Store
    questions: bool = True
    _earlier: dict[str, dict[str, Any]] = field(default_factory=dict)
    _asked: int = 0
    _right: list[str] = field(default_factory=list)
    _failed: list[str] = field(default_factory=list)
    _done: list[str] = field(default_factory=list)

    @property
    def _prose(self) -> Prose:
        return self.lesson.prose[self.language]

    def play(self, begin: str | None = None) -> Played:
        """From the first step, or the named one on. Raises LabError."""
        shell = Shell(self.lesson.folder, self.lab.name)
        skipped = begin is not None
        start(self.lesson, shell)
        self._head()
        for number, step in enumerate(self.lesson.steps, 1):
            skipped = skipped and step.id != begin
            try:
                if skipped:
                    self._skip(step, shell)
                else:
                    self._step(number, step, shell)
            except Left:
                return self._played(step.id)
            except Misplaced as problem:
                raise misplaced(self.lesson, problem) from None
        self._end()
        return self._played()

    def _played(self, left_at: str = "") -> Played:
        if left_at:
            self._told("left", step=left_at, name=self.lesson.name)
        return Played(self._asked, len(self._right), tuple(self._failed), left_at)

    def _head(self) -> None:
        minutes = said(self.language, "minutes", minutes=self.lesson.minutes)
        self._say(paint(f"{self._prose.title} ({minutes})", BOLD, self.talk.colour))
        self._prose_of(self._prose.introduction)
        if self.questions:
            self._say("")
            self._told("around", DIM, lab=self.lab.name)

    def _skip(self, step: Step, shell: Shell) -> None:
        """An earlier step's act is done all the same: later ones may stand on it."""
        running = begun(step, self.lab, shell, self._earlier)
        running.act(step.solve)
        self._earlier[step.id] = running.settled()[2]

    def _step(self, number: int, step: Step, shell: Shell) -> None:
        section = self._prose.sections[step.id]
        place = said(self.language, "step", number=number, of=len(self.lesson.steps))
        self._say("")
        self._say(paint(f"{section.title}", BOLD, self.talk.colour) + paint(f"  {place}", DIM, self.talk.colour))
        if section.before:
            self._say("")
            self._prose_of(section.before)
        given = self._predicted(step, section)
        if step.predict is None:
            self._say("")
        running = begun(step, self.lab, shell, self._earlier)
        self._note(step, running)
        if step.acts:
            self._go("act")
            running.act(step.acts, self._output)
        else:
            self._theirs(step, section, running)
        true, evidence, values = running.settled()
        self._earlier[step.id] = values
        filling = bool(step.predict and step.predict.blanks)
        if not filling or not true:  # what is to be filled in is shown afterwards
            self._shown(step, evidence, values)
        if not true:
            self._failed.append(step.id)
            self._told("failed", RED, check=step.check.text)
        else:
            self._judge(step, section, evidence, values, given)
            self._done.append(step.id)
            if filling:
                self._shown(step, evidence, values, last=not section.after)
        if section.after:
            if not (true and filling):
                self._say("")
            self._prose_of(section.after)
        if number < len(self.lesson.steps):
            self._go("go")

    def _predicted(self, step: Step, section: Section) -> str | None:
        """What the learner foresees; None where nothing is asked (or, of fields, only after the act)."""
        predict = step.predict
        if predict is None:
            return None
        self._say("")
        self._prose_of(section.ask)
        for key, text in zip("abcdefghij", section.choices.values(), strict=False):
            self._listed(f"{key})", text)
        self._say("")
        if not self.questions or predict.blanks:
            return None
        if predict.choices:
            keys = dict(zip("abcdefghij", section.choices, strict=False))
            while (found := self._answer("which", section).lower().rstrip(")")) not in keys:
                self._told("no-such", keys=", ".join(keys))
            return keys[found]
        unit = said(self.language, "unit", unit=section.unit) if section.unit else ""
        while judging.number_of(found := self._answer("number", section, unit=unit)) is None:
            self._told("no-number")
        return found

    def _answer(self, key: str, section: Section, **values: object) -> str:
        """What is answered to a question, beyond asking for a hint. Raises Left."""
        while True:
            found = self.talk.ask(said(self.language, key, ways=self._ways(section), **values)).strip()
            if found.lower() in LEAVE:
                raise Left
            if found.lower() != "h" or not section.hint:
                return found
            self._told("hint", hint=section.hint)

    def _ways(self, section: Section) -> str:
        return said(self.language, "ways-hint" if section.hint else "ways")

    def _judge(self, step: Step, section: Section, evidence: Any, values: dict[str, Any], given: str | None) -> None:
        if step.predict is None:
            self._say(paint(said(self.language, "done"), GREEN, self.talk.colour))
            return
        try:
            answer = judging.right(step.predict, section, evidence, values)
        except judging.Undecided as problem:
            raise undecided(self.lesson, step, problem) from None
        if step.predict.blanks and self.questions:
            self._fill(step, section, answer)
            return
        if step.predict.blanks:
            self._told("were")
            for name, value in zip(section.blanks, answer.values, strict=True):
                self._listed("-", f"{name} = {judging.shown(value)}")
            return
        if given is None:
            self._told("was", answer=answer.text)
            return
        self._asked += 1
        if judging.is_right(step.predict, answer, given):
            self._right.append(step.id)
            self._told("right-so", GREEN, answer=answer.text)
        else:
            self._told("wrong", RED, answer=answer.text)

    def _fill(self, step: Step, section: Section, answer: judging.Answer) -> None:
        """Each field of the learner's own packet, one by one. Raises Left."""
        self._told("blanks", ways=self._ways(section))
        every = True
        for name, value in zip(section.blanks, answer.values, strict=True):
            given = self._answer("blank", section, name=name)
            good = judging.fills(value, given)
            every = every and good
            told = judging.shown(value)
            text = said(self.language, "right") if good else said(self.language, "wrong", answer=told)
            self._say(paint(text, GREEN if good else RED, self.talk.colour))
        self._asked += 1
        if every:
            self._right.append(step.id)

    def _theirs(self, step: Step, section: Section, running: Running) -> None:
        """The learner does it: in another terminal, or by `s` here."""
        if self.questions:
            self._told("yours")
        while self.questions:
            found = self.talk.ask(said(self.language, "look")).strip().lower()
            if found in LEAVE:
                raise Left
            if found == "h":
                self._told("hint" if section.hint else "no-hint", hint=section.hint)
            elif found == "s":
                break
            elif running.look()[0]:
                return
            else:
                self._say(said(self.language, "not-done"))
        running.act(step.solve, self._output)

    def _go(self, key: str) -> None:
        if self.questions and self.talk.ask(said(self.language, key)).strip().lower() in LEAVE:
            raise Left

    def _output(self, output: Output) -> None:
        """Longer lines than a terminal has are cut between words: it would cut them anywhere."""
        for line in typed_lines(output.typed.line, self.talk.columns):
            self._say(line)
        for line in output.lines:
            for part in folded(line, self.talk.columns):
                self._say(part)

    def _shown(self, step: Step, evidence: Any, values: dict[str, Any], *, last: bool = False) -> None:
        """`last`: nothing of the step comes after it."""
        screen = Screen(self.talk.columns, self.talk.colour, self.language)
        parts = [text for one in step.show if (text := shown(one, evidence, values, screen))]
        if parts:
            self._say("")
            self._say(paint(said(self.language, "seen"), DIM, self.talk.colour))
        for number, text in enumerate(parts):
            self._say(text if number == 0 else f"\n{text}")
        if not last:
            self._say("")

    def _end(self) -> None:
        title = self._prose.title
        self._say("")
        if self._asked:
            self._told("end", title=title, right=len(self._right), asked=self._asked)
        else:
            self._told("end-alone", title=title)
        self.store.write(self.lesson.name, Progress("", 0, self.lab.name, tuple(self._done), tuple(self._right)))

    def _note(self, step: Step, running: Running) -> None:
        """So that `check` and `solve` of another terminal know where the learner is."""
        counted = {node: dict(found) for node, found in running.counted.items()}
        self.store.write(
            self.lesson.name,
            Progress(step.id, running.began, self.lab.name, tuple(self._done), tuple(self._right), counted),
        )

    def _say(self, text: str) -> None:
        self.talk.say(text)

    def _told(self, key: str, code: int = 0, /, **values: object) -> None:
        """The player's own words, in lines that fit."""
        for line in broken(said(self.language, key, **values), self.talk.columns):
            self._say(paint(line, code, self.talk.colour and bool(code)))

    def _prose_of(self, markdown: str) -> None:
        text = rendered(markdown, columns=self.talk.columns, colour=self.talk.colour)
        if text:
            self._say(text)

    def _listed(self, mark: str, text: str) -> None:
        lines = rendered(text, columns=self.talk.columns - len(mark) - 3, colour=self.talk.colour).split("\n")
        self._say(f"  {mark} {lines[0]}")
        for line in lines[1:]:
            self._say(f"  {' ' * len(mark)} {line}")


def start(lesson: Lesson, shell: Shell) -> None:
    """What the lesson needs before its first step. Raises LabError `lesson-start`."""
    for typed in lesson.start:
        output = shell.run(typed)
        if output.status:
            raise LabError("lesson-start", line=typed.line, why=output.text.strip() or f"exit status {output.status}")


def misplaced(lesson: Lesson, problem: Misplaced) -> LabError:
    """A mistake in an expression, as an error with its place."""
    from labctl.lesson.written.problems import Problem, invalid

    file = str(lesson.prose["en"].file)
    return invalid(lesson.name, [Problem(file, problem.place, problem.message)])


def undecided(lesson: Lesson, step: Step, problem: judging.Undecided) -> LabError:
    from labctl.lesson.written.problems import Problem, invalid

    assert step.predict is not None
    file = str(lesson.prose["en"].file)
    return invalid(lesson.name, [Problem(file, step.predict.place, f"step {step.id}: {problem.message}")])


def checked(lesson: Lesson, lab: Lab, progress: Progress, id: str | None) -> tuple[Step, bool]:
    """Whether the step where the learner is (or another one) is done, by the evidence since it began. Raises LabError
    `lesson-step` where there is no such step, or none has begun."""
    step = at(lesson, progress, id)
    shell = Shell(lesson.folder, lab.name)
    running = Running(step, lab, shell, progress.began, progress.counted)
    try:
        return step, running.look()[0]
    except Misplaced as problem:
        raise misplaced(lesson, problem) from None


def solved(lesson: Lesson, lab: Lab, progress: Progress, id: str | None, seen: Callable[[Output], None]) -> Step:
    """Does what the step asks for. Raises LabError `lesson-step`."""
    step = at(lesson, progress, id)
    Shell(lesson.folder, lab.name).run_all(step.solve, seen)
    return step


def at(lesson: Lesson, progress: Progress, id: str | None) -> Step:
    """The step where the learner is, or the named one. Raises LabError `lesson-step`."""
    wanted = id or progress.step
    step = lesson.step(wanted) if wanted else None
    if step is None:
        known = ", ".join(one.id for one in lesson.steps)
        why = f"it has no step {wanted}" if wanted else "no step of it has begun"
        raise LabError("lesson-step", name=lesson.name, why=why, known=known)
    return step
