"""Commands for lessons: lesson ls, run, check, solve, validate."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from labctl.cli import output
from labctl.cli.options import Json
from labctl.errors import LabError, LessonInvalid, brief

if TYPE_CHECKING:
    from labctl.api.lab import Lab
    from labctl.engine.model import Engine
    from labctl.lesson.acts import Output
    from labctl.lesson.playing import Played
    from labctl.lesson.progress import Store
    from labctl.lesson.written.model import Lesson
    from labctl.lesson.written.problems import Problem

TUTORIAL = "LABCTL_TUTORIAL_LANG"  # the language of the programs of the topology `tutorial`; Chinese without it
COLUMNS = (40, 80, 100)  # at least, without a terminal, at most

lesson = typer.Typer(no_args_is_help=True, help="Play a lesson: predict, do it, and see who was right.")


def complete_lessons(incomplete: str) -> list[str]:
    from labctl.lesson import finding

    return [name for name in finding.names() if name.startswith(incomplete)]


Name = Annotated[str, typer.Argument(metavar="NAME", help="A lesson, or its file.", autocompletion=complete_lessons)]
StepName = Annotated[str | None, typer.Argument(metavar="[STEP]", help="Another step than the one you are at.")]
Language = Annotated[str | None, typer.Option("--lang", metavar="en|zh", help="The language; else as LANG says.")]
InLab = Annotated[
    str | None, typer.Option("--lab", metavar="LAB", help="A lab that is there, instead of the lesson's own.")
]


@lesson.command("ls")
def list_lessons(lang: Language = None, as_json: Json = False) -> None:
    """The lessons, in their order: how long each takes, and how far you are."""
    from labctl.lesson import finding

    store = _store()
    rows = []
    for found in finding.every():
        language = _language(lang, found)
        done = len(store.read(found.name).done)
        rows.append((found, found.prose[language].title, f"{done} of {len(found.steps)}"))
    if as_json:
        output.document(
            {"lessons": [{**_described(found), "title": title, "done": done} for found, title, done in rows]}
        )
        return
    from labctl.render.cells import laid_out

    table = [(found.name, f"{found.minutes} min", done, title) for found, title, done in rows]
    output.data(laid_out(("LESSON", "TIME", "DONE", "TITLE"), table, output.columns(), output.colour()))


@lesson.command("run")
def run_lesson(
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Ask nothing: do everything, and show it.")] = False,
    begin: Annotated[str | None, typer.Option("--from", metavar="STEP", help="Begin at this step.")] = None,
    lang: Language = None,
    lab: InLab = None,
) -> None:
    """Play a lesson; its lab is brought up where it isn't there."""
    from labctl.lesson import grounds, playing

    found = _find(name)
    language = _language(lang, found)
    if begin is not None and found.step(begin) is None:
        known = ", ".join(step.id for step in found.steps)
        raise LabError("lesson-step", name=found.name, why=f"it has no step {brief(begin)}", known=known)
    if language == "en":
        os.environ.setdefault(TUTORIAL, "en_US.UTF-8")
    with output.Progress(found.prose[language].title) as report:
        place = grounds.ready(found, name=lab, engine=_engine(), report=report)
    try:
        player = playing.Player(found, place, language, _Terminal(), _store(), questions=not yes)
        played = player.play(begin)
    finally:
        grounds.put_in_order(place, found)
    _farewell(found, place, language, played)


def _farewell(found: Lesson, lab: Lab, language: str, played: Played) -> None:
    from labctl.lesson.prose import broken
    from labctl.lesson.words import said

    for line in broken(said(language, "lab", lab=lab.name), _Terminal().columns):
        output.talk(line)
    if played.failed:
        raise typer.Exit(1)


@lesson.command("check")
def check_lesson(name: Name, step: StepName = None, lang: Language = None) -> None:
    """Look whether the step that you are at is done; exit status 1 if it isn't."""
    from labctl.lesson.playing import at, checked
    from labctl.lesson.words import said

    found = _find(name)
    language = _language(lang, found)
    progress = _store().read(found.name)
    at(found, progress, step)  # before a lab is looked for
    asked, done = checked(found, _lab(progress.lab, found), progress, step)
    output.data(f"{asked.id}: {said(language, 'done' if done else 'not-done')}")
    if not done:
        hint = found.prose[language].sections[asked.id].hint
        if hint:
            output.talk(said(language, "hint", hint=hint))
        raise typer.Exit(1)


@lesson.command("solve")
def solve_lesson(name: Name, step: StepName = None) -> None:
    """Do what the step that you are at asks for."""
    from labctl.lesson.playing import at, solved

    found = _find(name)
    progress = _store().read(found.name)
    at(found, progress, step)
    solved(found, _lab(progress.lab, found), progress, step, _show)


@lesson.command("validate")
def validate_lesson(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NAME]...", help="Lessons, or files; else all.", autocompletion=complete_lessons),
    ] = None,
    lang: Language = None,
    update: Annotated[
        bool, typer.Option("--update", help="Write what console blocks show anew from this run.")
    ] = False,
    read_only: Annotated[bool, typer.Option("--read", help="Read the files alone, without a lab.")] = False,
    lab: InLab = None,
    as_json: Json = False,
) -> None:
    """Try lessons from end to end: each check false before its act and true after it, each block as it is written."""
    from labctl.lesson import finding
    from labctl.lesson.written.model import LANGUAGES

    if lang is not None and lang not in LANGUAGES:
        raise typer.BadParameter(f"{lang}: there are {', '.join(LANGUAGES)}", param_hint="--lang")
    problems: list[Problem] = []
    for name in names or finding.names():
        try:
            found = finding.find(name, parity=True)
        except LessonInvalid as invalid:
            problems += invalid.values["found"]
            continue
        if not read_only:
            problems += _tried(found, [lang] if lang else list(LANGUAGES), lab, update)
    if as_json:
        output.document({"problems": [problem.as_json() for problem in problems]})
    else:
        for problem in problems:
            output.data(str(problem))
    if problems:
        raise typer.Exit(1)


def _tried(found: Lesson, languages: list[str], lab: str | None, update: bool) -> tuple[Problem, ...]:
    from labctl.lesson import grounds, validating
    from labctl.lesson.validating import validate

    with output.Progress(f"validating {found.name}") as report:
        place = grounds.ready(found, name=lab, engine=_engine(), report=report)
        try:
            tried = validate(found, place, languages, report)
        finally:
            grounds.put_in_order(place, found)
    if not (update and tried.changes):
        return tried.problems
    try:
        for file in validating.update(tried.changes):
            output.talk(f"{file} was written anew")
    except OSError as problem:
        raise LabError("file-unwritable", file=problem.filename, why=problem.strerror) from None
    return tuple(problem for problem in tried.problems if "shows something else" not in problem.message)


class _Terminal:
    """The learner at this terminal."""

    def __init__(self) -> None:
        least, usual, most = COLUMNS
        self.columns = max(least, min(output.columns() or usual, most))
        self.colour = output.colour()

    def say(self, text: str) -> None:
        output.data(text)

    def ask(self, question: str) -> str:
        from labctl.lesson.playing import Left

        output.write(question)
        line = sys.stdin.readline()
        if not line:  # the end of input: nobody is there to answer
            output.write("\n")
            raise Left
        return line.rstrip("\n")


def _show(done: Output) -> None:
    output.data("\n".join([f"$ {done.typed.line}", *done.lines]))


def _find(name: str) -> Lesson:
    from labctl.lesson import finding

    return finding.find(name)


def _language(asked: str | None, found: Lesson) -> str:
    """--lang, else what the locale's variables say (environ(7)), else English. Raises LabError `lesson-language`."""
    if asked is not None and asked not in found.prose:
        known = ", ".join(found.prose)
        raise LabError("lesson-language", name=found.name, language=asked, known=known)
    said = next(filter(None, map(os.environ.get, ("LC_ALL", "LC_MESSAGES", "LANG"))), "")
    wanted = asked or said[:2]
    return wanted if wanted in found.prose else "en"


def _described(found: Lesson) -> dict[str, object]:
    return {
        "name": found.name,
        "topology": found.topology,
        "minutes": found.minutes,
        "needs": list(found.needs),
        "functions": list(found.functions),
        "claims": list(found.claims),
        "steps": [step.id for step in found.steps],
        "languages": list(found.prose),
    }


def _engine() -> Engine:
    from labctl.engine import connect_all

    return connect_all()


def _lab(name: str, found: Lesson) -> Lab:
    from labctl.api.labs import find
    from labctl.lesson.grounds import lab_name

    return find(name or lab_name(found))


def _store() -> Store:
    from labctl.lesson.progress import Store, own_folder

    return Store(own_folder())
