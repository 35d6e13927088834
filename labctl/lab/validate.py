"""Checks a topology's files: labctl's own checks, and what Compose says."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from labctl.engine.model import Engine
from labctl.engine.projects import Reading
from labctl.errors import LabError, TopologyInvalid
from labctl.named import NamedTuple
from labctl.topology import builtin
from labctl.topology.builtin import FILES, NO_OPTIONS, Options
from labctl.topology.check.kinds import Trait
from labctl.topology.check.plan import data_of, items, mapping
from labctl.topology.check.problems import Problem
from labctl.topology.check.reading import taken_in
from labctl.topology.check.reading.source import Source, Unreadable, parse, read_all
from labctl.topology.check.whole import Answer, check
from labctl.topology.normalised import load

# All profiles: what is in a file should be right, whether it is switched on now or not.
VARIABLES = {"COMPOSE_PROFILES": "*"}

# Compose's reading of the files, or of a text in their place. Raises LabError where it refuses or isn't there.
Ask = Callable[[str | None], Reading]
UNREAD = "it gave no answer that can be read"
_TEXTS = 2000  # with variables: more than anybody wrote by hand


class Report(NamedTuple):
    """What was found in `files`. `unasked` says why Compose could not be asked; a file that can't be read is not shown
    to it."""

    files: tuple[str, ...]
    problems: tuple[Problem, ...]
    asked: bool = False
    unasked: str = ""

    @property
    def file(self) -> str:
        return ", ".join(self.files)

    @property
    def errors(self) -> int:
        return sum(problem.level == "error" for problem in self.problems)

    @property
    def warnings(self) -> int:
        return len(self.problems) - self.errors

    def as_json(self) -> dict[str, Any]:
        return {
            "file": self.files[0],
            "files": list(self.files),
            "valid": not self.errors,
            "compose": {"asked": self.asked, "why_not": self.unasked or None},
            "problems": [problem.as_json(self.files) for problem in self.problems],
        }


def of_topology(engine: Engine, topology: str | None, options: Options = NO_OPTIONS) -> Report:
    """Checks the files of a topology, with its profiles where some are chosen, else with all. Raises LabError
    `topology-missing`, `topology-twice`."""
    source = builtin.find(topology, options, strict=False)
    made = source.text is not None or any(name not in VARIABLES for name, _ in source.variables)  # for a size

    def ask(text: str | None) -> Reading:
        return engine.read(source, text=text, variables={} if options.profiles else VARIABLES)

    names = [topology or ""] if made else source.names  # what was made for a size has no file's name
    return validate(names, ask, paths=source.files, text=source.text)


def validate(
    names: str | Sequence[str], ask: Ask, *, paths: Sequence[Path] | None = None, text: str | None = None
) -> Report:
    """`names` are what the files are called in the report, `paths` where they are; each is laid over those before it.
    `text` stands for the content of the one there is."""
    shown = (names,) if isinstance(names, str) else tuple(names)
    files = [Path(file).absolute() for file in paths or shown]
    try:
        source = read_all(files) if text is None else parse(text)
    except Unreadable as stop:
        return _unreadable(shown, stop.problem, ask)
    if stop_at := taken_in.endless(source, files):
        return Report(shown, (stop_at,))
    answer, unasked = _asked(ask)
    known = _interpolated(source.variables(), ask) if answer.complaint else {}
    problems = [_hinted(one, shown, files) for one in check(source, files, answer, known)]
    return Report(shown, tuple(problems), asked=not unasked, unasked=unasked)


def _hinted(problem: Problem, shown: Sequence[str], files: Sequence[Path]) -> Problem:
    """What a file lacks may stand in the one that it is laid over."""
    if len(files) > 1 or not problem.has(Trait.PARTIAL):
        return problem
    base = next((name for name in FILES if files[0].with_name(name).is_file()), files[0].name)
    if base == files[0].name:
        return problem
    both = f"-f {Path(shown[0]).with_name(base)} -f {shown[0]}"
    return problem._replace(hint=f"{problem.hint}; where this file adds to {base}, name both: `{both}`")


def problems_in(
    files: Iterable[Path], config: Mapping[str, Any], unset: Iterable[str] = (), *, known: Source | None = None
) -> list[Problem]:
    """What keeps files that Compose could read (`config`) from working, or might. `known` is what they say, where they
    have been read.

    What labctl's reader of YAML makes of the spelling doesn't count here: Compose has read it, and it is what is run.
    """
    paths = tuple(files)
    try:
        source = known or read_all(paths)
    except Unreadable:
        return []
    found = check(source, paths, Answer(config, unset=tuple(unset)))
    return [one for one in found if not one.has(Trait.SPELLING)]


def profiles_in(files: Iterable[Path]) -> list[str]:
    """The profiles that the services of files have, where every one of them has some."""
    try:
        services = mapping(data_of(read_all(files).root, {}).get("services"))
    except Unreadable:
        return []
    found = [[str(name) for name in items(mapping(service).get("profiles"))] for service in services.values()]
    return sorted({name for names in found for name in names}) if all(found) else []


def endless(files: Iterable[Path]) -> tuple[Problem | None, Source | None]:
    """Why the files can't be shown to Compose: it would take hours, or all of this machine's memory; and what they say,
    where they can be read."""
    paths = tuple(files)
    try:
        source = read_all(paths)
    except Unreadable as stop:
        return (stop.problem if stop.problem.has(Trait.ENDLESS) else None), None
    return taken_in.endless(source, paths), source


def _asked(ask: Ask, text: str | None = None) -> tuple[Answer, str]:
    """Compose's answer, or why it could not be asked."""
    try:
        reading = ask(text)
        config = load(reading.text)
    except yaml.YAMLError:
        return Answer(), UNREAD
    except TopologyInvalid as problem:
        values = problem.values
        unset = values.get("unset")
        variables = unset if isinstance(unset, tuple) else ()
        version = str(values.get("compose") or "")
        return Answer(complaint=str(values["why"]), unset=variables, version=version), ""
    except LabError as problem:
        return Answer(), f"{problem.message}" + (f"; {problem.hint}" if problem.hint else "")
    if isinstance(config, dict):
        return Answer(config, unset=reading.unset), ""
    return Answer(), UNREAD


def _interpolated(texts: list[str], ask: Ask) -> dict[str, str]:
    """What Compose makes of texts with variables, when it refuses the files that they stand in for another reason.

    It reads them in a text in the files' place, so with the same variables. Nothing of them is written anywhere: what
    variables hold may be secret.
    """
    if not 0 < len(texts) < _TEXTS:
        return {}
    values = {f"V{number}": text for number, text in enumerate(texts)}
    stand_in = {"services": {"values": {"image": "none", "environment": values}}}
    answer, _ = _asked(ask, json.dumps(stand_in))
    try:
        found = (answer.config or {})["services"]["values"]["environment"]
        # Compose doubles what is a dollar sign and no variable.
        return {text: str(found[name]).replace("$$", "$") for name, text in values.items()}
    except (KeyError, TypeError):
        return {}  # a variable that has to be set and isn't: Compose has said so


def _unreadable(shown: tuple[str, ...], problem: Problem, ask: Ask) -> Report:
    """Only where the YAML itself is in question does Compose know better; its reader is another one."""
    if not problem.has(Trait.SYNTAX):
        return Report(shown, (problem,))
    answer, unasked = _asked(ask)
    if answer.config is None:
        return Report(shown, (problem,), asked=not unasked, unasked=unasked)
    dialect = Problem.of("yaml-dialect", problem.place, why=problem.message)
    return Report(shown, (dialect._replace(of_file=problem.file),), asked=True)
