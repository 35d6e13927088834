"""Faults on links: sets rules, lists them with what they have done, takes them back."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from labctl.engine.model import LABEL_RULES, Container, Engine
from labctl.errors import LabError, nearest
from labctl.lab import probes
from labctl.lab.faults.commit import Change, FaultLock, apply
from labctl.lab.faults.gate import follow_rules
from labctl.lab.faults.spec import RuleSpec
from labctl.lab.links import Way, peers, ways
from labctl.lab.model import TOGETHER, Lab, Node

TIMEOUT = 10.0  # seconds for the probes' answers


@dataclass(frozen=True)
class Fault:
    """A rule on one way of a link. `state` is `in force`, `done` (it found all packets that it is for), `waiting` (for
    its node's start), or `gone` and `out of force` with a `reason`. `matched` and `done` are None where nobody knows
    them any more; `answers`: its probe can be told to take it back."""

    id: str
    link: str
    node: str
    what: str
    kind: str
    seed: int
    matched: int | None = 0
    done: Mapping[str, int] | None = field(default_factory=dict)
    state: str = "in force"
    reason: str = ""
    answers: bool = True

    def as_json(self) -> dict[str, Any]:
        """As `labctl fault ls --json` has it."""
        keys = ("id", "link", "node", "what", "kind", "seed", "matched", "done", "state")
        return {key: getattr(self, key) for key in keys} | ({"reason": self.reason} if self.reason else {})


@dataclass(frozen=True)
class Applied:
    """A rule that was put in force, or is kept for the start of the node `on_start`: one id for all ways of it."""

    id: str
    what: str
    seed: int
    links: tuple[str, ...]
    by_chance: bool  # the seed decides which packets it is about
    on_start: str | None = None

    def as_json(self) -> dict[str, Any]:
        found = {"id": self.id, "what": self.what, "seed": self.seed, "links": list(self.links)}
        return found | ({"on_start": self.on_start} if self.on_start else {})


def add(engine: Engine, lab: Lab, chosen: list[Way], wanted: RuleSpec, *, timeout: float = TIMEOUT) -> Applied:
    """Puts one rule in force on each way. Raises LabError `fault-twice` and those of `probes.ask`."""
    lock = FaultLock(lab)
    lock.acquire(timeout)
    try:
        known = listing(engine, lab)
        _refuse_twice(known, chosen, wanted)
        ident, seed = _next_id(known, engine, lab), wanted.seed if wanted.seed is not None else _new_seed()
        senders = {way.sender.probed: way.sender for way in chosen}
        ensured = probes.ensure(engine, lab, senders.values())
        running = {probed: ensured[sender.name] for probed, sender in senders.items()}
        changes: dict[str, Change] = {}
        for way in chosen:
            changes.setdefault(way.sender.probed, {"set": []})["set"].append(_rule(ident, way, wanted, seed))
        apply(engine, running, changes, timeout)
    finally:
        lock.close()
    return Applied(ident, wanted.what, seed, tuple(way.link for way in chosen), wanted.by_chance)


def listing(engine: Engine, lab: Lab) -> list[Fault]:
    """All rules there are, and those that are gone though nobody took them back; by id."""
    there = probes.all_of(engine, lab.name)
    hosts = {host.probed: host for host in lab.hosts}
    living: list[Container] = []
    found: list[Fault] = []
    for name, probe in there.items():
        node = hosts.get(name)
        # The kernel of a paused node goes on, and its probe does.
        if node and node.has_network and probe.state == "running" and not probes.is_stale(engine, node, probe):
            living.append(probe)
        elif not probes.has_gone(engine, probe):
            found += _gone(engine, node.name if node else name, probe)
    for name, event in probes.rules_of(engine, living, TIMEOUT).items():
        missing = str(event.get("missing") or "")
        found += [_fault(hosts[name].name, rule, missing=missing) for rule in event.get("rules") or ()]
    for name, probe in probes.all_of(engine, lab.name, probes.ON_START).items():
        found += [_fault(name, rule, "waiting") for rule in _kept(probe)]
    return sorted(found, key=lambda fault: (_number(fault.id), fault.link))


def clear(engine: Engine, lab: Lab, which: Iterable[Fault], *, timeout: float = TIMEOUT) -> list[Fault]:
    """Takes rules back, all at once; gives them. Those that are gone are forgotten."""
    lock = FaultLock(lab)
    lock.acquire(timeout)
    try:
        chosen = list(which)
        there = probes.all_of(engine, lab.name)
        changes: dict[str, Change] = {}
        for fault in chosen:
            probed = fault.node.partition(TOGETHER)[0]
            if fault.state == "waiting":
                continue
            if fault.answers:
                changes.setdefault(probed, {"clear": []})["clear"].append([fault.id, fault.link])
            else:
                _forget(engine, lab, there[probed])
        _forget_waiting(engine, lab, [fault for fault in chosen if fault.state == "waiting"])
        apply(engine, there, changes, timeout)
    finally:
        lock.close()
    return chosen


def pick(lab: Lab, known: list[Fault], text: str | None, everything: bool) -> list[Fault]:
    """The rules that an id, a link or a node's name means. Raises LabError `no-such-fault`."""
    if everything:
        return known
    assert text is not None
    found = [fault for fault in known if fault.id == text]
    if not found and not re.fullmatch(r"f\d+", text):
        links = {way.link for way in ways(lab, text)}
        found = [fault for fault in known if fault.link in links]
    if not found:
        near = nearest(text, sorted({fault.id for fault in known}))
        raise LabError("no-such-fault", name=text, near=near)
    return found


def add_on_start(engine: Engine, lab: Lab, node: Node, chosen: list[Way], wanted: RuleSpec) -> Applied:
    """Keeps a rule for each start of a node, from whose first packet on it then holds."""
    lock = FaultLock(lab)
    lock.acquire(TIMEOUT)
    try:
        known = listing(engine, lab)
        _refuse_twice([fault for fault in known if fault.state == "waiting"], chosen, wanted)
        ident, seed = _next_id(known, engine, lab), wanted.seed if wanted.seed is not None else _new_seed()
        keeper = probes.all_of(engine, lab.name, probes.ON_START).get(node.name)
        rules = (_kept(keeper) if keeper else []) + [_rule(ident, way, wanted, seed) for way in chosen]
        _keep(engine, lab, node, keeper, rules)
    finally:
        lock.close()
    return Applied(ident, wanted.what, seed, tuple(way.link for way in chosen), wanted.by_chance, node.name)


def kept_for(engine: Engine, lab: Lab, node: Node) -> list[dict[str, Any]]:
    """The rules that wait for a node's start, with the addresses that their links' other ends have now."""
    keeper = probes.all_of(engine, lab.name, probes.ON_START).get(node.name)
    rules = _kept(keeper) if keeper else []
    for rule in rules:
        if rule["peers"] is not None:
            rule["peers"] = list(peers(node, lab.node(rule["link"].partition(":")[2])))
    return rules


def _keep(engine: Engine, lab: Lab, node: Node, keeper: Container | None, rules: list[dict[str, Any]]) -> None:
    if rules:
        import json

        # First the new one, then the old one away: whatever happens, none that was set before is lost.
        engine.create_probe(probes.order(lab, node, probes.ON_START, {LABEL_RULES: json.dumps(rules)}))
    if keeper:
        engine.remove_container(keeper.id)
    follow_rules(engine, node, bool(rules))


def _kept(keeper: Container) -> list[dict[str, Any]]:
    import json

    return list(json.loads(keeper.labels.get(LABEL_RULES, "[]")))


def _forget_waiting(engine: Engine, lab: Lab, chosen: list[Fault]) -> None:
    for name in {fault.node for fault in chosen}:
        keeper = probes.all_of(engine, lab.name, probes.ON_START)[name]
        gone = {fault.id for fault in chosen if fault.node == name}
        _keep(engine, lab, lab.node(name), keeper, [rule for rule in _kept(keeper) if rule["id"] not in gone])


def _forget(engine: Engine, lab: Lab, probe: Container) -> None:
    """A probe that starts again has no rules; one whose node doesn't run can't."""
    from labctl.engine.model import LABEL_PROBED

    node = next((node for node in lab.hosts if node.probed == probe.labels.get(LABEL_PROBED)), None)
    if node and node.is_running and probe.state != "paused":
        probes.ensure(engine, lab, [node])
    else:
        engine.remove_container(probe.id)


def _rule(ident: str, way: Way, wanted: RuleSpec, seed: int) -> dict[str, Any]:
    peers = None if way.peers is None else list(way.peers)
    head = {"id": ident, "link": way.link, "peers": peers, "kind": wanted.kind, "what": wanted.what, "seed": seed}
    return {**head, **wanted.fields}


def _fault(node: str, rule: Mapping[str, Any], state: str = "", missing: str = "") -> Fault:
    """`missing` is what the kernel lacks of what the rules of that node need, as a sentence."""
    matched = int(rule.get("matched", 0))
    times = rule.get("times")
    spent = times is not None and matched >= times
    return Fault(
        id=rule["id"],
        link=rule["link"],
        node=node,
        what=rule["what"],
        kind=rule["kind"],
        seed=rule["seed"],
        matched=matched,
        done=rule.get("done") or {},
        state=state or ("done" if spent else "out of force" if missing else "in force"),
        reason="" if state or spent else missing,
    )


def _gone(engine: Engine, node: str, probe: Container) -> list[Fault]:
    """Of a probe that can't be asked: what its journal says of rules that nobody took back."""
    found: list[Fault] = []
    for (ident, _), events in probes.last_rules(engine, probe).items():
        last, told = events[-1], events[0]
        reason = str(last.get("reason") or "")
        if last.get("state") == "ended" and reason not in ("the node's network is gone", "the probe was stopped"):
            continue
        state = "out of force" if probe.state == "paused" else "gone"
        why = reason or ("its probe is paused" if probe.state == "paused" else "its probe ended")
        found.append(
            Fault(
                id=ident,
                link=str(told.get("link")),
                node=node,
                what=str(told.get("what") or ""),
                kind=str(told.get("kind") or ""),
                seed=int(told.get("seed") or 0),
                matched=last.get("matched"),  # whoever was killed took its counts along
                done=last.get("done"),
                state=state,
                reason=why,
                answers=False,
            )
        )
    return found


def _refuse_twice(known: list[Fault], chosen: list[Way], wanted: RuleSpec) -> None:
    links = {way.link for way in chosen}
    for fault in known:
        same = fault.link in links and fault.what == wanted.what
        # One that is out of force comes back with the next change, and would do everything twice as well.
        if same and fault.state in ("in force", "out of force", "waiting"):
            raise LabError("fault-twice", link=fault.link, what=wanted.what, id=fault.id)


def _next_id(known: list[Fault], engine: Engine, lab: Lab) -> str:
    return f"f{highest_number(known, engine, lab) + 1}"


def highest_number(known: list[Fault], engine: Engine, lab: Lab) -> int:
    """The highest that any journal of a probe speaks of: an id means one rule, for the lab's life."""
    highest = max((_number(fault.id) for fault in known), default=0)
    there = probes.all_of(engine, lab.name).values()
    for probe in there:
        if probe.state != "created":
            highest = max([highest, *map(_number, probes.all_ids(engine, probe))])
    return highest


def _number(ident: str) -> int:
    return int(re.sub(r"\D", "", ident) or 0)


def _new_seed() -> int:
    return int.from_bytes(os.urandom(3), "big")
