"""Small looks from a node's place in the network: a probe that runs once, prints what it sees, and ends.

The node itself holds no privilege and need have no tool: services/probe/labreach is the program.
"""

from __future__ import annotations

import ipaddress
import json
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from labctl.engine.model import Engine
from labctl.errors import LabError, Unresolved, nearest
from labctl.lab import probes
from labctl.lab.model import Lab, Node

# It needs no capability: a ping socket is open to every process of the node's network.
REACH = probes.Kind("reach", "reach_probe.py", "", capabilities=(), memory=64)
START_LIMIT = 20.0  # seconds for what comes before the look itself: the container, and Python's start
_WORDS = {
    "ENETUNREACH": "no route of {node} leads there (ENETUNREACH)",
    "EHOSTUNREACH": "nobody answers at that address on a network of {node}'s own (EHOSTUNREACH)",
    "ENOTSUP": "{reason}",
}


@dataclass(frozen=True)
class Target:
    """Whom a look is about: `name` as it was given, `address` where labctl knows it (else the node resolves it)."""

    name: str
    address: str | None = None
    owner: str | None = None

    def at(self, lab: Lab, address: str) -> Target:
        """The same, once the node has said which address that is."""
        return replace(self, address=address, owner=owner(lab, address))

    @property
    def shown(self) -> str:
        """`bob (10.77.0.6)`."""
        known = self.owner if self.owner and self.name == self.address else self.name
        return f"{known} ({self.address})" if self.address and known != self.address else known


def target(lab: Lab, node: Node, name: str, family: int | None) -> Target:
    """A node's name, an address, or a name that is left to the node; `family` is 4, 6 or None for either.

    Of a node's addresses those come first that are on a network of the asking node. Raises LabError `no-address`,
    `not-running`, `bad-option`.
    """
    if not name:
        raise LabError("bad-option", option="TARGET", why="it is empty")
    found = next((other for other in lab.nodes if other.name == name), None)
    if found:
        found = lab.networked(name, "it has no address to reach it at")
        shared = [net for net in found.container.addresses if net in node.networks]
        rest = [net for net in found.container.addresses if net not in node.networks]
        addresses = [address for net in shared + rest for address in found.container.addresses[net]]
    elif _literal(name):
        addresses = [name]
    else:
        return Target(name)
    fitting = [address for address in addresses if family is None or version(address) == family]
    if not fitting:
        has = ", ".join(addresses) or "none"
        raise LabError("no-address", name=name, family=f"IPv{family}" if family else "IP", has=has)
    return Target(name, fitting[0], owner(lab, fitting[0]))


def look(engine: Engine, lab: Lab, node: Node, order: dict[str, Any], limit: float) -> Iterator[dict[str, Any]]:
    """What the probe prints, as it comes; `limit` in seconds for the look itself.

    The probe is gone when this ends, however it ends. Raises LabError `probe-failed`, and `unresolved`, `unreachable`
    where the look was refused.
    """
    wanted = probes.order(lab, node, REACH)
    ident = engine.create_probe(wanted._replace(command=(*wanted.command, json.dumps(order))))
    if ident is None:
        raise LabError("engine-refused", action="make a probe", why=f"the name {wanted.name} is another container's")
    try:
        engine.change("start", ident)
        yield from _events(engine, node, order, ident, time.monotonic() + limit + START_LIMIT)
    finally:
        engine.remove_container(ident)


def _events(engine: Engine, node: Node, order: dict[str, Any], ident: str, deadline: float) -> Iterator[dict[str, Any]]:
    said: list[str] = []  # on stderr: a traceback
    stream = engine.logs(ident, follow=True)
    try:
        for happening in engine.wait([stream], deadline):
            if happening.line is None:
                break
            text = happening.line.text.decode(errors="replace")
            if happening.line.stderr:
                said.append(text)
                continue
            event = json.loads(text)
            if event["event"] == "refused":
                raise _refused(node, order, event)
            yield event
        else:
            raise LabError("probe-failed", command=order["do"], status="nothing", why="it did not end in time")
    finally:
        stream.close()
    status = engine.details(ident).exit_code
    if status:
        why = said[-1] if said else "no words"
        raise LabError("probe-failed", command=order["do"], status=status, why=why)


def _refused(node: Node, order: dict[str, Any], event: dict[str, Any]) -> LabError:
    error, reason = event["error"], event["reason"]
    shown = order["name"] or order.get("address") or ""
    if error.startswith("EAI_"):
        return LabError("unresolved", node=node.name, name=shown, why=reason, near="")
    return LabError("unreachable", node=node.name, target=shown, why=kernel_words(node.name, error, reason))


def kernel_words(node: str, error: str, reason: str) -> str:
    """What a node's own kernel says of a packet that it doesn't send, by the errno's name."""
    return _WORDS.get(error, "{reason} ({error})").format(node=node, reason=reason, error=error)


def with_nearest(lab: Lab, problem: Unresolved) -> LabError:
    """The same error, which names the nodes whose names are near."""
    return problem.having(near=nearest(str(problem.values["name"]), (node.name for node in lab.nodes)))


def owner(lab: Lab, address: str | None) -> str | None:
    """The name of the host that has an address, in whatever spelling."""
    if not address or not (wanted := _literal(address)):
        return None
    for host in lab.hosts:
        if wanted in (_literal(mine) for mine in host.addresses):
            return host.name
    return None


def version(address: str) -> int:
    return 6 if ":" in address else 4


def _literal(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    with suppress(ValueError):
        return ipaddress.ip_address(text)
    return None
