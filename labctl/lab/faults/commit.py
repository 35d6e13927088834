"""Changes the rules on several nodes' links at once: all of it comes into force, or nothing, whenever labctl dies.

A change of one probe is one line that it is typed. For several, each first prepares its part (what may fail, fails
there), and then one of them is told to commit: it makes a file in the volume that all probes of the lab share, which is
one step, and all put their part in force when they see it. Nothing that was prepared and not committed lasts. Where a
kernel refuses its part only then, the others' parts are taken back.

Over several machines each has a volume of its own, and one probe on each is told to commit, all at the same moment. A
labctl that is killed in just that moment may leave a part in force: `fault ls` shows it, `fault clear` ends it.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from typing import Any

from labctl.engine.model import LABEL_PROBED, Container, Engine
from labctl.errors import FaultRefused, LabError
from labctl.lab.locks import RETRY, KeyboardLock
from labctl.lab.model import Lab
from labctl.lab.probes import Order, ask
from labctl.phases import reached

Change = dict[str, Any]  # {"set": [rule, ...], "clear": [[id, link], ...]}


class FaultLock(KeyboardLock):
    """The right to change the rules of a lab: ids are given out one after the other."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab.name, "faults")
        self._name = lab.name

    def acquire(self, seconds: float) -> None:
        """Raises LabError `lab-busy`."""
        self.take(seconds, lambda: LabError("lab-busy", lab=self._name, seconds=seconds), retry=RETRY)


def apply(engine: Engine, probes: Mapping[str, Container], changes: Mapping[str, Change], timeout: float) -> None:
    """Makes the changes, by `Node.probed`, in the running probes of those nodes. Raises LabError, and then none of the
    rules to be set is in force."""
    if not changes:
        return
    if len(changes) == 1:
        [(name, change)] = changes.items()
        for _ in ask(engine, [Order(probes[name], "change", {"change": change})], timeout):
            return
    committed: list[str] = []
    try:
        _apply_together(engine, probes, changes, timeout, committed)
    except FaultRefused:
        if committed:
            _take_back(engine, probes, changes, timeout)
        raise


def _take_back(engine: Engine, probes: Mapping[str, Container], changes: Mapping[str, Change], timeout: float) -> None:
    """Ends the rules that were to be set; those that aren't there are no matter."""
    for name, change in changes.items():
        keys = [[rule["id"], rule["link"]] for rule in change.get("set", ())]
        with contextlib.suppress(LabError):
            for _ in ask(engine, [Order(probes[name], "change", {"change": {"clear": keys}})], timeout):
                break


def _commit(engine: Engine, chosen: Sequence[Container], group: str, timeout: float) -> None:
    """Tells one probe of each machine."""
    first = list({probe.machine: probe for probe in reversed(chosen)}.values())
    orders = [Order(probe, "commit", {"group": group}) for probe in first]
    for told, _ in enumerate(ask(engine, orders, timeout), 1):
        if told == len(first):
            return


def _apply_together(
    engine: Engine,
    probes: Mapping[str, Container],
    changes: Mapping[str, Change],
    timeout: float,
    committed: list[str],
) -> None:
    """`committed` gets the group's name when it is too late to leave all as it was."""
    group = os.urandom(12).hex()
    orders = [Order(probes[name], "change", {"change": change, "group": group}) for name, change in changes.items()]
    prepared: set[str] = set()
    done: set[str] = set()
    for probe, event in ask(engine, orders, timeout):
        name = probe.labels[LABEL_PROBED]
        (prepared if event.name == "prepared" else done).add(name)
        if event.name == "prepared" and len(prepared) == len(orders):
            reached("fault:prepared")
            committed.append(group)
            _commit(engine, [item.probe for item in orders], group, timeout)
            reached("fault:committed")
        if len(done) == len(orders):
            return
