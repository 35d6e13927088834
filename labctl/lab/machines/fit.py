"""What must hold of machines before a lab is made on them: it is looked at, and refused in a sentence."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from labctl.engine.hosts import seen
from labctl.engine.swarm import MachineEngine, Membership, membership
from labctl.errors import LabError
from labctl.lab.machines.asking import Engines, ask_all
from labctl.lab.machines.check import Report, fitting, told_clocks
from labctl.lab.machines.finding import Finding


def refuse_unfit(engines: Engines, source: Callable[[], MachineEngine], report: Report) -> None:
    """Engines, architectures, the swarm and the ports between the machines are as a lab over several of them needs
    them; a clock that is far from this machine's is told. `source` gives the engine that has labctl's images.

    Looking at the ports takes seconds, and helpers that run on the machines; so where they were all open within the
    last hour (labctl.engine.hosts.seen), that holds, unless an `up` has failed since.

    Raises LabError `host-silent`, `hosts-unfit`.
    """
    infos = ask_all(engines, lambda _, engine: engine.info())
    _refuse_bad(list(fitting(engines, infos)))
    for finding in told_clocks(engines):
        if finding.level != "ok":
            report(f"note: {finding.host}'s clock: {finding.what}")
    states = {name: membership(info) for name, info in infos.items()}
    if not seen.all_open(_ends(states)):
        _look_at_ports(engines, states, source, report)


def _look_at_ports(
    engines: Engines, states: Mapping[str, Membership], source: Callable[[], MachineEngine], report: Report
) -> None:
    from labctl.lab.machines.ports import check_ports

    found = list(check_ports(engines, states, {}, source(), report))
    _refuse_bad(found)
    for finding in found:
        if finding.level != "ok":
            report(f"note: {finding.host}: {finding.what}")
    seen.note(_ends(states))


def _refuse_bad(findings: list[Finding]) -> None:
    for finding in findings:
        if finding.level == "bad":
            raise LabError("hosts-unfit", machine=finding.host, what=finding.what, mend=finding.mend)


def _ends(states: Mapping[str, Membership]) -> list[str]:
    return [f"{state.node}@{state.address}" for state in states.values()]
