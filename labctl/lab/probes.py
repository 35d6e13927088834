"""The helper containers that stay with a node, and the orders that are typed at them (docs/faults.md)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from labctl.engine.model import (
    LABEL_LAB,
    LABEL_OWNER,
    LABEL_PROBE,
    LABEL_PROBED,
    LABEL_SHARES,
    LABEL_SOURCE,
    LABEL_TARGET,
    PROBE_IMAGE,
    Container,
    Engine,
    ProbeOrder,
)
from labctl.errors import EngineRefused, LabError
from labctl.events.codec import decode, normalise
from labctl.events.model import Event
from labctl.lab import owners
from labctl.lab.keyboard.typed import envelope
from labctl.lab.model import Lab, Node, refuse_host_network
from labctl.named import NamedTuple
from labctl.phases import reached

WORKERS = 4
READ_LIMIT = 30.0  # seconds for a probe's log
NAME_LIMIT = 10.0  # seconds until a probe's name must be free
LOOK_AGAIN = 0.05  # seconds
T = TypeVar("T")


class Kind(NamedTuple):
    """What a helper container is for: its program, and what that may do. One that `shares` has the lab's volume with
    others; of one that `forgets` nothing is of use once it has ended, or labctl is a newer one: it is made anew. Of a
    `single` one there is at most one at a node: of nodes with one network one for all of them, but for `own`."""

    name: str
    program: str
    started: str  # the phase when the first one runs
    capabilities: tuple[str, ...] = ("NET_ADMIN", "NET_RAW")
    processes: bool = False
    shares: bool = False
    forgets: bool = False
    memory: int = 256  # MiB
    single: bool = False
    own: bool = False

    def place(self, node: Node) -> Node:
        """Where one for a node is: at the owner of its network."""
        return node if self.own else node.owner or node


FAULTS = Kind("faults", "fault_probe.py", "fault:probe-started", shares=True, single=True)
# Never started: its label keeps rules for a node's start.
ON_START = Kind("on-start", "fault_probe.py", "", shares=True, own=True)
CAPTURE = Kind("capture", "capture_probe.py", "capture:probe-started", forgets=True, single=True)
# Sees the node's processes: their sockets and system calls. DAC_OVERRIDE: /proc/PID/fd is its owner's alone; NET_RAW: a
# packet wakes it.
PROCESSES = Kind(
    "processes",
    "process_probe.py",
    "processes:probe-started",
    ("DAC_OVERRIDE", "NET_ADMIN", "NET_RAW", "SYS_PTRACE"),
    processes=True,
    forgets=True,
    single=True,
    own=True,
)


class Order(NamedTuple):
    """One line for one probe."""

    probe: Container
    text: str
    options: Mapping[str, Any]


def all_of(engine: Engine, lab: str, kind: Kind = FAULTS) -> dict[str, Container]:
    """The lab's probes of a kind, by the name of their node (`Node.probed`)."""
    found = engine.containers([f"{LABEL_LAB}={lab}", f"{LABEL_PROBE}={kind.name}"])
    return {container.labels.get(LABEL_PROBED, ""): container for container in found}


def order(
    lab: Lab,
    node: Node,
    kind: Kind = FAULTS,
    labels: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> ProbeOrder:
    """What the engine is asked for. Raises LabError `host-namespace`."""
    refuse_host_network(node)
    at = kind.place(node)
    named = node.name if kind.own else node.probed
    # Of nodes with one network, each probe sees all sockets there, and the processes of its own node alone.
    word = shares(lab, node) if kind.processes else ""
    known = {"LABCTL_SHARES": word} if word else {}
    own = {LABEL_LAB: lab.name, LABEL_PROBE: kind.name, LABEL_PROBED: named, LABEL_TARGET: at.container.id}
    own[LABEL_OWNER] = str(owners.me())
    if word:
        own[LABEL_SHARES] = word
    # The engine gives a name to one container alone, which decides between two labctl at the same moment.
    name = f"{lab.name}-{named}-{kind.name}{'' if kind.single else '-' + os.urandom(3).hex()}"
    return ProbeOrder(
        name,
        ("python3", f"/opt/probe/{kind.program}"),
        at.container.id,
        {**own, **(labels or {})},
        {"LABCTL_NODE": named, **known, **(environment or {})},
        f"{lab.name}_labctl" if kind.shares else None,
        kind.capabilities,
        kind.processes,
        kind.memory,
    )


def shares(lab: Lab, node: Node) -> str:
    """What a probe of a node's processes has to know of others with the same network (services/probe/sockets.py)."""
    if node.owner:
        return "other"
    return "first" if len(lab.members(node)) > 1 else ""


def ensure(
    engine: Engine,
    lab: Lab,
    nodes: Iterable[Node],
    kind: Kind = FAULTS,
    environments: Mapping[str, Mapping[str, str]] | None = None,
) -> dict[str, Container]:
    """A running probe for each of some running nodes, in the network namespace that the node has now. `environments`
    are variables for those that are made anew, by node. Of nodes with one network, the host is to be given."""
    chosen = list(nodes)
    names = {_key(node, kind) for node in chosen}
    there = {name: probe for name, probe in all_of(engine, lab.name, kind).items() if name in names}
    if kind.forgets and there:
        source = source_now(engine)
        for name, probe in list(there.items()):
            if probe.state not in ("running", "created") or is_outdated(probe, source):
                _end(engine, probe)
                del there[name]

    def one(node: Node) -> tuple[str, Container]:
        more = (environments or {}).get(node.name, {})
        return node.name, _ensure(engine, lab, node, there.get(_key(node, kind)), kind, more)

    return dict(at_once(one, chosen))


def _key(node: Node, kind: Kind) -> str:
    return node.name if kind.own else node.probed


def _ensure(
    engine: Engine, lab: Lab, node: Node, probe: Container | None, kind: Kind, environment: Mapping[str, str]
) -> Container:
    # Its node was made anew; or it would remember nothing, and have the environment of another time.
    at = kind.place(node)
    stale = probe and kind.forgets and probe.state == "running" and is_stale(engine, at, probe)
    if probe and (is_another(at, probe) or stale):
        _end(engine, probe)
        probe = None
    if probe is None:
        ident = _create(engine, lab, node, kind, environment)
        engine.change("start", ident)
        reached(kind.started)
    elif probe.state == "paused":
        raise LabError("probe-paused", node=node.name, probe=probe.name)
    elif probe.state != "running":
        ident = probe.id
        engine.change("start", ident)
    elif is_stale(engine, at, probe):
        ident = probe.id
        engine.change("restart", ident)
    else:
        return probe
    made = next((found for found in engine.containers([f"{LABEL_LAB}={lab.name}"]) if found.id == ident), None)
    if made is None:
        raise LabError("engine-refused", action="start a probe", why=f"that of {node.name} was removed meanwhile")
    return made


def _end(engine: Engine, probe: Container) -> None:
    """In order, so that whoever listens to it hears that it was the end."""
    if probe.state == "running":
        try:
            engine.change("stop", probe.id)
        except EngineRefused:  # another labctl has ended it at this moment
            if not has_gone(engine, probe):
                raise
    engine.remove_container(probe.id)


def has_gone(engine: Engine, probe: Container) -> bool:
    """Whether a probe has been removed since it was listed."""
    same = [f"{LABEL_PROBE}={probe.labels[LABEL_PROBE]}"]
    return all(found.id != probe.id for found in engine.containers(same))


def _create(engine: Engine, lab: Lab, node: Node, kind: Kind, environment: Mapping[str, str]) -> str:
    """A new probe that isn't started yet, or the one that another labctl makes at the same moment; its id."""
    if kind.processes and engine.details(node.container.id).host_processes:
        raise LabError("host-namespace", node=node.name, what="process table", mode="pid: host")
    wanted = order(lab, node, kind, environment=environment)
    deadline = time.monotonic() + NAME_LIMIT
    while time.monotonic() < deadline:
        if ident := engine.create_probe(wanted):
            return ident
        other = all_of(engine, lab.name, kind).get(_key(node, kind))
        if other and not is_another(kind.place(node), other) and other.state in ("created", "running"):
            return other.id
        time.sleep(LOOK_AGAIN)  # the engine is at work removing it
    raise LabError("engine-refused", action="make a probe", why=f"the name {wanted.name} is another container's")


def source_now(engine: Engine) -> str | None:
    """What the image of probes is built from now, if it is there."""
    image = engine.image(PROBE_IMAGE)
    return image.labels.get(LABEL_SOURCE) if image else None


def is_outdated(probe: Container, source: str | None) -> bool:
    """Whether the image of probes has been built anew since the probe was made."""
    return source is not None and source != probe.labels.get(LABEL_SOURCE)


def is_another(node: Node, probe: Container) -> bool:
    """Whether the probe belongs to a container that the node was before."""
    return probe.labels.get(LABEL_TARGET) != node.container.id


def is_stale(engine: Engine, node: Node, probe: Container) -> bool:
    """Whether the node has started since, and left the probe behind in a namespace of its own; or somebody who knew
    that has removed the probe since it was listed, to make another one."""
    begun = engine.details(node.container.id).started
    try:
        known = engine.details(probe.id).started
    except EngineRefused:
        if not has_gone(engine, probe):
            raise
        return True
    return (normalise(begun) or "") > (normalise(known) or "")


def ask(engine: Engine, orders: Sequence[Order], timeout: float) -> Iterator[tuple[Container, Event]]:
    """Types all orders at once, and yields each probe's answers (`rules`, `prepared`) as they come.

    Whoever calls stops listening when it has what it wants. Raises LabError `fault-refused` where a probe answers with
    an error, `probe-failed` where it ends, `probe-silent` when the time is over.
    """
    idents = {item.probe.id: os.urandom(6).hex() for item in orders}
    probes = {item.probe.id: item.probe for item in orders}
    streams = [engine.attach(item.probe.id, keyboard=True) for item in orders]
    deadline = time.monotonic() + timeout  # from when the engine has answered, however far away it is
    silent = dict(probes)
    try:
        for stream, item in zip(streams, orders, strict=True):
            stream.write(envelope(idents[item.probe.id], item.text, options=item.options))
        for happening in engine.wait(streams, deadline):
            probe = probes[happening.stream.container]
            node = probe.labels.get(LABEL_PROBED, "")
            if happening.line is None:
                raise LabError("probe-failed", command="faults", status="none", why=_last_words(engine, probe))
            event = decode(happening.line.text, node=node, stderr=happening.line.stderr)
            if event.id != idents[probe.id]:
                continue
            if event.name == "error":
                raise LabError("fault-refused", node=node, why=event.get("reason"), error=event.get("error"))
            if event.name in ("rules", "prepared"):
                silent.pop(probe.id, None)
                yield probe, event
    finally:
        for stream in streams:
            stream.close()
    names = sorted(probe.labels.get(LABEL_PROBED, "") for probe in (silent or probes).values())
    raise LabError("probe-silent", nodes=", ".join(names))


def rules_of(engine: Engine, probes: Iterable[Container], timeout: float) -> dict[str, Event]:
    """What each running probe says of its rules, by the name of its node."""
    orders = [Order(probe, "list", {}) for probe in probes]
    found: dict[str, Event] = {}
    if orders:
        for probe, event in ask(engine, orders, timeout):
            found[probe.labels.get(LABEL_PROBED, "")] = event
            if len(found) == len(orders):
                break
    return found


def last_rules(engine: Engine, probe: Container) -> dict[tuple[str, str], list[Event]]:
    """Of a probe that can't be asked: the `rule` events of its last run, by the rule's id and link."""
    found: dict[tuple[str, str], list[Event]] = {}
    for event in _journal(engine, probe):
        if event.name == "ready":
            found = {}
        elif event.name == "rule":
            found.setdefault((str(event.get("rule")), str(event.get("link"))), []).append(event)
    return found


def all_ids(engine: Engine, probe: Container) -> set[str]:
    """The ids of all rules that a probe ever had."""
    return {str(event.get("rule")) for event in _journal(engine, probe) if event.name == "rule"}


def _journal(engine: Engine, probe: Container) -> Iterator[Event]:
    stream = engine.logs(probe.id)
    try:
        for happening in engine.wait([stream], time.monotonic() + READ_LIMIT):
            # Most lines tell of packets; those are not looked into.
            if happening.line and b'"event":"fault"' not in happening.line.text:
                yield decode(happening.line.text, node=probe.labels.get(LABEL_PROBED, ""))
    finally:
        stream.close()


def _last_words(engine: Engine, probe: Container) -> str:
    from labctl.lab.life.ready import last_lines

    return " / ".join(last_lines(engine, probe.id, 2)) or "it said nothing"


def at_once(act: Callable[[Node], T], nodes: list[Node]) -> list[T]:
    """Does something at each node, at some of them at the same time; the results in their order."""
    if len(nodes) <= 1:
        return [act(node) for node in nodes]
    from concurrent.futures import ThreadPoolExecutor  # most commands need none, and it brings `logging` with it

    with ThreadPoolExecutor(min(WORKERS, len(nodes))) as pool:
        return list(pool.map(act, nodes))
