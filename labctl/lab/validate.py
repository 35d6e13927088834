"""Checks a topology's file: labctl's own checks, and what Compose says."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from labctl.errors import LabError
from labctl.topology.check.problems import Problem
from labctl.topology.check.source import Unreadable, parse, read
from labctl.topology.check.whole import check

# All profiles: what is in a file should be right, whether it is switched on now or not.
VARIABLES = {"COMPOSE_PROFILES": "*"}

Ask = Callable[[Path], str]
_TEXTS = 2000  # with variables: more than anybody wrote by hand
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Report:
    """What was found. `unasked` says why Compose could not be asked; a file that can't be read is not shown to it."""

    file: str
    problems: tuple[Problem, ...]
    asked: bool = False
    unasked: str = ""

    @property
    def errors(self) -> int:
        return sum(problem.level == "error" for problem in self.problems)

    @property
    def warnings(self) -> int:
        return len(self.problems) - self.errors

    def as_json(self) -> dict[str, Any]:
        return {
            "file": self.file,
            "valid": not self.errors,
            "compose": {"asked": self.asked, "why_not": self.unasked or None},
            "problems": [problem.as_json() for problem in self.problems],
        }


def validate(name: str, ask: Ask, *, path: Path | None = None, text: str | None = None) -> Report:
    """`name` is what the file is called in the report, `path` where it is; `text` stands for its content.

    `ask` gives Compose's reading of a file, as YAML; it raises LabError where Compose refuses or isn't there.
    """
    file = path or Path(name)
    try:
        source = read(file) if text is None else parse(text)
    except Unreadable as stop:
        return _unreadable(name, file, stop.problem, ask)
    config, complaint, unasked = _asked(file, ask)
    known = _interpolated(source.variables(), file, ask) if complaint else {}
    problems = tuple(check(source, file.resolve().parent, config, complaint, known))
    return Report(name, problems, asked=not unasked, unasked=unasked)


def errors_in(file: Path, config: Mapping[str, Any]) -> list[Problem]:
    """What keeps a file that Compose could read (`config`) from working.

    What labctl's reader of YAML makes of the spelling doesn't count here: Compose has read it, and it is what is run.
    """
    try:
        source = read(file)
    except Unreadable:
        return []
    found = check(source, file.parent, config)
    return [one for one in found if one.level == "error" and not one.code.startswith("trap-")]


def _asked(file: Path, ask: Ask) -> tuple[dict[str, Any] | None, str, str]:
    """Compose's reading, or its complaint, or why it could not be asked."""
    try:
        config = yaml.load(ask(file.resolve()), Loader=_Loader)
    except LabError as problem:
        if problem.code == "topology-invalid":
            return None, str(problem.values["why"]), ""
        return None, "", f"{problem.message}" + (f"; {problem.hint}" if problem.hint else "")
    return (config, "", "") if isinstance(config, dict) else (None, "", "it gave no answer that can be read")


def _interpolated(texts: list[str], file: Path, ask: Ask) -> dict[str, str]:
    """What Compose makes of texts with variables, when it refuses the file that they stand in for another reason.

    It reads them in a file of their own, beside a copy of the `.env` file that holds for the first one.
    """
    if not 0 < len(texts) < _TEXTS:
        return {}
    values = {f"V{number}": text for number, text in enumerate(texts)}
    with tempfile.TemporaryDirectory(prefix="labctl-values-") as folder:
        stand_in = Path(folder) / "compose.yaml"
        stand_in.write_text(json.dumps({"services": {"values": {"image": "none", "environment": values}}}))
        env = file.resolve().parent / ".env"
        if env.is_file():
            shutil.copy(env, folder)
        config, _, _ = _asked(stand_in, ask)
    try:
        found = (config or {})["services"]["values"]["environment"]
        # Compose doubles what is a dollar sign and no variable.
        return {text: str(found[name]).replace("$$", "$") for name, text in values.items()}
    except (KeyError, TypeError):
        return {}  # a variable that has to be set and isn't: Compose has said so


def _unreadable(name: str, file: Path, problem: Problem, ask: Ask) -> Report:
    """Only where the YAML itself is in question does Compose know better; its reader is another one."""
    if problem.code != "yaml-syntax":
        return Report(name, (problem,))
    config, _, unasked = _asked(file, ask)
    if config is None:
        return Report(name, (problem,), asked=not unasked, unasked=unasked)
    return Report(name, (Problem.of("yaml-dialect", problem.place, why=problem.message),), asked=True)
