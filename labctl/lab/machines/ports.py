"""Whether machines reach each other at the ports that a swarm needs: tried from both ends, by a helper on each.

Where a port is free, the helper itself listens. Where the swarm has it: TCP connects all the same; that a machine takes
the others' datagrams at 7946 is seen from its answers to them; and datagrams at 4789 are tried by sending some over a
network of the swarm. What none of this shows is unknown.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from labctl.engine.model import LABEL_LAB, LABEL_OWNER, LABEL_PROBE, PROBE_IMAGE
from labctl.engine.swarm import MachineEngine, Membership
from labctl.errors import LabError
from labctl.lab import owners
from labctl.lab.machines.asking import Engines, ask
from labctl.lab.machines.finding import Finding
from labctl.lab.machines.helper import Helper, helpers

MANAGERS, GOSSIP, GOSSIP_UDP, VXLAN = "tcp/2377", "tcp/7946", "udp/7946", "udp/4789"
PORTS = (MANAGERS, GOSSIP, GOSSIP_UDP, VXLAN)
TRIAL = "udp/4789"  # inside a network of the swarm, any port would do
LAB, KIND = "labctl-check-", "machines"  # how the helpers' labs begin, and what they are for
REMOVE_LIMIT, AGAIN = 5.0, 0.2  # seconds
BUILD_LIMIT, SEND_LIMIT = 600.0, 300.0  # seconds
_NOT_OVER = "nothing comes back over a network of the swarm"  # where both ways pass the port: either may be cut
SECONDS, LONGER = 3.0, 8.0  # seconds for all tries; and where the swarm's own datagrams are waited for

Report = Callable[[str], None]


@dataclass(frozen=True)
class Passage:
    """Whether what `sender` sends to a port of `receiver` arrives: open, closed or unknown, and how that was seen."""

    sender: str
    receiver: str
    port: str
    state: str
    seen: str


def check_ports(
    engines: Engines,
    states: Mapping[str, Membership],
    addresses: Mapping[str, str],
    source: MachineEngine,
    report: Report,
) -> Iterator[Finding]:
    """`addresses` are those at which a machine is reached that is in no swarm yet."""
    at = {name: states[name].address or addresses.get(name, "") for name in engines}
    for name in [name for name in engines if not at[name]]:
        yield Finding(name, "ports", "note", "unknown: at which address the others reach it isn't known")
    some = {name: engines[name] for name in engines if at[name]}
    if len(some) < 2:
        return
    problems = _give_probe(some, source, report)
    for name, why in problems.items():
        yield Finding(name, "ports", "note", f"unknown: it has no image of labctl's, and {why}", "`labctl build` here")
    some = {name: engine for name, engine in some.items() if name not in problems}
    report("looking at the ports between them")
    ask(some, lambda _, engine: _sweep(engine))
    lab = f"{LAB}{os.urandom(3).hex()}"
    labels = {LABEL_LAB: lab, LABEL_OWNER: str(owners.me()), LABEL_PROBE: KIND}
    with helpers(some, lab, labels, PORTS, "host") as (there, failed):
        for name, problem in failed.items():
            yield Finding(name, "ports", "note", f"unknown: {problem.message}", problem.hint)
        told = _told(there)
        found = list(_passages(there, told, at)) if len(told) > 1 else []
    if any(one.port == VXLAN and one.state == "unknown" for one in found):
        crossed = _over_a_network(some, states, lab, labels)
        found = [_with_network(one, crossed) for one in found]
    for name in told:
        yield from _findings(name, [one for one in found if one.receiver == name], told[name], states[name])


def _give_probe(engines: Engines, source: MachineEngine, report: Report) -> dict[str, str]:
    """Sees to it that the helpers' image is there; who doesn't have it, and why."""
    from labctl.engine.several import images
    from labctl.lab.images.needed import ensure_probe

    try:
        ensure_probe(source, report, BUILD_LIMIT)
    except LabError as problem:  # who has it all the same is looked at
        has, _ = ask(engines, lambda _, engine: engine.image(PROBE_IMAGE) is not None)
        return {name: problem.message for name in engines if not has.get(name)}

    with contextlib.suppress(LabError):  # saved once for all
        images.send(source, engines, [PROBE_IMAGE], report, SEND_LIMIT)

    def give(name: str, engine: MachineEngine) -> None:
        images.send(source, {name: engine}, [PROBE_IMAGE], report, SEND_LIMIT)

    return {name: problem.message for name, problem in ask(engines, give)[1].items()}


def _sweep(engine: MachineEngine) -> None:
    """Removes what a labctl that was killed has left: helpers that have ended by themselves, and networks of theirs."""
    for container in engine.containers([f"{LABEL_PROBE}={KIND}"]):
        if container.state != "running":
            engine.remove_container(container.id)
    for network in engine.networks([f"{LABEL_PROBE}={KIND}"]):
        with contextlib.suppress(LabError):  # a look that goes on has it
            engine.remove_network(network.id)


def _told(there: Mapping[str, Helper]) -> dict[str, Any]:
    """What the helpers say of themselves: which ports somebody else has there, and their own address."""
    return ask(there, lambda _, helper: helper.order({"do": "tell"}))[0]


def _passages(there: Mapping[str, Helper], told: Mapping[str, Any], at: Mapping[str, str]) -> Iterator[Passage]:
    held = {name: set(told[name]["held"]) for name in told}
    gossiping = {name for name in told if GOSSIP_UDP in held[name]}

    def try_all(name: str, helper: Helper) -> Any:
        watched = {other: at[other] for other in gossiping - {name}} if name in gossiping else {}
        seconds = LONGER if watched else SECONDS
        order = {
            "do": "try",
            "peers": {other: at[other] for other in told if other != name},
            "silent": {other: sorted(held[other]) for other in told},
            "watch": [7946] if watched else [],
            "watched": watched,
            "seconds": seconds,
        }
        return helper.order(order, seconds)

    answers, _ = ask({name: there[name] for name in told}, try_all)
    for receiver in told:
        for sender in answers:
            if sender != receiver:
                seen = answers.get(receiver, {"watched": {}})["watched"].get(sender, {})
                for port, state in answers[sender]["found"][receiver].items():
                    yield _passage(sender, receiver, port, state, port in held[receiver], seen)


def _passage(sender: str, receiver: str, port: str, state: str, is_held: bool, seen: Mapping[str, Any]) -> Passage:
    watched = seen.get(port.partition("/")[2], {}) if port == GOSSIP_UDP else {}
    if state == "open":
        return Passage(sender, receiver, port, "open", "tried")
    if state == "refused":
        return Passage(sender, receiver, port, "closed", "refused")
    if watched.get("taken"):
        return Passage(sender, receiver, port, "open", "the swarm answers what comes there")
    if watched.get("came"):
        return Passage(sender, receiver, port, "unknown", "the swarm's datagrams come, and no answer to them was seen")
    if is_held and port.startswith("udp"):
        return Passage(sender, receiver, port, "unknown", "the swarm has it, and nothing was seen there")
    return Passage(sender, receiver, port, "closed", "nothing comes back")


def _over_a_network(engines: Engines, states: Mapping[str, Membership], lab: str, labels: Mapping[str, str]) -> Any:
    """Which machines, as (sender, receiver), reach each other over a network of their swarm; None where there is no
    such network."""
    manager = next((engines[name] for name in engines if states[name].is_manager), None)
    if manager is None:
        return None
    try:
        network = manager.create_overlay(lab, labels)
    except LabError:
        return None
    try:
        with helpers(engines, lab, labels, [TRIAL], lab) as (there, _):
            told = _told(there)
            at = {name: told[name]["address"] for name in told}
            found = _passages(there, {name: {"held": []} for name in told}, at)
            return {(one.sender, one.receiver): one.state == "open" for one in found}
    finally:
        _remove(manager, network)


def _remove(manager: MachineEngine, network: str) -> None:
    """A moment later than the engines, the swarm knows that nobody is on it; and it lists the network for a moment when
    it is removed. What stays, a later look sweeps."""
    deadline = time.monotonic() + REMOVE_LIMIT
    while time.monotonic() < deadline:
        with contextlib.suppress(LabError):
            manager.remove_network(network)
        with contextlib.suppress(LabError):
            if all(one.id != network for one in manager.networks()):
                return
        time.sleep(AGAIN)


def _with_network(one: Passage, crossed: Mapping[tuple[str, str], bool] | None) -> Passage:
    if one.port != VXLAN or one.state != "unknown" or crossed is None:
        return one
    passed = crossed.get((one.sender, one.receiver))
    if passed is None:
        return one
    if passed:
        return Passage(one.sender, one.receiver, one.port, "open", "tried over a network of the swarm")
    return Passage(one.sender, one.receiver, one.port, "closed", _NOT_OVER)


def _findings(name: str, found: list[Passage], told: Mapping[str, Any], state: Membership) -> Iterator[Finding]:
    """One for all that is open, and one for each port that isn't."""
    values = {"ports": [{"port": one.port, "from": one.sender, "state": one.state, "seen": one.seen} for one in found]}
    if not state.is_in and told["held"]:
        what = f"{_words(told['held'])} is taken there by another program, and a swarm needs it"
        yield Finding(name, "ports", "bad", what, "end that program, or let it listen elsewhere")
    opened = [port for port in PORTS if all(one.state == "open" for one in found if one.port == port)]
    senders = ", ".join(dict.fromkeys(one.sender for one in found))
    if opened:
        yield Finding(name, "ports", "ok", f"{_words(opened)} reached from {senders}", values=values)
    for state_, level in (("closed", "bad"), ("unknown", "note")):
        for port in PORTS:
            those = [one for one in found if one.port == port and one.state == state_]
            if those:
                who = ", ".join(one.sender for one in those)
                way = "to or from" if those[0].seen == _NOT_OVER else "from"
                what = f"{_words([port])} {way} {who}: {state_} ({those[0].seen})"
                yield _unopened(name, port, level == "bad", what, state, {} if opened else values)


def _unopened(
    name: str, port: str, is_closed: bool, what: str, state: Membership, values: Mapping[str, Any]
) -> Finding:
    if is_closed and port == MANAGERS and state.is_in and not state.is_manager:
        return Finding(name, "ports", "note", f"{what}; only managers of the swarm need it", "", values)
    mend = "let it pass, in the machines' own packet filters and between them" if is_closed else ""
    return Finding(name, "ports", "bad" if is_closed else "note", what, mend, values)


def _words(ports: list[str]) -> str:
    """`2377/tcp, 7946/tcp`."""
    return ", ".join("/".join(reversed(port.split("/"))) for port in ports)
