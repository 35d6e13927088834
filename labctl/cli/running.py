"""Commands for a lab's life: up, down, and single nodes."""

from __future__ import annotations

import importlib
import threading
from typing import Annotated

import typer

from labctl.cli import output
from labctl.cli.options import (
    EnvFiles,
    Files,
    Json,
    LabName,
    NodeName,
    Profiles,
    Timeout,
    complete_labs,
    complete_topologies,
    topology_options,
)

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
    timeout: Timeout = 120.0,
    as_json: Json = False,
) -> None:
    """Bring a lab up and wait until every node is ready."""
    from labctl.cli.looking import show_nodes
    from labctl.engine.docker import DockerEngine
    from labctl.lab import up as uses

    engine = DockerEngine()
    options = topology_options(file, profile, env_file)
    request = uses.Request(topology, lab, build, timeout, subnets=tuple(subnet or ()), record=record, options=options)
    if not as_json:
        # What the table needs, while Compose reads the file: it takes as long as starting a node.
        threading.Thread(target=importlib.import_module, args=("labctl.render.tables",), daemon=True).start()
    with output.Progress("bringing the lab up") as report:
        found = uses.up(engine, request, report)
    show_nodes(engine, found, as_json)


def build(
    topology: TopologyName = None,
    file: Files = None,
    profile: Profiles = None,
    env_file: EnvFiles = None,
    again: Annotated[bool, typer.Option("--build", help="Build also what is up to date.")] = False,
    as_json: Json = False,
) -> None:
    """Build a topology's images, and start nothing."""
    from labctl.engine.docker import DockerEngine
    from labctl.lab import up as uses

    with output.Progress("building") as report:
        options = topology_options(file, profile, env_file)
        images = uses.build(DockerEngine(), uses.Request(topology, build=again, options=options), report)
    if as_json:
        output.document({"images": images})
    else:
        output.talk(f"the images are there: {', '.join(images)}")


def down(
    lab: Annotated[
        str | None, typer.Argument(metavar="[LAB]", help="The lab's name.", autocompletion=complete_labs)
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Remove all labs of this engine.")] = False,
    named: LabName = None,
    as_json: Json = False,
) -> None:
    """Remove a lab: its containers, networks and volumes, and nothing else."""
    from labctl.engine.docker import DockerEngine
    from labctl.errors import LabError
    from labctl.lab import down as uses
    from labctl.lab.model import check_name

    if everything and (lab or named):
        raise typer.BadParameter("name a lab or give --all, not both")
    engine = DockerEngine()
    name = None if everything else lab or named or _default_lab()
    if name:
        check_name(name)
        names = [name]
    else:
        names = uses.known(engine)
        if len(names) > 1 and not everything:
            raise LabError("ambiguous-lab", names=", ".join(names))
    with output.Progress("removing") as report:
        removed, problems = uses.down_all(engine, names, report)
    if as_json and not problems:
        fields = ("lab", "containers", "networks", "volumes")
        output.document({"removed": [{field: getattr(item, field) for field in fields} for item in removed]})
        return
    for item in removed:
        if item.is_empty:
            output.talk(f"nothing is left of {item.lab}")
        else:
            counts = f"{item.containers} containers, {item.networks} networks, {item.volumes} volumes"
            output.talk(f"{item.lab} is down: removed {counts}")
    for problem in problems[:-1]:
        output.talk(f"labctl: {problem.message}")
    if problems:
        raise problems[-1]
    if not removed:
        output.talk("no lab is there; nothing to remove")


def _default_lab() -> str | None:
    import os

    return os.environ.get("LABCTL_LAB") or None


def _change(verb: str, done: str, node: str, lab: str | None, timeout: float) -> None:
    import time

    from labctl.cli.context import engine_and_lab
    from labctl.lab.change import change

    engine, found = engine_and_lab(lab)
    started = time.monotonic()
    change(engine, found, verb, node, timeout=timeout)
    output.talk(f"{node} is {done} ({time.monotonic() - started:.1f} s)")


def start(node: NodeName, lab: LabName = None, timeout: Timeout = 30.0) -> None:
    """Start a node again, and wait until it is ready."""
    _change("start", "ready", node, lab, timeout)


def stop(node: NodeName, lab: LabName = None, timeout: Timeout = 30.0) -> None:
    """Stop a node in order (SIGTERM)."""
    _change("stop", "stopped", node, lab, timeout)


def restart(node: NodeName, lab: LabName = None, timeout: Timeout = 30.0) -> None:
    """Stop a node in order and start it again."""
    _change("restart", "ready", node, lab, timeout)


def kill(node: NodeName, lab: LabName = None, timeout: Timeout = 30.0) -> None:
    """Kill a node at once (SIGKILL), as a crash would."""
    _change("kill", "killed", node, lab, timeout)


def pause(node: NodeName, lab: LabName = None, timeout: Timeout = 30.0) -> None:
    """Freeze a node's programs; its kernel still answers."""
    _change("pause", "paused", node, lab, timeout)


def unpause(node: NodeName, lab: LabName = None, timeout: Timeout = 30.0) -> None:
    """Let a paused node go on."""
    _change("unpause", "running again", node, lab, timeout)
