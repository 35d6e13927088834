"""What a lab is to be: its topology as Compose reads it, and the configuration that Compose is then given.

Reading changes nothing, on the engine or elsewhere.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from labctl.ahead import imported
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
from labctl.engine.projects import Reading
from labctl.errors import LabError, TopologyInvalid
from labctl.lab import owners
from labctl.lab.drawing.role_labels import role_of
from labctl.lab.model import check_name
from labctl.lab.placing.placement import place_networks, place_ports, published, refuse_ipv6, with_bound
from labctl.lab.placing.subnets import Chosen
from labctl.named import NamedTuple
from labctl.topology import builtin, checked, shipped
from labctl.topology.apart import apart
from labctl.topology.model import NO_SERVICES, Topology, labelled, made, parse, project_name, written_name

if TYPE_CHECKING:
    from labctl.topology.check.problems import Problem
    from labctl.topology.check.reading import source as texts

NO_MORE = "the topology has it no more"  # why a node goes
LOGGING = {"driver": LOG_DRIVER, "options": {"max-size": LOG_FILE, "max-file": LOG_FILES}}


class Blueprint(NamedTuple):
    """A topology with where it came from; `notes` are what whoever brings it up should know."""

    topology: Topology
    source: builtin.Source
    notes: tuple[str, ...] = ()

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
                    from labctl.lab.faults import gate  # which few topologies need

                    # The rules on its links come first; whose health is awaited can't wait.
                    service["pids_limit"] = gate.SHUT
        return config


def read(
    engine: Engine,
    name: str | None,
    lab: str | None = None,
    *,
    strict: bool = False,
    isolated: bool = False,
    options: builtin.Options = builtin.NO_OPTIONS,
) -> Blueprint:
    """The topology of that path or name, for a lab of the name given, else of its own name.

    Raises LabError; where the file is wrong, with all of its errors at once. `strict`: also those that keep it from
    working only once it is brought up, such as a route via a node that is no neighbour.
    """
    if lab:
        check_name(lab)
    source = builtin.find(name, options)
    mine = source.text is None  # and no text that labctl made itself
    known: texts.Source | None = None

    def before() -> None:
        nonlocal known
        # While Compose reads the files: what reads its answer, and what checks them.
        if strict:
            imported("labctl.lab.validate")
        else:
            imported("labctl.topology.normalised")
        known = _refuse_endless(source) if mine else None

    try:
        reading = engine.read(source, name=lab, before=before)
        is_right = checked.configuration(reading.asks)
        if is_right:
            topology = made(is_right, source.file, isolated=isolated)
        else:
            topology = parse(reading.text, source.file, isolated=isolated)
    except TopologyInvalid as problem:
        if not mine or "problems" in problem.values:  # which are all that there are
            raise
        raise _with_all_errors(problem, source, engine) from None
    check_name(topology.name)
    warnings: tuple[str, ...] = ()
    if strict and mine and (isolated or not is_right):
        from labctl.lab.validate import problems_in
        from labctl.topology.check.kinds import Trait

        problems = problems_in(source.files, topology.config, reading.unset, known=known)
        if not (problems or isolated):
            checked.note(reading.asks, topology.config)
        if not engine.is_local:  # what is mounted is there, and not on this machine
            problems = [one for one in problems if not one.has(Trait.ON_ENGINE)]
        errors = [one for one in problems if one.level == "error"]
        if errors:
            raise _errors(source, errors)
        warnings = tuple(one.shown(source.names) for one in problems if one.has(Trait.TOLD))
    return Blueprint(topology, source, (*_notes(topology, source, named=lab is not None), *warnings))


def _notes(topology: Topology, source: builtin.Source, *, named: bool) -> Iterator[str]:
    asked = named or source.text is not None
    names = [] if asked else [written_name(file.read_text(errors="replace")) for file in source.files]
    written = next((name for name in reversed(names) if name), "")
    if written != topology.name and project_name(written) == topology.name:  # else COMPOSE_PROJECT_NAME chose it
        yield f"the file's name {written!r} is no project's: Compose makes {topology.name} of it, and that is the lab's"
    closed = {net.key for net in topology.networks if net.internal}
    hidden = [member.name for member in topology.members if member.ports and set(member.networks) <= closed]
    if hidden and not topology.outside:
        yield f"nothing of a lab without a way outside is published on this machine (here: of {', '.join(hidden)})"
    modes = {name: service.get("network_mode") for name, service in topology.config["services"].items()}
    left = [f"{name} (network_mode: {mode})" for name, mode in modes.items() if mode in ("host", "bridge")]
    left += [f"{net.key} (external)" for net in topology.networks if net.external]
    if left and not topology.outside:
        yield f"not all of this lab is without a way outside: {', '.join(left)}"


def _refuse_endless(source: builtin.Source) -> texts.Source | None:
    """What takes Compose gigabytes and hours to read, labctl's own reader knows at once. What the files say, where they
    had to be read for that and could be. Raises LabError."""
    if source.file.is_relative_to(shipped.root()):
        return None
    from labctl.lab.validate import endless

    problem, known = endless(source.files)
    if problem:
        raise _errors(source, [problem])
    return known


def _with_all_errors(first: LabError, source: builtin.Source, engine: Engine) -> LabError:
    """`first` is what Compose or our own reading stumbled over; labctl's checks find it and the rest, with places."""
    from labctl.lab.validate import profiles_in, validate

    def ask(text: str | None) -> Reading:
        return engine.read(source, text=text)

    report = validate(source.names, ask, paths=source.files)
    problems = [one for one in report.problems if one.level == "error"]
    if problems:
        return _errors(source, problems)
    profiles = profiles_in(source.files) if first.values["why"] == NO_SERVICES else []
    if profiles:
        choice = " or ".join(f"--profile {name}" for name in profiles)
        why = f"all of its services have profiles that are off; switch one on: {choice}"
        return LabError("topology-invalid", file=source.names[0], why=why)
    return first


def _errors(source: builtin.Source, problems: Sequence[Problem]) -> LabError:
    """They are told with the files as they were named."""
    count = "1 error" if len(problems) == 1 else f"{len(problems)} errors"
    why = "\n".join([count, *(problem.shown(source.names) for problem in problems)])
    found = [problem.as_json(source.names) for problem in problems]
    return LabError("topology-invalid", file=source.names[problems[0].file], why=why, problems=found)


def place(
    topology: Topology,
    engine: Engine,
    config: Mapping[str, Any],
    running: list[Container],
    *,
    attempt: int,
    chosen: Chosen,
    allow_overlap: bool = False,
) -> dict[str, Any]:
    """The configuration with chosen or free subnets and free ports, and with room for nodes without an address; what a
    running lab has already, it keeps."""
    refuse_ipv6(topology, local=engine.is_local)
    beside = len(engine.machines) if len(engine.machines) > 1 else 0
    placed = place_networks(topology, engine, config, attempt, chosen, allow_overlap=allow_overlap)
    return place_ports(
        topology,
        apart(placed, beside),
        with_bound(engine, topology, running),
        local=engine.is_local,
        elsewhere=published(engine, topology),
        again=attempt > 0,
    )
