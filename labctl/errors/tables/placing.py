"""Errors of labs on several machines."""

from __future__ import annotations

from labctl.errors.family import EngineError, EngineUnreachable, InvalidArgument, LabNotFound, TopologyError
from labctl.errors.kind import Kind, Table

PLACING: Table = {
    "bad-place": Kind(
        InvalidArgument,
        "{node} can't be on the machine {machine}: {why}",
        "`labctl hosts ls` lists the machines; --place NODE=MACHINE, again for a further node",
        "A place that was asked for can't be had.",
    ),
    "network-full": Kind(
        TopologyError,
        "{count} nodes of the network {network} would be on {machine}, and {most} is the most",
        "spread them over more machines (--hosts), or over several networks",
        "All nodes of one network on one machine hang on one Linux bridge, which ends at 1,024 ports.",
    ),
    "subnet-small": Kind(
        TopologyError,
        "the subnet {subnet} of the network {network} has no block of {count} addresses that no node has",
        "give the network a larger subnet, or its nodes addresses that lie together",
        "Over several machines a network needs an address for each of them, beside those of its nodes.",
    ),
    "no-manager": Kind(
        EngineError,
        "none of the machines {machines} that answer is a manager of a swarm",
        "`labctl hosts join {machines}` makes one swarm of them; name the manager with --hosts, too",
        "Networks over several machines are made by a manager of the swarm that the machines are in.",
    ),
    "hosts-unmade": Kind(
        TopologyError,
        "this topology can't be brought up over several machines: {why} ({machine})",
        "bring it up on one (`labctl up` without --hosts), or leave that out",
        "On several machines labctl makes every container itself; there is something in the topology, or in how this "
        "machine's Docker client is set up, that it leaves to `docker compose`, which knows one machine only.",
    ),
    "no-ipv6-across": Kind(
        TopologyError,
        "{networks} can't have IPv6 over several machines",
        "bring it up on one machine, or mark the network `x-labctl: {{one_machine: true}}`",
        "Docker's overlay networks carry no IPv6 between containers.",
    ),
    "host-silent": Kind(
        EngineUnreachable,
        "the machine {machine} does not answer: {why}",
        "`labctl hosts check {machine}` looks at it; what it has of a lab stays until it answers again",
        "What is to be done needs a machine that can't be reached.",
    ),
    "hosts-left": Kind(
        EngineError,
        "{machines} did not answer, and may still have a part of {lab}",
        "`labctl down {lab}` once more, when it answers, removes the rest; `labctl hosts check` looks at it",
        "What the other machines have is removed. Of a machine that can't be reached nothing is known.",
    ),
    "image-not-sent": Kind(
        EngineError,
        "{machine} did not take the images {images}: {why}",
        "`labctl hosts check {machine}` looks at it: room on its disk, and the way to it",
        "Images go from one machine to the others by `docker save` and `docker load`, and one of them refused.",
    ),
    "lab-elsewhere": Kind(
        InvalidArgument,
        "the lab {lab} runs on {there}, and can't become one of {asked}",
        "`labctl down {lab}` first; or give this one another name (--lab NAME)",
        "A lab of one machine has bridges for networks, one of several has overlays: the one can't become the other.",
    ),
    "lab-not-found-there": Kind(
        LabNotFound,
        "{what}; {machines} did not answer, and it may be there",
        "`labctl hosts check` looks at the machines",
        "A lab isn't found, and not every machine that could have it could be asked.",
    ),
}
