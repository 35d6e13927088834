"""A lesson's prose in another language, and whether it says the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from labctl.lesson.written import pages
from labctl.lesson.written.model import Lesson, Prose, Section
from labctl.lesson.written.problems import Problems
from labctl.lesson.written.reading import Reader


def translation(file: Path, language: str, lesson: Lesson, problems: Problems) -> Prose | None:
    """The prose of another language: the same steps, questions and typed lines. What differs is a problem."""
    if not file.exists():
        problems.add(file, None, f"the translation is missing: {lesson.name} has no {file.name}")
        return None
    page = pages.read(file, problems)
    if page.front is None:
        return None
    reader = Reader(page, problems)
    reader.known(page.front, ("title", "steps"), "a translation")
    title = reader.text(page.front, "title", needed=True)
    sections = reader.sections(page.front, like=lesson)
    reader.same_order([step.id for step in lesson.steps], page.front.place)
    for step in lesson.steps:
        place = next((part.place for part in page.parts if part.id == step.id), page.front.place)
        for difference in _differences(lesson.prose["en"].sections.get(step.id), sections.get(step.id), step.id):
            reader.wrong(place, difference)
    return Prose(language, file, title, page.introduction, sections)


def _differences(ours: Section | None, theirs: Section | None, id: str) -> Iterator[str]:
    if ours is None:
        return
    if theirs is None:
        yield f"the section of step {id} is missing"
        return
    if list(ours.choices) != list(theirs.choices):
        names = [", ".join(section.choices) or "none" for section in (ours, theirs)]
        yield f"step {id} has the choices {names[0]}, here {names[1]}"
    if len(ours.blanks) != len(theirs.blanks):
        yield f"step {id} has {len(ours.blanks)} fields to fill in, here {len(theirs.blanks)}"
    for name in ("ask", "unit", "hint"):
        if bool(getattr(ours, name)) != bool(getattr(theirs, name)):
            yield f"step {id}: {name} is {'missing here' if getattr(ours, name) else 'here alone'}"
    if [typed.arguments for typed in ours.console] != [typed.arguments for typed in theirs.console]:
        yield f"step {id} has other command lines than en.md"
