"""Errors of labs on several machines, and of these machines themselves."""

from __future__ import annotations

from labctl.errors.family import (
    EngineError,
    EngineUnreachable,
    FileError,
    InvalidArgument,
    LabNotFound,
    MachineKeptOut,
    TopologyError,
)
from labctl.errors.kind import Kind, Table

PLACING: Table = {
    "bad-place": Kind(
        InvalidArgument,
        "{node} can't be on the machine {machine}: {why}",
        "`labctl hosts ls` lists the machines; --place NODE=MACHINE, again for a further node",
        "A place that was asked for can't be had.",
    ),
    "bridge-full": Kind(
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
    "machine-kept-out": Kind(
        MachineKeptOut,
        "{machine} can't join the lab's network: {why}",
        "`labctl hosts check {machine}` looks at the ways to it; where all are open, its engine was killed once, and "
        "`labctl down`, then `labctl up` makes the network anew, which it can join",
        "A machine's engine had its time to join a network that reaches over several machines. Most often an interface "
        "is still in its kernel from when the engine was killed, and goes with the next network of that number.",
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

# Of machines that have an engine each, and of the swarm that they make.
HOSTS: Table = {
    "host-name": Kind(
        InvalidArgument,
        "{name!r} can't be a machine's name",
        "small letters, digits and hyphens, at most 63, neither first nor last a hyphen: `rack-1`",
        "Names of machines stand in lists with commas and before an equals sign, so they are as simple as a host's.",
    ),
    "host-address": Kind(
        InvalidArgument,
        "an engine can't be reached at {address}: {why}",
        "`ssh://user@machine`, `tcp://machine:2376` with --tls-ca, --tls-cert and --tls-key, or `context:NAME`",
        "Where a machine's engine is has to be said in one of these ways.",
    ),
    "host-there": Kind(
        InvalidArgument,
        "there is a machine {name} already, at {address}",
        "`labctl hosts rm {name}` first, or --replace",
        "Each machine has a name of its own.",
    ),
    "host-unknown": Kind(
        LabNotFound,
        "there is no machine {name}{near}",
        "`labctl hosts ls` lists those that there are, `labctl hosts add NAME ADDRESS` adds one",
        "The name is none of those that `labctl hosts add` was given.",
    ),
    "no-hosts": Kind(
        LabNotFound,
        "no machines are known",
        "`labctl hosts add NAME ssh://user@machine` adds one",
        "Nothing was said of other machines yet: there is only the engine in use.",
    ),
    "hosts-file": Kind(
        FileError,
        "the list of machines {file} can't be used: {why}",
        "mend it, or move it away and add the machines again (`labctl hosts add`)",
        "It can't be read or written, or isn't one.",
    ),
    "hosts-unfit": Kind(
        EngineError,
        "no lab over several machines can be on {machine}: {what}",
        "{mend}",
        "`labctl up --hosts` looks at the machines' engines and swarm before it makes anything; `labctl hosts check` "
        "tells more.",
    ),
    "swarm-others": Kind(
        EngineError,
        "{one} and {other} are in two different swarms",
        "decide which of them is to leave its own (`labctl hosts leave {other}`), and join again",
        "labctl never takes a machine out of a swarm by itself: others may rely on it.",
    ),
    "swarm-unmanaged": Kind(
        EngineError,
        "{machines} belong to a swarm whose managers ({managers}) are none of these machines",
        "name a manager, too (`labctl hosts add` it first); or let them leave it (`labctl hosts leave`)",
        "Only a manager can let others into its swarm, and make networks for it.",
    ),
    "swarm-broken": Kind(
        EngineError,
        "{machine} belongs to a swarm, and is not part of it at present: {why}",
        "wait until it is, or `labctl hosts leave {machine} --force`",
        "The engine knows of a swarm that it can't reach, or that is locked.",
    ),
    "swarm-unmade": Kind(
        EngineError,
        "{machine} could not make a swarm: {why}",
        "--address {machine}=ADDRESS says at which address the others reach it",
        "A machine with several addresses doesn't choose one by itself, and 2377/tcp has to be free there.",
    ),
    "swarm-join": Kind(
        EngineError,
        "{machines} could not join the swarm of {manager}: {why}",
        "`labctl hosts check` looks at the ports between them; --address HOST=ADDRESS says at which address the others "
        "reach a machine",
        "A machine needs the manager's port 2377/tcp, and an address that the others reach.",
    ),
    "swarm-used": Kind(
        EngineError,
        "{machine} can't leave its swarm: {why}",
        "take the labs down first, name all machines of the swarm, or use --force",
        "What is on networks of the swarm would be cut off.",
    ),
}
