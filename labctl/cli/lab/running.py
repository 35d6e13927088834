"""Commands for a lab's life: up, build, down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from labctl.cli import output
from labctl.cli.lab import plain
from labctl.cli.options import (
    EnvFiles,
    Files,
    Json,
    LabName,
    Profiles,
    Timeout,
    complete_labs,
    complete_topologies,
)
from labctl.errors import LabError

if TYPE_CHECKING:
    from labctl import Removed
    from labctl.engine.model import Engine

TopologyName = Annotated[
    str | None,
    typer.Argument(
        metavar="[TOPOLOGY]",
        help="A Compose file, its folder, or the name of a built-in topology.",
        autocompletion=complete_topologies,
    ),
]


Subnets = Annotated[
    list[str] | None,
    typer.Option(
        "--subnet",
        metavar="[NETWORK=]CIDR",
        help="The subnet of a movable network; again for a further one.",
    ),
]


TakeOver = Annotated[
    bool,
    typer.Option("--take-over", help="Also where a lab of that name is somebody else's, or made from another file."),
]


AllowOverlap = Annotated[
    bool, typer.Option("--allow-overlap", help="Also take subnets that this machine has a route to, such as its LAN's.")
]


Isolated = Annotated[
    bool, typer.Option("--isolated", help="No way from the lab's networks to others, and no published ports.")
]


Hosts = Annotated[
    str | None,
    typer.Option(
        "--hosts", metavar="A,B,...", help="The machines that it is to be on (labctl hosts ls).", envvar="LABCTL_HOSTS"
    ),
]


Places = Annotated[
    list[str] | None,
    typer.Option("--place", metavar="NODE=HOST", help="Where one node is to be; again for a further one."),
]


Pack = Annotated[
    bool, typer.Option("--pack/--spread", help="On as few machines as will do, or as many nodes on each (usual).")
]


def up(
    topology: TopologyName = None,
    file: Files = None,
    profile: Profiles = None,
    env_file: EnvFiles = None,
    lab: LabName = None,
    subnet: Subnets = None,
    build: Annotated[bool, typer.Option("--build", help="Build the images again.")] = False,
    record: Annotated[
        bool, typer.Option("--record", help="Record all packets from the beginning: labctl ladder, labctl capture.")
    ] = False,
    allow_overlap: AllowOverlap = False,
    isolated: Isolated = False,
    take_over: TakeOver = False,
    hosts: Hosts = None,
    place: Places = None,
    pack: Pack = False,
    timeout: Timeout = 120.0,
    as_json: Json = False,
) -> None:
    """Bring a lab up and wait until every node is ready."""
    plain.up(
        topology,
        lab,
        timeout,
        as_json,
        files=file or (),
        profiles=profile or (),
        env_files=env_file or (),
        subnets=subnet or (),
        build=build,
        record=record,
        isolated=isolated,
        allow_overlap=allow_overlap,
        take_over=take_over,
        hosts=several("--hosts", hosts),
        places=places(place),
        pack=pack,
    )


def several(option: str, text: str | None) -> tuple[str, ...]:
    """The names in a list with commas, each once. Raises LabError `bad-option`."""
    names = tuple(dict.fromkeys(name.strip() for name in (text or "").split(",")))
    if text and not all(names):
        raise LabError("bad-option", option=option, why=f"{text!r} has an empty name in it")
    return names if text else ()


def places(texts: list[str] | None) -> dict[str, str]:
    """The machines of nodes, each NODE=HOST. Raises LabError `bad-option`."""
    found: dict[str, str] = {}
    for text in texts or ():
        node, _, machine = text.partition("=")
        if not (node and machine):
            raise LabError("bad-option", option="--place", why=f"{text!r} is no NODE=HOST")
        if found.setdefault(node, machine) != machine:
            raise LabError("bad-option", option="--place", why=f"{node} can't be on {found[node]} and on {machine}")
    return found


def build(
    topology: TopologyName = None,
    file: Files = None,
    profile: Profiles = None,
    env_file: EnvFiles = None,
    again: Annotated[bool, typer.Option("--build", help="Build also what is up to date.")] = False,
    as_json: Json = False,
) -> None:
    """Build a topology's images, and start nothing."""
    from labctl.api import topologies
    from labctl.cli.context import asked_name

    with output.Progress("building") as report:
        images = topologies.build(
            topology,
            name=asked_name(None),
            files=file or (),
            profiles=profile or (),
            env_files=env_file or (),
            again=again,
            report=report,
        )
    if as_json:
        output.document({"images": list(images)})
    else:
        output.talk(f"the images are there: {', '.join(images)}")


def down(
    lab: Annotated[
        str | None, typer.Argument(metavar="[LAB]", help="The lab's name.", autocompletion=complete_labs)
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Remove all your labs; with --force everybody's.")] = False,
    named: LabName = None,
    as_json: Json = False,
) -> None:
    """Remove a lab: its containers, networks and volumes, and nothing else."""
    from labctl.api import machine
    from labctl.cli.context import asked_name, consent
    from labctl.engine import connect_all

    if everything and (lab or named):
        raise typer.BadParameter("name a lab or give --all, not both")
    engine = connect_all()
    name = None if everything else asked_name(lab or named)
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
