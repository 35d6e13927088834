"""Errors of looks from a node's place in the network: addresses, names, HTTP."""

from __future__ import annotations

from labctl.errors.family import (
    ReachError,
    Unresolved,
)
from labctl.errors.kind import Kind, Table

REACH: Table = {
    "unreachable": Kind(
        ReachError,
        "{node} can't reach {target}: {why}",
        "`labctl route {node}` shows its routing table, `labctl ps` who is on which network",
        "The node's kernel or a router on the way says that nothing can be delivered there.",
    ),
    "published-elsewhere": Kind(
        ReachError,
        "{node} publishes its port {port} on {address} of {machine}, the engine's machine: no other one reaches it",
        "ask from a node of the lab (`--from NODE`), or publish the port on an address of {machine}",
        "A port that is published on 127.0.0.1 is the engine's machine's own; this machine's 127.0.0.1 is another one.",
    ),
    "published-nowhere": Kind(
        ReachError,
        "{node} publishes its port {port} by name only: {where} opens none",
        "bring the lab up on a Docker engine to ask it",
        "An engine in memory has no sockets; what listens at that port of this machine is somebody else's.",
    ),
    "unresolved": Kind(
        Unresolved,
        "{node} can't resolve {name}: {why}{near}",
        "`labctl dns {node} {name}` shows whom it asks and what it hears; `labctl ps` lists the nodes",
        "The name is no node's, and the node's own resolver has no address for it.",
    ),
    "no-such-name": Kind(
        ReachError,
        "no such name: {name} ({server} says NXDOMAIN){near}",
        "Docker's name server knows the nodes that share a network with the one that asks, and their aliases",
        "The name server says that nothing has that name.",
    ),
    "no-records": Kind(
        ReachError,
        "{name} is there, and has no record of the type {kinds}",
        "--type asks for others",
        "The name server knows the name, and nothing of the kind that was asked for.",
    ),
    "dns-silent": Kind(
        ReachError,
        "no name server answered {node} about {name} ({why})",
        "`labctl ping {node} SERVER` tells whether it can be reached; a longer --timeout waits longer",
        "Nothing came back for a DNS question, or nothing that could be read.",
    ),
    "dns-failed": Kind(
        ReachError,
        "{server} has no answer about {name}: {why}",
        "a name from outside the lab needs a way to the servers that know it",
        "The name server answered with an error.",
    ),
    "http-failed": Kind(
        ReachError,
        "GET {url} failed: {why}",
        "{mend}",
        "No HTTP response came back.",
    ),
}
