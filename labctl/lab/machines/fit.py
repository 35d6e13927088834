"""What must hold of machines before a lab is made on them, asked in a moment: nothing is started for it."""

from __future__ import annotations

from labctl.errors import LabError
from labctl.lab.machines.asking import Engines, ask_all
from labctl.lab.machines.check import Report, fitting, told_clocks


def refuse_unfit(engines: Engines, report: Report) -> None:
    """Engines, architectures and the swarm are as a lab over several machines needs them; a clock that is far from this
    machine's is told. What passes between the machines isn't tried: that takes seconds (`check`).

    Raises LabError `host-silent`, `hosts-unfit`.
    """
    infos = ask_all(engines, lambda _, engine: engine.info())
    for finding in fitting(engines, infos):
        if finding.level == "bad":
            raise LabError("hosts-unfit", machine=finding.host, what=finding.what, mend=finding.mend)
    for finding in told_clocks(engines):
        if finding.level != "ok":
            report(f"note: {finding.host}'s clock: {finding.what}")
