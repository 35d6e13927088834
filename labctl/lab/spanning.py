"""On which machines a lab is, and the engine that is those."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, cast

from labctl.engine import USUAL
from labctl.engine.at_once import at_once
from labctl.engine.model import LABEL_HOSTS, LABEL_LAB, Container, Engine
from labctl.errors import Cancelled, LabError, LabNotFound, nearest
from labctl.lab import model
from labctl.lab.model import Lab, Node

if TYPE_CHECKING:
    from labctl.engine.swarm import MachineEngine
    from labctl.topology.model import Topology


def refuse_ipv6(engine: Engine, topology: Topology) -> None:
    """Raises LabError `no-ipv6-across` where a network that has to reach over machines has IPv6."""
    if len(engine.machines) < 2:
        return
    from labctl.engine.several.spreading import is_local

    networks = topology.config.get("networks") or {}
    asked = [net.key for net in topology.networks if net.ipv6 and not net.external and not is_local(networks[net.key])]
    if asked:
        raise LabError("no-ipv6-across", networks=f"the network{'' if len(asked) == 1 else 's'} {', '.join(asked)}")


def refuse_unfit(engine: Engine, topology: Topology, report: Callable[[str], None]) -> None:
    """Raises LabError where a lab can't be made on the engine's machines, as they are or for what the topology asks:
    `no-ipv6-across`, `host-silent`, `hosts-unfit`."""
    if len(engine.machines) < 2:
        return
    refuse_ipv6(engine, topology)
    _refuse_unfit(engine, report)


def to_hold(engine: Engine, hosts: Sequence[str], report: Callable[[str], None]) -> Engine:
    """The engine of an empty lab on some hosts, or on none: the usual one.

    Raises LabError `host-unknown`, `host-silent`, `hosts-unfit`.
    """
    found = to_read(engine, hosts)
    if len(found.machines) > 1:
        _refuse_unfit(found, report)
    return found


def _refuse_unfit(engine: Engine, report: Callable[[str], None]) -> None:
    from labctl.engine.several.engine import SeveralEngines
    from labctl.lab.machines import fit

    if isinstance(engine, SeveralEngines):  # each of which is one machine's
        every = cast("Mapping[str, MachineEngine]", engine.members.engines)
        fit.refuse_unfit(every, lambda: cast("MachineEngine", engine.builder), report)


@contextlib.contextmanager
def doubting(engine: Engine) -> Iterator[None]:
    """Where an error ends the block, the ways between the machines are looked at again the next time."""
    try:
        yield
    except LabError as problem:
        if len(engine.machines) > 1 and not isinstance(problem, Cancelled):
            from labctl.engine.hosts import seen

            seen.forget()
        raise


def machines_of(containers: Iterable[Container]) -> list[str]:
    """The machines that these containers are on, and those that they were made to be on, by name; "" is the usual
    engine."""
    every = list(containers)
    found = {container.machine for container in every}
    for container in every:
        found |= {name for name in container.labels.get(LABEL_HOSTS, "").split(",") if name}
    return sorted(found)


def find(engine: Engine, name: str | None = None) -> tuple[Engine, Lab]:
    """The lab that is meant, and the engine of its machines alone. Raises LabError."""
    try:
        lab = model.find(engine, name)
    except LabNotFound as problem:
        if not engine.missing:
            raise
        # It may be on a machine that doesn't answer.
        raise LabError("lab-not-found-there", what=problem.message, machines=", ".join(engine.missing)) from None
    return engine.narrowed(machines_of(node.container for node in lab.nodes)), lab


def missing(engine: Engine, lab: Lab) -> dict[str, str]:
    """The machines of a lab that do not answer, and why."""
    return {name: why for name, why in engine.missing.items() if name in machines_of(n.container for n in lab.nodes)}


def measure(engine: Engine, containers: Iterable[Container]) -> None:
    """Has the clocks of their machines measured, at once, where there are several. Raises LabError."""
    of_machine = {container.machine: container.id for container in containers}
    if len(of_machine) > 1:
        at_once([partial(engine.clock, container) for container in of_machine.values()])


def clocks(engine: Engine, nodes: Sequence[Node]) -> str:
    """What is to be said of the times of nodes on several machines, each of which has a clock of its own; "" for those
    on one. Raises LabError."""
    of_machine = {node.container.machine: node.container.id for node in nodes if node.is_running}
    if len(of_machine) < 2:
        return ""
    measure(engine, (node.container for node in nodes if node.is_running))
    found = {machine: engine.clock(container) for machine, container in sorted(of_machine.items())}
    error = sum(sorted((clock.error for clock in found.values()), reverse=True)[:2])
    moved = [f"{name}'s by {clock.correction / 1e6:+.3g} ms" for name, clock in found.items() if clock.correction]
    said = f"{', '.join(found)} have clocks of their own" + (f", corrected ({', '.join(moved)})" if moved else "")
    return f"{said}: what is less than {error / 1e6:.2g} ms apart on two of them may have been in the other order"


def to_read(engine: Engine, hosts: Sequence[str]) -> Engine:
    """The engine that reads and builds for a lab on some hosts, or on none: the usual one.

    Raises LabError `host-unknown`.
    """
    for name in hosts:
        if name not in engine.machines:
            raise LabError("host-unknown", name=name, near=nearest(name, engine.machines))
    return engine.narrowed(hosts or [USUAL])


def to_make(engine: Engine, lab: str, hosts: Sequence[str], places: Mapping[str, str], policy: str) -> Engine:
    """The engine that makes a lab: the usual one where no hosts are named and it isn't on some already; else those,
    with those that it is on by now and is to leave.

    Raises LabError `lab-elsewhere`, `host-silent`, `host-unknown`.
    """
    alone = not hosts and list(engine.machines) == [USUAL]  # who knows of no other machine has nothing to look at
    there = [] if alone else machines_of(engine.containers([f"{LABEL_LAB}={lab}"]))
    if not hosts and (not there or there == [USUAL]):
        if places:
            raise LabError("bad-option", option="--place", why="without --hosts there is only one machine")
        return engine.narrowed([USUAL])
    wanted = list(hosts) or there
    if USUAL in there:
        raise LabError("lab-elsewhere", lab=lab, there="this engine alone", asked=", ".join(wanted))
    for name in wanted:
        if name in engine.missing:
            raise LabError("host-silent", machine=name, why=engine.missing[name])
    return engine.narrowed({*wanted, *there}).placing(tuple(wanted), places, policy)
