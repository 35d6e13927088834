"""What `up`, `ps` and `ls` do. No typer here: labctl/cli/quick.py comes without."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from labctl.cli import output
from labctl.cli.context import asked_name

if TYPE_CHECKING:
    from labctl.api.lab import Lab


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
    from labctl.api import labs

    if not as_json:
        # What the table needs, while Compose reads the file: it takes as long as starting a node.
        threading.Thread(target=importlib.import_module, args=("labctl.render.tables",), daemon=True).start()
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
            report=report,
        )
    _show_nodes(found, as_json)


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
