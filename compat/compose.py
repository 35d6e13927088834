"""Compose files: what labctl takes and refuses, beside `docker compose config`."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from compat.model import Section, each, projects
from labctl.engine.compose import Compose
from labctl.engine.endpoint import find as find_endpoint
from labctl.lab.validate import VARIABLES, validate

LIMIT = 60.0  # seconds for one file
_NAMED = re.compile(r"(.*compose.*)\.ya?ml", re.I)
_SERVICES = re.compile(rb"^services:\s*(#.*)?$", re.M)


@dataclass(frozen=True)
class Verdict:
    """What both say of one file; None: it is taken."""

    project: str
    file: str
    ours: str | None
    theirs: str | None

    @property
    def group(self) -> str:
        return {
            (True, True): "accepted by both",
            (False, False): "refused by both",
            (True, False): "accepted by labctl alone",
            (False, True): "accepted by Compose alone",
        }[self.ours is None, self.theirs is None]


def trial(folder: Path) -> Section:
    """The section about Compose files. Raises LabError where there is no Compose."""
    compose = Compose(find_endpoint(), VARIABLES)
    version = ".".join(map(str, compose.version()))
    found = list(files(folder))

    def judge(one: tuple[str, Path]) -> Verdict:
        project, file = one
        return Verdict(project, str(file.relative_to(folder)), _ours(compose, file), _theirs(file))

    verdicts = list(each(judge, found, "compose"))
    return Section("compose", _text(verdicts, version), sum("alone" in one.group for one in verdicts))


def files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Each project's Compose files: by their names, or because they have services."""
    for project in projects(folder):
        for path in sorted(project.rglob("*.y*ml")):
            if path.is_file() and (_NAMED.fullmatch(path.name) or _SERVICES.search(path.read_bytes())):
                yield project.name, path


def _ours(compose: Compose, file: Path) -> str | None:
    report = validate(str(file), compose.config)
    return next((f"{one.code}: {one.message}" for one in report.problems if one.level == "error"), None)


def _theirs(file: Path) -> str | None:
    command = ["docker", "compose", "--profile", "*", "-f", str(file), "config", "--quiet"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=LIMIT, check=False)
    except subprocess.TimeoutExpired:
        return f"no answer in {LIMIT:g} s"
    if not found.returncode:
        return None
    lines = [line for line in found.stderr.splitlines() if line.strip() and "level=warning" not in line]
    return lines[-1] if lines else f"exit status {found.returncode}"


def _text(verdicts: list[Verdict], version: str) -> str:
    count = Counter(one.group for one in verdicts)
    lines = [f"## Compose files, beside Compose {version}", ""]
    lines += [f"{len(verdicts)} files of {len({one.project for one in verdicts})} projects.", ""]
    lines += ["| | files |", "| --- | --- |", *(f"| {group} | {count[group]} |" for group in sorted(count))]
    return "\n".join(lines)
