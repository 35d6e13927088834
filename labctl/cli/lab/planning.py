"""The command that says what `up` would do: plan."""

from __future__ import annotations

from labctl.cli import output
from labctl.cli.lab.running import (
    AllowOverlap,
    Hosts,
    Isolated,
    Pack,
    Places,
    Subnets,
    TakeOver,
    TopologyName,
    places,
    several,
)
from labctl.cli.options import EnvFiles, Files, Json, LabName, Profiles


def plan(
    topology: TopologyName = None,
    file: Files = None,
    profile: Profiles = None,
    env_file: EnvFiles = None,
    lab: LabName = None,
    subnet: Subnets = None,
    allow_overlap: AllowOverlap = False,
    isolated: Isolated = False,
    take_over: TakeOver = False,
    hosts: Hosts = None,
    place: Places = None,
    pack: Pack = False,
    as_json: Json = False,
) -> None:
    """Show what `up` would make of a topology, or change of a running lab."""
    from labctl.api import topologies
    from labctl.cli.context import asked_name

    found = topologies.plan(
        topology,
        name=asked_name(lab),
        files=file or (),
        profiles=profile or (),
        env_files=env_file or (),
        subnets=subnet or (),
        take_over=take_over,
        allow_overlap=allow_overlap,
        isolated=isolated,
        hosts=several("--hosts", hosts),
        places=places(place),
        policy="pack" if pack else "spread",
        report=output.talk,
    )
    if as_json:
        output.document(found.as_json())
        return
    from labctl.render import tables

    output.data(tables.plan(found, columns=output.columns(), colour=output.colour()))
    if not found.changes:
        output.talk(f"{found.lab} is up as it is; nothing would change")
