"""What a program asks of a topology before it is a lab, and of the machine that it is to run on."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from labctl.engine import connect, connect_all
from labctl.topology.builtin import Options

if TYPE_CHECKING:
    from labctl.api.results.graph import Graph
    from labctl.engine.model import Engine
    from labctl.lab.life.doctor import Finding
    from labctl.lab.life.plan import Plan
    from labctl.lab.validate import Report

FilePath = str | os.PathLike[str]


def validate(
    topology: FilePath | None = None,
    *,
    files: Sequence[FilePath] = (),
    profiles: Sequence[str] = (),
    env_files: Sequence[FilePath] = (),
    engine: Engine | None = None,
) -> Report:
    """Checks a topology's files: all of their errors at once, each with its line and what to do.

    Where Compose can't be asked, the report says why (`unasked`), and holds what labctl found by itself. Raises
    TopologyError where there are no such files.
    """
    from labctl.lab.validate import of_topology

    name, options = options_of(topology, files, profiles, env_files)
    return of_topology(engine or connect(), name, options)


def plan(
    topology: FilePath | None = None,
    *,
    name: str | None = None,
    files: Sequence[FilePath] = (),
    profiles: Sequence[str] = (),
    env_files: Sequence[FilePath] = (),
    subnets: Sequence[str] = (),
    isolated: bool = False,
    allow_overlap: bool = False,
    take_over: bool = False,
    hosts: Sequence[str] | None = None,
    places: Mapping[str, str] | None = None,
    policy: str = "spread",
    engine: Engine | None = None,
    report: Callable[[str], None] | None = None,
) -> Plan:
    """What `up` with the same arguments would make, or change; nothing is touched. Raises as `up` does."""
    from labctl.lab.life.plan import plan

    file, options = options_of(topology, files, profiles, env_files)
    return plan(
        engine or connect_all(),
        file,
        name,
        tuple(subnets),
        options,
        take_over=take_over,
        allow_overlap=allow_overlap,
        isolated=isolated,
        hosts=chosen_hosts(hosts),
        places=places or {},
        policy=policy,
        report=report or (lambda text: None),
    )


def chosen_hosts(hosts: Sequence[str] | None) -> tuple[str, ...]:
    """The machines that were named, else those of LABCTL_HOSTS (comma-separated), else none."""
    named = os.environ.get("LABCTL_HOSTS", "").split(",") if hosts is None else hosts
    return tuple(dict.fromkeys(name.strip() for name in named if name.strip()))


def build(
    topology: FilePath | None = None,
    *,
    name: str | None = None,
    files: Sequence[FilePath] = (),
    profiles: Sequence[str] = (),
    env_files: Sequence[FilePath] = (),
    again: bool = False,
    timeout: float = 1800.0,
    engine: Engine | None = None,
    report: Callable[[str], None] | None = None,
) -> tuple[str, ...]:
    """Builds a topology's images that are missing or stale (`again`: all), and starts nothing; the names of all of
    them. `timeout` is in seconds. Raises TopologyError, EngineError (`build-failed`)."""
    from labctl.lab.life import up

    file, options = options_of(topology, files, profiles, env_files)
    request = up.Request(file, name, build=again, build_timeout=timeout, options=options)
    return tuple(up.build(engine or connect(), request, report or (lambda text: None)))


def graph(
    topology: FilePath | None = None,
    *,
    name: str | None = None,
    files: Sequence[FilePath] = (),
    profiles: Sequence[str] = (),
    env_files: Sequence[FilePath] = (),
    engine: Engine | None = None,
) -> Graph:
    """A topology as a picture; `Lab.graph` draws one that runs. Its `notes` say whose roles could not be found out.

    Raises TopologyError, EngineError (`compose-missing`).
    """
    from labctl.api.results.graph import Graph
    from labctl.lab.drawing import picture
    from labctl.lab.drawing.role_labels import Roles
    from labctl.lab.placing import blueprint

    using = engine or connect()
    file, options = options_of(topology, files, profiles, env_files)
    read = blueprint.read(using, file, name, options=options).topology
    roles = Roles(read, lambda: using)
    found = picture.of_topology(read, roles.of)
    notes = (f"the roles of some nodes are left out: {roles.problem.message}",) if roles.problem else ()
    return Graph(found, notes)


def doctor(*, engine: Engine | None = None) -> tuple[Finding, ...]:
    """What labctl needs of this machine and its engine, and how to mend what is missing. Raises EngineError where what
    chooses the engine can't be understood."""
    from labctl.lab.life.doctor import examine

    return tuple(examine(engine or connect()))


def options_of(
    topology: FilePath | None, files: Sequence[FilePath], profiles: Sequence[str], env_files: Sequence[FilePath]
) -> tuple[str | None, Options]:
    """The topology's name, and what else is said of it, as the rooms below take them."""
    name = None if topology is None else os.fspath(topology)
    texts, variables = [os.fspath(file) for file in files], [os.fspath(file) for file in env_files]
    return name, Options(tuple(texts), tuple(profiles), tuple(variables))
