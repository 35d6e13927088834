"""Compose files: what labctl takes and refuses, beside `docker compose config`."""

from __future__ import annotations

import re
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import DEVNULL, PIPE

from compat.model import Section, each, projects
from labctl.engine import connect
from labctl.engine.children import Group
from labctl.engine.compose import plugin
from labctl.engine.model import Engine
from labctl.errors import LabError
from labctl.lab.placing import blueprint
from labctl.lab.validate import VARIABLES, validate
from labctl.topology import builtin
from labctl.topology.builtin import Options

LIMIT = 60.0  # seconds for one input
_NAMED = re.compile(r"(.*compose.*)\.ya?ml", re.I)
_SERVICES = re.compile(rb"^services:\s*(#.*)?$", re.M)
_BASE = re.compile(r"(docker-)?compose\.ya?ml")
_ALL = {"COMPOSE_PROFILES": VARIABLES["COMPOSE_PROFILES"]}

# What `docker compose config` takes and labctl refuses, by labctl's code, and why: `up` would fail, and labctl says so
# before anything is made.
REASONS = {
    "port-twice": "two services publish one port of the machine; the engine gives it to the first and fails the second",
    "port-scaled": "several containers of one service publish one port; the engine gives it to the first",
    "missing-services": "a topology without services has no nodes; `docker compose up` says `no service selected`",
    "topology-invalid": "no service is left of it; `docker compose up` says `no service selected`",
    "bad-image": "no image can have that name; `docker compose up` says `invalid reference format`",
    "container-name-twice": "two services have one container name; the engine refuses the second container",
    "address-outside": "an address outside of its network's subnet; the engine refuses the container",
    "address-twice": "two nodes have one address; the engine refuses the second container",
    "address-reserved": "a node has the gateway's or the broadcast address; the engine refuses the container",
    "address-without-subnet": "a fixed address in a network without a subnet; the engine refuses the container",
    "subnets-overlap": "two networks have one subnet; the engine refuses the second network",
    "subnet-too-small": "more nodes than addresses; the engine refuses the last container",
    "bad-subnet": "no subnet; the engine refuses the network",
    "bind-refused": "a mount that says `create_host_path: false`, and its source isn't there; the engine refuses it",
    "trap-rewritten": "Compose writes the value back in another form than it is written; in quotes it stays. `up` and "
    "`plan` take it",
    "trap-mode": "Compose reads another mode than it seems to say. `up` and `plan` take it",
    "file-special": "no regular file, and labctl reads it a second time",
    "file-too-big": "labctl reads no file of that size",
}


@dataclass(frozen=True)
class Input:
    """What is given to both: files, the first of which says where it is; or a folder, and they find what is in it."""

    project: str
    name: str
    files: tuple[Path, ...] = ()
    folder: Path | None = None


@dataclass(frozen=True)
class Verdict:
    """What both say of one input; None: it is taken. Ours is a code and a message."""

    about: Input
    ours: tuple[str, str] | None
    theirs: str | None

    @property
    def group(self) -> str:
        return {
            (True, True): "accepted by both",
            (False, False): "refused by both",
            (True, False): "accepted by labctl alone",
            (False, True): "accepted by Compose alone",
        }[self.ours is None, self.theirs is None]

    @property
    def reason(self) -> str | None:
        """Why the two differ, where it is known."""
        return REASONS.get(self.ours[0]) if self.ours and self.theirs is None else None

    @property
    def is_unexplained(self) -> bool:
        return (self.ours is None) != (self.theirs is None) and self.reason is None


def trial(folder: Path) -> Section:
    """The section about Compose files. Raises LabError where there is no Compose."""
    engine = connect()
    version = ".".join(map(str, engine.compose_version()))
    found = list(inputs(folder))
    verdicts = list(each(lambda one: Verdict(one, ours(engine, one), theirs(one)), found, "compose"))
    return Section("compose", text(verdicts, version), sum(one.is_unexplained for one in verdicts))


def inputs(folder: Path) -> Iterator[Input]:
    """Each project's Compose files, known by their names or because they have services: one by one; those of a folder
    together with what overrides them there; and each further file of a folder over its first."""
    for project in projects(folder):
        beside: defaultdict[Path, list[Path]] = defaultdict(list)
        for path in sorted(project.rglob("*.y*ml")):
            if path.is_file() and (_NAMED.fullmatch(path.name) or _SERVICES.search(path.read_bytes())):
                beside[path.parent].append(path)
                yield Input(project.name, str(path.relative_to(folder)), (path,))
        for place, files in sorted(beside.items()):
            yield from _together(project.name, str(place.relative_to(folder)), place, files)


def _together(project: str, name: str, place: Path, files: list[Path]) -> Iterator[Input]:
    first = next((file for file in files if _BASE.fullmatch(file.name)), None)
    if not first:
        return
    if len(builtin.folder_files(place)) > 1:
        yield Input(project, f"{name}/", folder=place)
    for file in files:
        if file != first and _NAMED.fullmatch(file.name) and not _BASE.fullmatch(file.name):
            yield Input(project, f"{name}/{first.name} + {file.name}", (first, file))


def ours(engine: Engine, one: Input) -> tuple[str, str] | None:
    """The first error of `labctl validate`, or of `labctl plan` before it looks at the engine."""
    options = Options(tuple(map(str, one.files)))
    name = str(one.folder) if one.folder else None
    try:
        source = builtin.find(name, options)
        report = validate(
            source.names,
            lambda instead: engine.read(source, text=instead, variables=_ALL),
            paths=source.files,
        )
        wrong = next((found for found in report.problems if found.level == "error"), None)
        if wrong:
            return wrong.code, wrong.shown(source.names).splitlines()[0]
        blueprint.read(engine, name, strict=True, options=Options(options.files, ("*",)))
    except LabError as problem:
        return problem.code, problem.message
    return None


def theirs(one: Input) -> str | None:
    """What Compose says of it; it looks for a folder's files itself."""
    place = ["--project-directory", str(one.folder)] if one.folder else []
    files = [word for file in one.files for word in ("-f", str(file))]
    program = plugin.find()  # itself, as what the client starts goes on after the client is killed
    command = [
        *([program] if program else ["docker", "compose"]),
        "--profile",
        "*",
        *place,
        *files,
        "config",
        "--quiet",
    ]
    with Group() as group:
        child = group.start(command, stdin=DEVNULL, stdout=DEVNULL, stderr=PIPE, encoding="utf-8", errors="replace")
        try:
            _, said = child.communicate(timeout=LIMIT)
        except subprocess.TimeoutExpired:
            group.kill()
            child.communicate()
            return f"no answer in {LIMIT:g} s"
    if not child.returncode:
        return None
    lines = [line for line in said.splitlines() if line.strip() and "level=warning" not in line]
    return lines[-1] if lines else f"exit status {child.returncode}"


def text(verdicts: list[Verdict], version: str) -> str:
    """The section, as Markdown."""
    single = [one for one in verdicts if len(one.about.files) == 1]
    by_project: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for one in verdicts:
        by_project[one.about.project][one.group] += 1
    groups = ("accepted by both", "refused by both", "accepted by Compose alone", "accepted by labctl alone")
    rows = [
        f"| {project} | {sum(count.values())} | {' | '.join(str(count[group]) for group in groups)} |"
        for project, count in sorted(by_project.items())
    ]
    total = Counter(one.group for one in verdicts)
    return "\n".join(
        [
            f"## Compose files, beside Compose {version}",
            "",
            f"{len(single)} files of {len(by_project)} projects, and {len(verdicts) - len(single)} times several",
            "of them together: a folder's with what overrides them, and each further file over the first. Both read",
            "all profiles. Refused by Compose: `docker compose config` fails. Refused by labctl: `labctl validate` or",
            "`labctl plan` says an error. Where both accept, what labctl runs is what Compose made of the files.",
            "",
            f"| project | inputs | {' | '.join(groups)} |",
            "| --- | --- | --- | --- | --- | --- |",
            *rows,
            f"| all | {len(verdicts)} | {' | '.join(str(total[group]) for group in groups)} |",
            "",
            *_differences(verdicts),
            *_refusals(verdicts),
        ]
    )


def _differences(verdicts: list[Verdict]) -> list[str]:
    named = Counter(one.ours[0] for one in verdicts if one.reason and one.ours)
    lines = ["Accepted by Compose alone, and why labctl refuses it:", ""]
    lines += [f"- `{code}`, {count}: {REASONS[code]}." for code, count in named.most_common()]
    left = [one for one in verdicts if one.is_unexplained]
    if left:
        lines += ["", "Not explained:", ""]
        lines += [f"- {one.about.name}: {(one.ours or ('', one.theirs))[1]}" for one in left]
    return [*lines, ""]


def _refusals(verdicts: list[Verdict]) -> list[str]:
    codes = Counter(one.ours[0] for one in verdicts if one.ours and one.theirs)
    lines = ["Refused by both, by what labctl says of it ([all it can say](validation.md)):", ""]
    return [*lines, *(f"- `{code}`: {count}" for code, count in codes.most_common())]
