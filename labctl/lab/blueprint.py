"""What a lab is to be: its topology as Compose reads it, and the configuration that Compose is then given.

Reading changes nothing, on the engine or elsewhere.
"""

from __future__ import annotations

import copy
import importlib
import json
import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labctl.engine.compose import Compose
from labctl.engine.endpoint import Endpoint
from labctl.engine.model import (
    LABEL_CONDITIONS,
    LABEL_FAMILIES,
    LABEL_LAB,
    LABEL_NODE,
    LABEL_OWNER,
    LABEL_ROLE,
    LABEL_ROUTES,
    LABEL_TITLE,
    LABEL_TOPOLOGY,
    LOG_DRIVER,
    LOG_FILE,
    LOG_FILES,
    Container,
    Engine,
    Image,
)
from labctl.errors import LabError
from labctl.lab import owners
from labctl.lab.model import check_name
from labctl.lab.placement import place_networks, place_ports, refuse_ipv6
from labctl.lab.roles import role_of
from labctl.lab.standing import HOLD
from labctl.lab.subnets import Chosen
from labctl.topology import builtin
from labctl.topology.apart import apart
from labctl.topology.model import Topology, labelled, parse, written_name

if TYPE_CHECKING:
    from labctl.topology.check.problems import Problem

LOGGING = {"driver": LOG_DRIVER, "options": {"max-size": LOG_FILE, "max-file": LOG_FILES}}


@dataclass(frozen=True)
class Blueprint:
    """A topology with where it came from; `notes` are what whoever brings it up should know."""

    topology: Topology
    source: builtin.Source
    endpoint: Endpoint
    notes: tuple[str, ...] = ()

    def compose(self, **variables: str) -> Compose:
        """Compose with the variables that this topology is interpolated with, and more."""
        return Compose(self.endpoint, {**dict(self.source.variables), **variables})

    def image_of(self, service: str) -> str:
        """The name of a service's image; Compose's own default where the file names none: project-service."""
        return str(self.topology.config["services"][service].get("image") or f"{self.topology.name}-{service}")

    def configuration(self, images: Mapping[str, Image], owner: owners.Owner | None = None) -> dict[str, Any]:
        """What Compose is given, before it has a place: with labels, and without the polling that labctl doesn't need.

        `images` holds the image of each service that has one by now; `owner` is whose it is already, where it is the
        caller's: a machine that got another name is no reason to make all nodes anew.
        """
        topology = self.topology
        labels = {LABEL_LAB: topology.name, LABEL_TITLE: topology.title, LABEL_TOPOLOGY: self.source.origin}
        labels[LABEL_OWNER] = str(owner or owners.me())
        config = labelled(topology.config, labels, LABEL_NODE)
        config["name"] = topology.name
        watched = {other for member in topology.members for other in member.waits_for_health_of}
        for member in topology.members:
            service = config["services"][member.name]
            if member.routes:
                # Kept with the node, so that its routes are known when it starts again, whoever starts it from where.
                service["labels"][LABEL_ROUTES] = json.dumps([str(route) for route in member.routes])
            if member.name in topology.without_ipv4:
                service["labels"][LABEL_FAMILIES] = "ipv6"
            sent = [
                (b, link.text)
                for link in topology.links
                for a, b in link.link.ways
                if a == member.name and link.conditions
            ]
            if sent:
                service["labels"][LABEL_CONDITIONS] = json.dumps(sent)
            # The oldest part goes before it fills the disk; whoever says how it is to be kept is right.
            service.setdefault("logging", copy.deepcopy(LOGGING))
            image = images.get(member.name)
            # labctl waits for the `ready` event; polling costs a process in each node, again and again.
            if image and LABEL_ROLE in image.labels:
                ours = role_of(service, image) is not None
                if not ours:
                    service["labels"][LABEL_ROLE] = ""  # its container would take the image's
                if member.name in watched:
                    continue
                # Of another program than the image's own, the image's healthcheck knows nothing.
                service.setdefault("healthcheck", {"disable": True})
                if sent and ours:
                    service["pids_limit"] = HOLD  # it waits for the rules on its links; whose health is awaited can't
        return config


def asked_name(lab: str | None) -> str | None:
    """The name that a lab was asked to have: the one given, else LABCTL_LAB's."""
    return lab or os.environ.get("LABCTL_LAB") or None


def read(
    endpoint: Endpoint,
    name: str | None,
    lab: str | None = None,
    *,
    strict: bool = False,
    isolated: bool = False,
) -> Blueprint:
    """The topology of that path or name, for a lab of the name given, of LABCTL_LAB's, or of its own name.

    Raises LabError; where the file is wrong, with all of its errors at once. `strict`: also those that keep it from
    working only once it is brought up, such as a route via a node that is no neighbour.
    """
    lab = asked_name(lab)
    if lab:
        check_name(lab)
    source = builtin.find(name)
    if strict:
        # What checks the file, while Compose reads it.
        threading.Thread(target=importlib.import_module, args=("labctl.lab.validate",), daemon=True).start()
    compose = Compose(endpoint, dict(source.variables))
    try:
        text = compose.config(source.file, name=lab, text=source.text)
        topology = parse(text, source.file, isolated=isolated)
    except LabError as problem:
        if problem.code != "topology-invalid" or source.text is not None:
            raise
        raise _with_all_errors(problem, source, compose, name) from None
    check_name(topology.name)
    if strict and source.text is None:
        from labctl.lab.validate import errors_in

        problems = errors_in(source.file, topology.config)
        if problems:
            raise _errors(source, problems, name)
    return Blueprint(topology, source, endpoint, tuple(_notes(topology, source, named=lab is not None)))


def _notes(topology: Topology, source: builtin.Source, *, named: bool) -> Iterator[str]:
    written = "" if named or source.text is not None else written_name(source.file.read_text(errors="replace"))
    if written and written != topology.name:
        yield f"the file's name {written!r} is no project's: Compose makes {topology.name} of it, and that is the lab's"
    closed = {net.key for net in topology.networks if net.internal}
    hidden = [member.name for member in topology.members if member.ports and set(member.networks) <= closed]
    if hidden and not topology.outside:
        yield f"nothing of a lab without a way outside is published on this machine (here: of {', '.join(hidden)})"


def _with_all_errors(first: LabError, source: builtin.Source, compose: Compose, name: str | None) -> LabError:
    """`first` is what Compose or our own reading stumbled over; labctl's checks find it and the rest, with places."""
    from labctl.lab.validate import validate

    def ask(file: Path) -> str:
        return compose.config(file)

    problems = [one for one in validate(str(source.file), ask).problems if one.level == "error"]
    return _errors(source, problems, name) if problems else first


def _errors(source: builtin.Source, problems: Sequence[Problem], name: str | None) -> LabError:
    """They are told with the file as it was named, where it was named."""
    file = name if name and Path(name).is_file() else str(source.file)
    count = "1 error" if len(problems) == 1 else f"{len(problems)} errors"
    why = "\n".join([count, *(problem.shown(file) for problem in problems)])
    return LabError("topology-invalid", file=file, why=why, problems=[problem.as_json() for problem in problems])


def place(
    topology: Topology,
    engine: Engine,
    config: Mapping[str, Any],
    running: list[Container],
    *,
    local: bool,
    attempt: int,
    chosen: Chosen,
    allow_overlap: bool = False,
) -> dict[str, Any]:
    """The configuration with chosen or free subnets and free ports, and with room for nodes without an address; what a
    running lab has already, it keeps."""
    refuse_ipv6(topology, local=local)
    placed = place_networks(topology, engine, config, attempt, chosen, allow_overlap=allow_overlap)
    return place_ports(topology, apart(placed), running, local=local)
