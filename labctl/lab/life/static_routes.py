"""Sets the nodes' routes, from outside: a probe in the node's network namespace does it, the node needs no privilege.

The same way a node loses its IPv4 addresses where its networks are to have none.

A node's routes stand in a label of its container. They are gone when the container's network namespace is, so they are
set again whenever labctl starts the node.
"""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterable

from labctl.engine.model import LABEL_FAMILIES, LABEL_LAB, LABEL_OWNER, LABEL_PROBE, LABEL_ROUTES, Engine
from labctl.errors import LabError
from labctl.lab import owners
from labctl.lab.model import Lab, Node
from labctl.topology.extension import Route, parse_route

WORKERS = 4


def set_routes(engine: Engine, lab: Lab, nodes: Iterable[Node]) -> None:
    """Sets what each running node's label asks for; again is no harm. Raises LabError `no-route`, `probe-failed`."""
    work = [(node, script) for node in nodes if node.is_running and (script := _script(lab, node))]
    if not work:
        return
    from concurrent.futures import ThreadPoolExecutor  # most labs have no routes, and it brings `logging` with it

    def run(item: tuple[Node, str]) -> None:
        node, script = item
        labels = {LABEL_LAB: lab.name, LABEL_PROBE: "routes", LABEL_OWNER: str(owners.me())}
        engine.run_probe(["sh", "-c", script], network=f"container:{node.container.id}", labels=labels)

    with ThreadPoolExecutor(min(WORKERS, len(work))) as pool:
        list(pool.map(run, work))


def routes_of(node: Node) -> list[Route]:
    """What the node's label asks for."""
    return [parse_route(text) for text in json.loads(node.container.labels.get(LABEL_ROUTES, "[]"))]


def _script(lab: Lab, node: Node) -> str:
    """The ip(8) commands for a node's routes; every address in them is the engine's own word."""
    commands: list[str] = []
    if node.container.host_network:
        return ""  # the machine's own routes are none of ours
    if node.container.labels.get(LABEL_FAMILIES) == "ipv6":
        commands.append("ip -4 address flush scope global")
    for route in routes_of(node):
        for gateway in _gateways(lab, node, route):
            family = "-6" if gateway.version == 6 else "-4"
            commands.append(f"ip {family} route replace {route.destination or 'default'} via {gateway}")
    return " && ".join(commands)


def _gateways(lab: Lab, node: Node, route: Route) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """The neighbour's addresses on the networks that it shares with the node, of the route's family."""
    try:
        via = lab.node(route.via)
    except LabError as problem:
        raise LabError("no-route", route=route, node=node.name, why=problem.message) from None
    shared = [name for name in node.container.addresses if name in via.networks]
    found = [ipaddress.ip_address(address) for name in shared for address in via.container.addresses[name]]
    if route.destination:
        found = [address for address in found if address.version == route.destination.version]
    if not found:
        networks = f"{node.name}: {', '.join(sorted(node.networks))}; {via.name}: {', '.join(sorted(via.networks))}"
        why = f"they share no network on which {via.name} has such an address ({networks})"
        raise LabError("no-route", route=route, node=node.name, why=why)
    return found
