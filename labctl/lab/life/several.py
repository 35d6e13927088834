"""One verb done to several nodes at the same time. What fails at one of them hides nothing of the others."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from labctl.engine.model import Engine
from labctl.errors import LabError
from labctl.lab.life.change import ENDS_OR_RENEWS, applies, change
from labctl.lab.model import Lab, Node
from labctl.lab.probes import at_once


@dataclass(frozen=True)
class Outcome:
    """What came of the verb at one node, after so many seconds; `problem` where it failed. `besides` are the nodes on
    its network, to which it was done as well."""

    node: str
    seconds: float
    problem: LabError | None = None
    besides: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """As `labctl stop --json` and its like have it."""
        found: dict[str, Any] = {"node": self.node, "done": self.problem is None, "seconds": round(self.seconds, 3)}
        if self.besides:
            found["besides"] = list(self.besides)
        if self.problem:
            found["error"] = self.problem.as_json()
        return found


def fitting(verb: str, nodes: Sequence[Node]) -> tuple[list[Node], list[Node]]:
    """Of all nodes of a lab those to which the verb can be done, and those that are left alone as they are."""
    return [node for node in nodes if applies(verb, node)], [node for node in nodes if not applies(verb, node)]


def change_all(
    engine: Engine,
    lab: Lab,
    verb: str,
    nodes: Sequence[Node],
    report: Callable[[Outcome], None],
    *,
    timeout: float,
    signal: str | None = None,
) -> list[Outcome]:
    """Does the verb to each node, and tells what came of it as soon as that is known; all outcomes, in their order.

    `timeout` in seconds is each one's own.
    """
    one_at_a_time = threading.Lock()

    def one(node: Node) -> Outcome:
        begun, problem, besides = time.monotonic(), None, []
        try:
            besides = change(engine, lab, verb, node.name, timeout=timeout, signal=signal)
        except LabError as found:
            problem = found
        outcome = Outcome(node.name, time.monotonic() - begun, problem, tuple(besides))
        with one_at_a_time:
            report(outcome)
        return outcome

    alone = signal not in (None, "SIGKILL")  # a network outlives any other signal, and so do its programs
    return at_once(one, [node for node in nodes if alone or not _goes_with_another(verb, node, nodes)])


def _goes_with_another(verb: str, node: Node, nodes: Sequence[Node]) -> bool:
    """Whether the verb is done to a node when it is done to the owner of its network."""
    owner = node.owner
    return owner is not None and verb in ENDS_OR_RENEWS and any(one.name == owner.name for one in nodes)
