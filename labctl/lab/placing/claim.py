"""The name that a lab gets on an engine which several people may share, and the right to make a lab of that name.

A name is claimed by a volume, since the engine makes one of a name once, whoever asks at the same moment from whichever
machine. It is there while the lab's containers are not, whose own labels say whose they are from then on; and as it
carries the lab's label, `down` removes it where a killed labctl left it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence

from labctl.engine.model import (
    COMPOSE_PROJECT,
    LABEL_LAB,
    LABEL_NODE,
    LABEL_OWNER,
    LABEL_RUN,
    LABEL_TOPOLOGY,
    Container,
    Engine,
)
from labctl.errors import LabError
from labctl.lab import owners
from labctl.lab.life.down import standing_of
from labctl.lab.locks import LabLock
from labctl.lab.placing import blueprint as blueprints
from labctl.lab.placing.blueprint import Blueprint
from labctl.topology.builtin import NO_OPTIONS, Options
from labctl.topology.model import Topology

MEND = "give yours another name (`labctl up --lab NAME`), or take it over where that is meant (`--take-over`)"


class Overtaken(Exception):
    """Somebody else took the name at the same moment."""


def volume(lab: str) -> str:
    """The name of the volume that claims a lab's name."""
    return f"{lab}_labctl-claim"


def read(
    engine: Engine,
    topology: str | None,
    name: str | None,
    report: Callable[[str], None],
    options: Options = NO_OPTIONS,
    *,
    take_over: bool = False,
    isolated: bool = False,
) -> Blueprint:
    """The topology for the lab that it is to become: of the name that was asked for, else of its own; or, where
    somebody else has a lab of that name, of that with the caller's behind it.

    What the caller should know of it is reported, as lines that begin with `note: `. Raises LabError; `lab-of-another`,
    `lab-from-another-file` where the lab is there and isn't to be taken over.
    """
    found = blueprints.read(engine, topology, name, strict=True, isolated=isolated, options=options)
    there = standing_of(engine, found.topology.name)
    notes = found.notes
    if there and there.owner and not take_over and not name and not owners.is_mine(engine, there.owner):
        own = owners.own_name(found.topology.name)
        notes += (f"{found.topology.name} is the lab of {there.owner.shown}; yours is {own}",)
        found = blueprints.read(engine, topology, own, strict=True, isolated=isolated, options=options)
        there = standing_of(engine, own)
    if not take_over:
        refuse(engine, found, there)
    for note in notes:
        report(f"note: {note}")
    return found


def refuse(engine: Engine, blueprint: Blueprint, there: owners.Standing | None) -> None:
    """Raises LabError `lab-of-another`, `lab-from-another-file` where the lab is not the one to be brought up."""
    name, origin = blueprint.topology.name, blueprint.source.origin
    owners.refuse_anothers(engine, name, there, MEND)
    if there and there.origin not in ("", origin, str(blueprint.topology.file)):
        raise LabError("lab-from-another-file", lab=name, there=there.origin, file=origin)


def existing(engine: Engine, name: str) -> list[Container]:
    """A lab's containers before anything is done. Raises LabError `lab-not-ours`."""
    containers = engine.containers([f"{COMPOSE_PROJECT}={name}"])
    if any(LABEL_LAB not in container.labels for container in containers):
        raise LabError("lab-not-ours", name=name)
    return containers


def refuse_programs(topology: Topology, there: Sequence[Container]) -> None:
    """Raises LabError `program-in-the-way` where a program has the name of a node of the topology."""
    members = {member.name for member in topology.members}
    for container in there:
        if LABEL_RUN in container.labels and container.labels.get(LABEL_NODE) in members:
            raise LabError("program-in-the-way", node=container.labels[LABEL_NODE], lab=topology.name)


@contextlib.contextmanager
def taken(engine: Engine, blueprint: Blueprint, *, named: bool, take_over: bool) -> Iterator[list[Container]]:
    """The lab's containers as they are, with the right to change them and to make more until the end of the `with`.

    Raises LabError as `refuse` does, and Overtaken where the name is another one's by now and wasn't asked for.
    """
    name = blueprint.topology.name
    claimed: Sequence[owners.Standing] = ()
    if not existing(engine, name):
        labels = {LABEL_LAB: name, LABEL_OWNER: str(owners.me()), LABEL_TOPOLOGY: blueprint.source.origin}
        made = engine.create_volume(volume(name), labels)
        claimed = [owners.Standing(owners.read(made.labels), made.labels.get(LABEL_TOPOLOGY, ""))]
    mine = bool(claimed) and owners.is_mine(engine, claimed[0].owner)
    try:
        # Only now: who had the claim a moment ago has containers by the time that it is given up.
        there = existing(engine, name)
        if not take_over:
            found = owners.standing(item.labels for item in there) or (None if mine or not claimed else claimed[0])
            if found and not named and not owners.is_mine(engine, found.owner):
                raise Overtaken
            refuse(engine, blueprint, found)
        yield there
    except BaseException:
        if mine:
            with contextlib.suppress(LabError):  # what failed first is told; `down` removes a claim that is left
                engine.remove_volume(volume(name))
        raise
    if mine:
        engine.remove_volume(volume(name))


@contextlib.contextmanager
def locked(
    engine: Engine, blueprint: Blueprint, lock: LabLock, *, named: bool, take_over: bool
) -> Iterator[list[Container]]:
    """As `taken`, by who holds the lab's lock: of a lab that is somebody else's no file of ours stays."""
    is_ours = False
    try:
        with taken(engine, blueprint, named=named, take_over=take_over) as there:
            is_ours = True
            yield there
    except BaseException:
        if not is_ours and not lock.is_unfinished:
            lock.forget()
        raise
