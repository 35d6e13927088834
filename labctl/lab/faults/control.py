"""Breaking and mending links: what the command line, a page and programs call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from labctl.engine.model import Engine
from labctl.lab.faults import rules, spec
from labctl.lab.faults.rules import TIMEOUT, Applied, Fault
from labctl.lab.faults.spec import RuleSpec
from labctl.lab.links import between, ways, ways_from
from labctl.lab.model import Lab


@dataclass(frozen=True)
class Cleared:
    """The rules that were taken back, as they were; `left` are those that go on."""

    cleared: tuple[Fault, ...]
    left: tuple[Fault, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {"cleared": [rule.as_json() for rule in self.cleared]}


def add(
    engine: Engine, lab: Lab, link: str, wanted: RuleSpec, *, on_start: str | None = None, timeout: float = TIMEOUT
) -> Applied:
    """Puts a rule in force on a link (`alice:bob`, `alice-bob`, or a node alone), or keeps it for each start of the
    node `on_start`, from whose first packet on it then holds. `timeout` in seconds, for the probes' answers.

    Raises LabError `unknown-node`, `bad-link-name`, `no-link`, `not-running`, `on-start-elsewhere`, `fault-twice`,
    `fault-refused`, `probe-silent`, `probe-failed`; then nothing of it is in force.
    """
    if on_start:
        node = lab.node(on_start)
        return rules.add_on_start(engine, lab, node, ways_from(lab, node, link), wanted)
    return rules.add(engine, lab, ways(lab, link), wanted, timeout=timeout)


def partition(
    engine: Engine, lab: Lab, left: str, right: str, *, duration: str | None = None, timeout: float = TIMEOUT
) -> Applied:
    """Cuts nodes (`alice,web`) off from others, both ways. `duration`, such as `30s`, is when it ends by itself.

    Raises LabError as `add` does, and `bad-condition`.
    """
    wanted = spec.of_partition(duration=duration)
    return rules.add(engine, lab, between(lab, left, right), wanted, timeout=timeout)


def heal(engine: Engine, lab: Lab) -> Cleared:
    """Ends all partitions. Raises LabError as `clear` does."""
    known = rules.listing(engine, lab)
    cleared = rules.clear(engine, lab, [rule for rule in known if rule.kind == "partition"])
    left = [rule for rule in known if rule.kind != "partition" and rule.state != "gone"]
    return Cleared(tuple(cleared), tuple(left))


def clear(engine: Engine, lab: Lab, which: str | None = None) -> Cleared:
    """Takes back a rule by its id, all of a link or of a node, or with None all there are.

    Raises LabError `no-such-fault`, `fault-refused`, `probe-silent`.
    """
    known = rules.listing(engine, lab)
    return Cleared(tuple(rules.clear(engine, lab, rules.pick(lab, known, which, which is None))))
