"""Reads a lesson: en.md with its machinery, and the prose of every language."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import isfinite
from pathlib import Path

from labctl.errors import LabError, brief, nearest
from labctl.lesson.written import pages
from labctl.lesson.written.expressions import asked_of, parse
from labctl.lesson.written.model import (
    EMPTY,
    LANGUAGES,
    Choice,
    Expression,
    Lesson,
    Predict,
    Prose,
    Section,
    Shown,
    Step,
    Typed,
)
from labctl.lesson.written.pages import Page
from labctl.lesson.written.problems import Problems, Wrong
from labctl.topology import builtin
from labctl.topology.check.problems import Place
from labctl.topology.check.reading.source import Mapping, Scalar, Sequence, Value

KEYS = ("title", "topology", "minutes", "needs", "functions", "claims", "start", "steps")
STEP_KEYS = ("id", "predict", "run", "evidence", "show", "check", "hint", "solve")
PREDICT_KEYS = ("ask", "choices", "number", "within", "unit", "fill")
FUNCTIONS = (
    "bind", "listen", "accept", "connect", "connect_ex", "recv", "send", "sendall", "recvfrom", "sendto",
    "close", "getpeername", "getsockname", "setsockopt", "getsockopt", "settimeout", "gettimeout", "fileno",
    "setblocking", "makefile",
)  # fmt: skip  # the text's table of twenty socket functions
NEEDS = ("ipv6", "nftables", "nfqueue")  # checks of `labctl doctor`
MINUTES = range(1, 11)
# What `show` shows: how many names each takes, at least and at most.
SHOWS = {"ladder": (2, 3), "xray": (2, 3), "journal": (1, 9), "calls": (1, 9), "packet": (1, 1), "bytes": (1, 1),
         "sockets": (1, 9), "values": (1, 20)}  # fmt: skip
RECORDED = ("ladder", "xray", "packet", "bytes")  # kinds of `show` that need packets
_NAME = re.compile(r"[a-z][\w-]*\Z")
_VARIABLE = re.compile(r"[A-Za-z_]\w*\Z")


def read(folder: Path, languages: Iterable[str] = LANGUAGES, *, parity: bool = True) -> Lesson:
    """The lesson in a folder; `languages` must be there but for en, where `parity` is asked for. Raises LabError
    `lesson-invalid` with all that is wrong, each with file, line and column."""
    from labctl.lesson.written import translation

    problems = Problems()
    page = pages.read(folder / "en.md", problems)
    if page.front is None:
        problems.refuse(folder.name)
        raise AssertionError("a page without front matter has a problem")
    lesson = Reader(page, problems).lesson(folder)
    prose = dict(lesson.prose)
    for language in languages:
        file = folder / f"{language}.md"
        if language != "en" and (parity or file.exists()):
            found = translation.translation(file, language, lesson, problems)
            if found is not None:
                prose[language] = found
    problems.refuse(folder.name)
    return Lesson(**{**vars(lesson), "prose": prose})


def file_alone(file: Path) -> Lesson:
    """A lesson that is one file, in one language, whatever its name. Raises LabError `lesson-invalid`."""
    problems = Problems()
    page = pages.read(file, problems)
    if page.front is None:
        problems.refuse(file.name)
    lesson = Reader(page, problems).lesson(file.parent, name=file.stem)
    problems.refuse(file.name)
    return lesson


@dataclass
class Reader:
    """Reads what one page says; problems are collected."""

    page: Page
    problems: Problems

    def wrong(self, place: Place, message: str) -> None:
        self.problems.add(self.page.file, place, message)

    def lesson(self, folder: Path, name: str | None = None) -> Lesson:
        front = self.page.front
        assert front is not None
        self.known(front, KEYS, "a lesson")
        steps = tuple(self.steps(front))
        self.same_order([step.id for step in steps], front.place)
        title = self.text(front, "title", needed=True)
        prose = Prose("en", self.page.file, title, self.page.introduction, self.sections(front))
        return Lesson(
            name or folder.resolve().name,
            folder,
            self.topology(front, folder),
            self.minutes(front),
            self.among(front, "needs", NEEDS),
            self.among(front, "functions", FUNCTIONS),
            tuple(item.text for item in self.items(front, "claims")),
            self.commands(front, "start"),
            steps,
            {"en": prose},
        )

    def topology(self, front: Mapping, folder: Path) -> str:
        text = self.text(front, "topology", needed=True)
        if text and text != EMPTY and not os.path.exists(folder / text):  # pathlib's own raises of a long one
            try:
                builtin.locate(text)
            except LabError as problem:
                self.wrong(front.entries["topology"].value.place, str(problem).split("\n")[0])
        return text

    def minutes(self, front: Mapping) -> int:
        text = self.text(front, "minutes", needed=True)
        if text in map(str, MINUTES):
            return int(text)
        if text:
            self.wrong(front.entries["minutes"].value.place, f"minutes are {MINUTES.start} to {MINUTES.stop - 1}")
        return 1

    def steps(self, front: Mapping) -> Iterator[Step]:
        entry = front.entries.get("steps")
        if entry is None or not isinstance(entry.value, Sequence) or not entry.value.items:
            self.wrong(entry.key.place if entry else front.place, "a lesson has steps: a list, each with an id")
            return
        if len(entry.value.items) > pages.MOST:
            self.wrong(entry.key.place, f"a lesson has at most {pages.MOST} steps")
            return
        earlier: dict[str, Step] = {}
        for item in entry.value.items:
            if not isinstance(item, Mapping):
                self.wrong(item.place, "a step is a mapping with an id and a check")
                continue
            step = self.step(item, earlier)
            if step.id in earlier:
                self.wrong(item.place, f"there are two steps {brief(step.id)}")
            earlier[step.id] = step
            yield step

    def step(self, item: Mapping, earlier: dict[str, Step]) -> Step:
        self.known(item, STEP_KEYS, "a step")
        id = self.text(item, "id", needed=True)
        if id and not _NAME.match(id):
            self.wrong(item.entries["id"].value.place, "an id is a small letter, then letters, digits and -")
        part = next((part for part in self.page.parts if part.id == id), None)
        if id and part is None:
            self.wrong(item.place, f"step {brief(id)} has no section: `## Its title {{#{brief(id)}}}`")
        evidence = self.evidence(item)
        names = list(evidence)
        check = self.expression(item, "check", names)
        predict = self.predict(item, names)
        acts = self.commands(item, "run") or (part.console if part else ())
        solve = self.commands(item, "solve") or acts
        if not solve:
            self.wrong(item.place, f"step {brief(id)} has no act: a console block in its section, `run`, or `solve`")
        shown = tuple(self.shown(item, names))
        every = [check, *evidence.values(), *_of(predict)]
        packets, calls, counters = self.recorded(every, shown, earlier)
        return Step(id, item.place, predict, evidence, shown, check, acts, solve, packets, calls, counters)

    def evidence(self, item: Mapping) -> dict[str, Expression]:
        found: dict[str, Expression] = {}
        asked = self.mapping(item, "evidence")
        if len(asked.entries) > pages.MOST:
            self.wrong(asked.place, f"a step has at most {pages.MOST} names of evidence")
            return found
        for name, entry in asked.entries.items():
            if not _VARIABLE.match(name):
                self.wrong(entry.key.place, "a name of evidence is a letter, then letters, digits and _")
            found[name] = self.parsed(entry.value, list(found))
        return found

    def recorded(
        self, every: list[Expression], shown: tuple[Shown, ...], earlier: dict[str, Step]
    ) -> tuple[frozenset[str], frozenset[str], frozenset[str]]:
        packets: set[str] = set()
        calls: set[str] = set()
        counters: set[str] = set()
        for expression in every:
            for source, names, offset in asked_of(expression.tree):
                if source == "before" and names[0] not in earlier:
                    self.wrong(
                        _moved(expression.place, offset),
                        f"there is no earlier step {brief(names[0])}{nearest(names[0], earlier)}",
                    )
                {"packets": packets, "calls": calls, "counters": counters}.get(source, set()).update(names)
        for one in shown:
            if one.kind in ("ladder", "xray"):
                packets.update(one.names[:2])
            if one.kind in ("calls", "xray"):
                calls.update(one.names[:2] if one.kind == "xray" else one.names)
        return frozenset(packets), frozenset(calls), frozenset(counters)

    def shown(self, item: Mapping, names: list[str]) -> Iterator[Shown]:
        for line in self.items(item, "show"):
            kind, *what = line.text.split()
            if kind not in SHOWS:
                near = nearest(kind, SHOWS)
                self.wrong(
                    line.place, f"there is nothing to show called {brief(kind)}{near}; there are: {', '.join(SHOWS)}"
                )
                continue
            least, most = SHOWS[kind]
            if not least <= len(what) <= most:
                self.wrong(line.place, f"{kind} takes {least if least == most else f'{least} to {most}'} names")
            about = what[2:] if kind in ("ladder", "xray") else what if kind in ("packet", "bytes", "values") else []
            if about:
                for name in sorted(set(about) - set(names)):
                    self.wrong(line.place, f"there is no evidence {brief(name)}{nearest(name, names)}")
            yield Shown(kind, tuple(what), line.place)

    def predict(self, item: Mapping, names: list[str]) -> Predict | None:
        if "predict" not in item.entries:
            return None
        asked = self.mapping(item, "predict")
        self.known(asked, PREDICT_KEYS, "a prediction")
        kinds = [kind for kind in ("choices", "number", "fill") if kind in asked.entries]
        if len(kinds) != 1:
            self.wrong(asked.place, "a prediction has choices, or a number, or fields to fill in")
        choices = []
        for key, entry in self.mapping(asked, "choices").entries.items():
            if not isinstance(entry.value, Mapping):
                self.wrong(entry.value.place, f"choice {brief(key)} has a text, and `when`")
                continue
            self.known(entry.value, ("text", "when"), "a choice")
            choices.append(Choice(key, self.expression(entry.value, "when", names)))
        if "choices" in kinds and len(choices) < 2:
            self.wrong(asked.place, "a prediction has at least two choices")
        number = self.expression(asked, "number", names) if "number" in kinds else None
        within, share = self.within(asked)
        blanks = tuple(self.parsed(entry.value, names) for entry in self.mapping(asked, "fill").entries.values())
        return Predict(asked.place, tuple(choices), number, within, share, blanks)

    def within(self, asked: Mapping) -> tuple[float, float]:
        text = self.text(asked, "within")
        if not text:
            return 0.0, 0.0
        place = asked.entries["within"].value.place
        if "number" not in asked.entries:
            self.wrong(place, "within is how far from a `number` an answer may be")
        try:
            found = float(text.removesuffix("%"))
        except ValueError:
            found = -1.0
        if not (isfinite(found) and found >= 0):
            self.wrong(place, "within is a number from 0, or a share such as 20%")
            return 0.0, 0.0
        return (0.0, found / 100) if text.endswith("%") else (found, 0.0)

    def sections(self, front: Mapping, like: Lesson | None = None) -> dict[str, Section]:
        """The prose of all steps; of a translation, `like` is the lesson whose steps it has."""
        entry = front.entries.get("steps")
        items = entry.value.items if entry and isinstance(entry.value, Sequence) else []
        says = {self.text(item, "id"): item for item in items if isinstance(item, Mapping)}
        for item in says.values() if like is not None else ():
            self.known(item, ("id", "ask", "choices", "unit", "fill", "hint"), "a step of a translation")
        return {part.id: self.section(part, says.get(part.id), like) for part in self.page.parts}

    def section(self, part: pages.Part, item: Mapping | None, like: Lesson | None) -> Section:
        if item is None:
            return Section(part.title, part.before, part.after, part.console)
        # A translation has its question beside the hint, the machinery's file within `predict`.
        asked = item if like is not None else self.mapping(item, "predict")
        choices = {
            key: self.text(entry.value, "text") if isinstance(entry.value, Mapping) else _plain(entry.value)
            for key, entry in self.mapping(asked, "choices").entries.items()
        }
        filled = asked.entries.get("fill")
        blanks: tuple[str, ...] = ()
        if filled is not None and isinstance(filled.value, Mapping):
            blanks = tuple(filled.value.entries)
        elif filled is not None:
            blanks = tuple(scalar.text for scalar in self.items(asked, "fill"))
        ask = self.text(asked, "ask")
        if (choices or blanks or "number" in asked.entries) and not ask and asked.entries:
            self.wrong(asked.place, "a prediction asks something: `ask`")
        hint, unit = self.text(item, "hint"), self.text(asked, "unit")
        return Section(part.title, part.before, part.after, part.console, ask, choices, blanks, hint, unit)

    def same_order(self, ids: list[str], place: Place) -> None:
        sections = [part.id for part in self.page.parts]
        for part in self.page.parts:
            if part.id not in ids:
                self.wrong(part.place, f"there is no step {brief(part.id)}{nearest(part.id, ids)}")
        if sorted(sections) == sorted(ids) and sections != ids:
            self.wrong(place, "the sections stand in another order than the steps")

    # What stands under a key, in the form that is wanted.

    def known(self, mapping: Mapping, keys: Iterable[str], what: str) -> None:
        for key, entry in mapping.entries.items():
            if key not in keys:
                self.wrong(
                    entry.key.place, f"{what} has no {brief(key)}{nearest(key, keys)}; there are: {', '.join(keys)}"
                )

    def text(self, mapping: Mapping, key: str, *, needed: bool = False) -> str:
        entry = mapping.entries.get(key)
        if entry is None or (isinstance(entry.value, Scalar) and not entry.value.text.strip()):
            if needed:
                self.wrong(entry.key.place if entry else mapping.place, f"{key} is missing")
            return ""
        if not isinstance(entry.value, Scalar):
            self.wrong(entry.value.place, f"{key} is a text")
            return ""
        return entry.value.text.strip()

    def mapping(self, mapping: Mapping, key: str) -> Mapping:
        entry = mapping.entries.get(key)
        if entry is None:
            return Mapping({}, mapping.place)
        if isinstance(entry.value, Mapping):
            return entry.value
        if not (isinstance(entry.value, Sequence) and key == "fill"):
            self.wrong(entry.value.place, f"{key} is a mapping")
        return Mapping({}, entry.value.place)

    def items(self, mapping: Mapping, key: str) -> list[Scalar]:
        entry = mapping.entries.get(key)
        if entry is None or (isinstance(entry.value, Scalar) and not entry.value.text):
            return []
        found = entry.value.items if isinstance(entry.value, Sequence) else [entry.value]
        for item in found:
            if not isinstance(item, Scalar) or not item.text.strip():
                self.wrong(item.place, f"{key} is a list of texts")
        return [item for item in found if isinstance(item, Scalar) and item.text.strip()]

    def among(self, mapping: Mapping, key: str, known: tuple[str, ...]) -> tuple[str, ...]:
        found = self.items(mapping, key)
        for item in found:
            if item.text not in known:
                self.wrong(
                    item.place,
                    f"{key}: there is no {brief(item.text)}{nearest(item.text, known)}; there are: {', '.join(known)}",
                )
        return tuple(item.text for item in found)

    def commands(self, mapping: Mapping, key: str) -> tuple[Typed, ...]:
        found = []
        for item in self.items(mapping, key):
            arguments = pages.command(self.page.file, item.text, item.place, self.problems)
            if arguments is not None:
                found.append(Typed(item.text, arguments, item.place))
        return tuple(found)

    def expression(self, mapping: Mapping, key: str, names: list[str]) -> Expression:
        entry = mapping.entries.get(key)
        if entry is None:
            self.wrong(mapping.place, f"{key} is missing")
            return _never(mapping.place)
        return self.parsed(entry.value, names)

    def parsed(self, value: Value, names: list[str]) -> Expression:
        if not isinstance(value, Scalar):
            self.wrong(value.place, "here stands an expression")
            return _never(value.place)
        place = value.place if value.plain else value.place._replace(column=value.place.column + 1)
        try:
            return Expression(value.text, parse(value.text, names), place)
        except Wrong as problem:
            self.wrong(_moved(place, problem.offset), problem.message)
            return _never(place)


def _moved(place: Place, offset: int) -> Place:
    return place._replace(column=place.column + offset)


def _plain(value: Value) -> str:
    return value.text.strip() if isinstance(value, Scalar) else ""


def _never(place: Place) -> Expression:
    return Expression("None", parse("None", ()), place)


def _of(predict: Predict | None) -> list[Expression]:
    if predict is None:
        return []
    number = [predict.number] if predict.number else []
    return [*(choice.when for choice in predict.choices), *number, *predict.blanks]
