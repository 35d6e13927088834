"""What `up`, `down`, `ps` and `ls` do. No typer here: labctl/cli/quick.py comes without."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence

from labctl.ahead import imported
from labctl.cli import output
from labctl.cli.context import asked_name
from labctl.errors import LabError

TYPE_CHECKING = False  # as typing has it, which takes longer to import than this
if TYPE_CHECKING:
    from labctl import Removed
    from labctl.api.lab import Lab
    from labctl.engine.model import Engine


def up(
    topology: str | None,
    lab: str | None,
    timeout: float,
    as_json: bool,
    *,
    files: Sequence[str] = (),
    profiles: Sequence[str] = (),
    env_files: Sequence[str] = (),
    subnets: Sequence[str] = (),
    build: bool = False,
    record: bool = False,
    isolated: bool = False,
    allow_overlap: bool = False,
    take_over: bool = False,
    hosts: Sequence[str] = (),
    places: Mapping[str, str] | None = None,
    pack: bool = False,
) -> None:
    _read_soon(topology, asked_name(lab), files, profiles, env_files)
    from labctl.api import labs

    with output.Progress("bringing the lab up") as report:
        found = labs.up(
            topology,
            name=asked_name(lab),
            files=files,
            profiles=profiles,
            env_files=env_files,
            subnets=subnets,
            build=build,
            record=record,
            isolated=isolated,
            allow_overlap=allow_overlap,
            take_over=take_over,
            hosts=hosts,
            places=places,
            policy="pack" if pack else "spread",
            timeout=timeout,
            once=True,
            report=_and_import(report),
        )
    _show_nodes(found, as_json)


def _and_import(report: Callable[[str], None]) -> Callable[[str], None]:
    """With the first line, when it is the engine's turn, begins to import what shows the lab in the end."""
    is_begun = False

    def tell(text: str) -> None:
        nonlocal is_begun
        if not is_begun:
            is_begun = True
            imported("labctl.render.tables")
        report(text)

    return tell


def _read_soon(
    topology: str | None, lab: str | None, files: Sequence[str], profiles: Sequence[str], env_files: Sequence[str]
) -> None:
    """Begins what `up` does first, before all is imported that it needs."""
    from labctl.engine import expect_reading
    from labctl.topology.builtin import Options, find

    with contextlib.suppress(LabError):  # where it is done, this is told
        expect_reading(find(topology, Options(tuple(files), tuple(profiles), tuple(env_files))), lab)


def down(lab: str | None, as_json: bool, *, everything: bool = False) -> None:
    from labctl.api import machine
    from labctl.cli.context import consent
    from labctl.engine import connect_all

    engine = connect_all()
    name = None if everything else asked_name(lab)
    names: tuple[str, ...] = (name,) if name else ()
    if name:
        machine.check_name(name)
        consent(lambda: machine.refuse_anothers(name, engine=engine))
    else:
        names = _all_names(engine, everything=everything)
    with output.Progress("removing") as report:
        removed, problems = machine.take_down(*names, force=True, engine=engine, report=report)
    if as_json and not problems:
        output.document({"removed": [item.as_json() for item in removed]})
        return
    for item in removed:
        output.talk(_told(item))
    for problem in problems[:-1]:
        output.talk(f"labctl: {problem.message}")
    if problems:
        raise problems[-1]
    if not removed:
        output.talk("no lab of yours is there; nothing to remove")


def ps(lab: str | None, as_json: bool) -> None:
    from labctl.cli.chosen import lab_of

    _show_nodes(lab_of(lab), as_json)


def ls(as_json: bool) -> None:
    from labctl.api import machine
    from labctl.engine import connect_all

    engine = connect_all()
    summaries = machine.listing(engine=engine)
    for name, why in engine.missing.items():
        output.talk(f"warning: {name} does not answer, and its labs are left out ({why})")
    if as_json:
        output.document({"labs": [summary.as_json() for summary in summaries]})
        return
    from labctl.render import tables

    if summaries:
        output.data(tables.labs(summaries, columns=output.columns(), colour=output.colour()))
    else:
        output.talk("no lab is there; `labctl up` starts one")


def _show_nodes(lab: Lab, as_json: bool) -> None:
    statuses = lab.status()
    if as_json:
        output.document({"lab": lab.name, "nodes": [status.as_json() for status in statuses]})
        return
    from labctl.render import tables

    output.data(tables.nodes(statuses, columns=output.columns(), colour=output.colour()))


def _all_names(engine: Engine, *, everything: bool) -> tuple[str, ...]:
    """All labs that `down` is about when it is given no name. Raises LabError `ambiguous-lab`."""
    from labctl.api import machine

    names, left = machine.meant(everything=everything, force=output.Settings.force, engine=engine)
    if everything and left:
        output.talk(f"left alone, as others made them: {', '.join(left)} (--force removes these, too)")
    return names


def _told(item: Removed) -> str:
    counts = f"{item.containers} containers, {item.networks} networks, {item.volumes} volumes"
    if item.goes_on:
        return f"labctl's helpers are gone from {item.lab} ({counts}); the project itself is not labctl's, and goes on"
    return f"nothing is left of {item.lab}" if item.is_empty else f"{item.lab} is down: removed {counts}"
