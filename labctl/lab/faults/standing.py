"""Rules that a node has from its first packet on: what its topology says of its links, and what `--on-start` kept.

The node's program waits for them: how it is told to, services/base/labnode/gate.py says.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from labctl.engine.model import Engine
from labctl.lab import probes
from labctl.lab.faults.gate import conditions_of
from labctl.lab.model import Lab, Node


def put_in_force(engine: Engine, lab: Lab, nodes: Iterable[Node], timeout: float | None = None) -> None:
    """Sets, on running nodes, what stands in their labels and what waits for their start; again is no harm. `timeout`
    is in seconds, without it what orders to probes have.

    Raises LabError.
    """
    kept = probes.all_of(engine, lab.name, probes.ON_START)
    chosen = [node for node in nodes if node.is_running and (conditions_of(node) or node.name in kept)]
    if chosen:
        _put(engine, lab, chosen, timeout)


def _put(engine: Engine, lab: Lab, chosen: list[Node], timeout: float | None) -> None:
    from labctl.lab.faults import rules  # most labs have none
    from labctl.lab.faults.commit import Change, FaultLock, apply

    timeout = rules.TIMEOUT if timeout is None else timeout
    lock = FaultLock(lab)
    lock.acquire(timeout)
    try:
        hosts = {host.probed: host for host in map(lab.host, chosen)}
        ensured = probes.ensure(engine, lab, hosts.values())
        running = {probed: ensured[host.name] for probed, host in hosts.items()}
        there = rules.listing(engine, lab)
        known = {(fault.link, fault.what) for fault in there if fault.state in ("in force", "out of force", "done")}
        out_of_force = {fault.node for fault in there if fault.state == "out of force"}
        number = rules.highest_number(there, engine, lab)
        changes: dict[str, Change] = {}
        for node in chosen:
            due = _standing(lab, node, number) + rules.kept_for(engine, lab, node)
            number += len(due)
            fresh = [rule for rule in due if (rule["link"], rule["what"]) not in known]
            if fresh or lab.host(node).name in out_of_force:  # any change puts all of them in force again
                changes.setdefault(node.probed, {"set": []})["set"] += fresh
        apply(engine, running, changes, timeout)
    finally:
        lock.close()


def _standing(lab: Lab, node: Node, number: int) -> list[dict[str, Any]]:
    from labctl.faults.conditions import parse_words
    from labctl.lab.choosing import of_service
    from labctl.lab.links import peers

    told = []
    for to, text in conditions_of(node):
        for other in of_service(lab, to):
            number += 1
            receiver = lab.host(other)
            found = parse_words(text, to)
            link = f"{lab.host(node).name}:{receiver.name}"
            head = {"id": f"f{number}", "link": link, "peers": list(peers(node, receiver)), "kind": "standing"}
            # The same seed at every start: what a topology says is what it gives.
            told.append({**head, "what": str(found), "seed": 1, **found.as_json()})
    return told
