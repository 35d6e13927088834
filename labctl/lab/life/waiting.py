"""Waits until something is true of nodes, with a limit: a state, an event, an address that answers."""

from __future__ import annotations

import fnmatch
import json
import shlex
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from labctl.cancel import sleep
from labctl.engine.model import Container, Engine
from labctl.errors import LabError, Unresolved
from labctl.events.codec import decode
from labctl.events.model import Address, Event
from labctl.lab.life.ready import wait_ready
from labctl.lab.model import Lab, Node, containers_of
from labctl.lab.reach.datagram import host_and_port
from labctl.lab.reach.probe import look, target, with_nearest
from labctl.lab.reach.published import address

STATES = ("ready", "running", "healthy", "paused", "exited")
LOOK_AGAIN = 0.1  # seconds


@dataclass(frozen=True)
class Waited:
    """What came true at a node: its state with, of one that has exited, the status; after so many seconds."""

    node: str
    state: str
    seconds: float
    exit_code: int | None = None

    def as_json(self) -> dict[str, Any]:
        """As `labctl wait --json` has it."""
        found = {"node": self.node, "state": self.state, "seconds": round(self.seconds, 3)}
        return found if self.exit_code is None else found | {"exit_code": self.exit_code}


@dataclass(frozen=True)
class Answered:
    """Who takes TCP connections: both ends of the one that was made, how long that took, and after how many tries."""

    local: Address
    peer: Address
    rtt_ns: int
    tries: int

    def as_json(self) -> dict[str, Any]:
        """As `labctl wait --answers --json` has it."""
        ends = {"local": list(self.local), "peer": list(self.peer)}
        return {**ends, "rtt_ns": self.rtt_ns, "tries": self.tries}


def check_state(state: str) -> None:
    """Raises LabError `bad-option` where nodes know no such state."""
    if state not in STATES:
        raise LabError("bad-option", option="state", why=f"{state!r} is none of {', '.join(STATES)}")


def for_state(engine: Engine, lab: Lab, nodes: Sequence[Node], state: str, *, timeout: float) -> list[Waited]:
    """Until each node is in a state. `ready`: as `up` has it. Raises LabError `not-yet`, and at once `node-failed` or
    `never-healthy` where it can't come true any more."""
    begun = time.monotonic()
    deadline = begun + timeout
    if state == "ready":
        for node in nodes:
            lab.running(node.name, "it won't get ready")
        wait_ready(engine, Lab(lab.name, tuple(nodes), lab.ours), deadline, timeout, lambda text: None)
        return [Waited(node.name, state, time.monotonic() - begun) for node in nodes]
    waiting, done = {node.container.id: node for node in nodes}, {}
    while True:
        there = {container.id: container for container in containers_of(engine, lab.name)}
        for ident, node in list(waiting.items()):
            now = there.get(ident)
            if _is(engine, node, now, state):
                code = engine.details(ident).exit_code if state == "exited" and now else None
                done[node.name] = Waited(node.name, state, time.monotonic() - begun, code)
                del waiting[ident]
        if not waiting:
            return [done[node.name] for node in nodes]
        if time.monotonic() > deadline:
            seen = ", ".join(f"{node.name} is {_shown(there.get(ident))}" for ident, node in waiting.items())
            raise LabError("not-yet", what=f"{state}: {seen}", seconds=timeout)
        sleep(LOOK_AGAIN, engine.cancels)


def _shown(container: Container | None) -> str:
    return "gone" if container is None else container.health or container.state


def _is(engine: Engine, node: Node, now: Container | None, state: str) -> bool:
    if state == "exited":
        return now is None or now.state in ("exited", "dead")
    if state == "healthy":
        alive = now is not None and now.state in ("running", "restarting", "created")
        if not alive or (now and now.state == "running" and now.health is None):
            why = "it has no healthcheck" if alive else f"it is {_shown(now)}"
            raise LabError("never-healthy", node=node.name, why=why)
        return now is not None and now.health == "healthy"
    return now is not None and now.state == state


# Events


@dataclass(frozen=True)
class EventFilter:
    """An event by its name (`*` stands for any letters), a part of its text, and fields: `message "hi" peer=10.*`."""

    name: str
    texts: tuple[str, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()

    def matches(self, event: Event) -> bool:
        if not fnmatch.fnmatchcase(event.name, self.name):
            return False
        text = _text(event.get("text"))
        if not all(part in text for part in self.texts):
            return False
        return all(fnmatch.fnmatchcase(_field(event, key), pattern) for key, pattern in self.fields)


def event_filter(text: str) -> EventFilter:
    """Raises LabError `bad-option`."""
    try:
        name, *rest = shlex.split(text)
    except ValueError:
        why = f"{text!r} is no event: write its name, then parts of its text or fields, such as 'message \"hi\"'"
        raise LabError("bad-option", option="--event", why=why) from None
    pairs = [(word.partition("=")) for word in rest]
    fields = tuple((key, value) for key, equals, value in pairs if equals and key.isidentifier())
    texts = tuple(key + equals + value for key, equals, value in pairs if not (equals and key.isidentifier()))
    return EventFilter(name, texts, fields)


def _field(event: Event, key: str) -> str:
    if key in ("local", "peer"):
        ends: Address | None = getattr(event, key)
        return f"[{ends[0]}]:{ends[1]}" if ends and ":" in ends[0] else f"{ends[0]}:{ends[1]}" if ends else ""
    return event.node if key == "node" else _text(event.get(key))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None else json.dumps(value)


def for_event(
    engine: Engine,
    lab: Lab,
    nodes: Sequence[Node],
    what: EventFilter,
    *,
    since: str | None,
    timeout: float,
    begun: Callable[[], object],
) -> Event:
    """The first such event of any of the nodes, from now on or from a time on; `begun` is called once none can be
    missed any more. Raises LabError `not-yet`, `node-stopped` once none of the nodes writes any more."""
    deadline = time.monotonic() + timeout
    names = {node.container.id: node.name for node in nodes}
    streams = [engine.logs(node.container.id, follow=True, since=since, tail=None if since else 0) for node in nodes]
    try:
        begun()
        for happening in engine.wait(streams, deadline):
            if happening.line is None:
                continue
            name = names[happening.stream.container]
            event = decode(happening.line.text, node=name, stamp=happening.line.stamp, stderr=happening.line.stderr)
            if (since is None or event.ts >= since) and what.matches(event):
                return event
    finally:
        for stream in streams:
            stream.close()
    shown = ", ".join(names.values())
    if time.monotonic() < deadline:
        raise LabError("node-stopped", node=shown)
    raise LabError("not-yet", what=f"no such event at {shown}", seconds=timeout)


# Addresses


def for_answer(engine: Engine, lab: Lab, to: str, source: str | None, *, timeout: float) -> Answered:
    """Until somebody takes a TCP connection at HOST:PORT, asked from a node, else from this machine.

    Raises LabError `not-yet`.
    """
    host, port = host_and_port(to, "--answers")
    if source is None:
        return _from_here(engine, lab, host, port, to, timeout)
    node = lab.networked(source, "it can't ask")
    known = None
    with suppress(LabError):  # a node that isn't there yet, and has a name all the same
        known = target(lab, node, host, None).address
    order = {"do": "knock", "name": host, "address": known, "family": None, "port": port, "timeout": timeout}
    try:
        for event in look(engine, lab, node, order, timeout):
            if event["event"] == "answered":
                return Answered(tuple(event["local"]), tuple(event["peer"]), event["rtt_ns"], event["tries"])
            raise LabError("not-yet", what=f"{to} does not answer {source} ({event['reason']})", seconds=timeout)
    except Unresolved as problem:
        raise with_nearest(lab, problem) from None
    raise LabError("not-yet", what=f"{to} does not answer {source}", seconds=timeout)


def _from_here(engine: Engine, lab: Lab, host: str, port: int, to: str, timeout: float) -> Answered:
    import socket

    deadline, tries, why = time.monotonic() + timeout, 0, ""
    where = _published(engine, lab, host, port)
    while (left := deadline - time.monotonic()) > 0:
        tries += 1
        begun = time.monotonic_ns()
        try:
            with socket.create_connection(where, timeout=min(left, 2.0)) as sock:
                took = time.monotonic_ns() - begun
                return Answered(sock.getsockname()[:2], sock.getpeername()[:2], took, tries)
        except UnicodeError:  # a label of the name is empty, or too long
            raise LabError("bad-option", option="--answers", why=f"{host!r} is no name of a host") from None
        except OSError as problem:
            why = problem.strerror or str(problem)
        sleep(min(LOOK_AGAIN, deadline - time.monotonic()), engine.cancels)
    raise LabError("not-yet", what=f"{to} does not answer this machine ({why})", seconds=timeout)


def _published(engine: Engine, lab: Lab, host: str, port: int) -> tuple[str, int]:
    """Where a node's port is published on this machine; what is no node's is left as it is."""
    node = next((node for node in lab.nodes if node.name == host), None)
    if node is None:
        return host, port
    for found in (node.owner or node).container.ports:
        if found.proto == "tcp" and found.public and found.private == port:
            return address(engine, node, found), found.public
    why = f"{host} publishes no port {port} to this machine; name a node that asks: --from NODE"
    raise LabError("bad-option", option="--answers", why=why)
