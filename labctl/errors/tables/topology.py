"""Errors of topologies, and of the place that they want on this machine."""

from __future__ import annotations

from labctl.errors.family import (
    InvalidArgument,
    TopologyError,
    TopologyInvalid,
)
from labctl.errors.kind import Kind, Table

TOPOLOGY: Table = {
    "files-missing": Kind(
        TopologyError,
        "what labs are made of is missing: {path}",
        "install labctl again (`uv tool install --reinstall wirelab`, `pipx reinstall wirelab`); in a checkout "
        "`git restore` brings it back",
        "compose.yaml, services/ and topologies/ come with labctl, and one of them isn't where it should be.",
    ),
    "topology-missing": Kind(
        TopologyError,
        "there is no topology {name}{near}",
        "name a Compose file, or one of the built-in ones: {builtin}",
        "The file doesn't exist, and no built-in topology has that name.",
    ),
    "topology-twice": Kind(
        TopologyError,
        "the topology is named twice: {name}, and files by -f",
        "name it in one of the two ways; -f can be given several times",
        "A topology's files are given one by one, or it is named, and not both.",
    ),
    "env-file-missing": Kind(
        TopologyError,
        "there is no file {file} with variables",
        "--env-file names a file with lines such as NAME=value",
        "A file that was named for variables isn't there; Compose would refuse it as well.",
    ),
    "bad-size": Kind(
        TopologyError,
        "there is no {name}:{count}: {why}",
        "write `line:5`, `star:4` or `udp-mesh:50`",
        "A built-in topology was asked for in a size that it doesn't come in.",
    ),
    "too-many-nodes": Kind(
        TopologyError,
        "{name}:{count} would take some {memory:.0f} GiB of memory and {minutes:.0f} minutes; {name} goes to {limit}",
        "take a smaller one, or several labs on several machines",
        "So large a lab would take the machine down with it.",
    ),
    "topology-invalid": Kind(
        TopologyInvalid,
        "{file} is not a usable topology: {why}",
        "",
        "Compose refuses the file, or what stands under x-labctl is wrong.",
    ),
    "no-route": Kind(
        TopologyError,
        "the route {route} of {node} can't be set: {why}",
        "",
        "The neighbour that a route leads through must share a network with the node.",
    ),
    "network-otherwise": Kind(
        TopologyError,
        "the network {network} is there already, {there}",
        "`labctl down {lab}` removes it, and then `labctl up` makes it anew",
        "Whether a network has a way outside, and on which subnets it is, is settled when it is made.",
    ),
    "no-subnet": Kind(
        TopologyError,
        "no free subnet was found for the network {network}: {why}",
        "choose one by --subnet {key}=CIDR; --allow-overlap takes one that a route leads to; `docker network prune` "
        "removes networks that nobody needs",
        "All subnets that labctl tried overlap with others on this machine.",
    ),
    "no-ipv6": Kind(
        TopologyError,
        "this machine's kernel has no IPv6, and IPv6 is asked for by {networks}",
        "boot without ipv6.disable=1, or take a topology without IPv6",
        "The kernel was started without IPv6, so the engine can give no node an IPv6 address.",
    ),
    "network-missing": Kind(
        TopologyError,
        "there is no network {network}, which the file calls external",
        "`docker network create {network}` makes one; without `external`, labctl makes it and removes it with the lab",
        "What is external is somebody else's: labctl uses it and neither makes nor removes it.",
    ),
    "bad-subnet": Kind(
        InvalidArgument,
        "--subnet {text}: {why}",
        "write --subnet 10.9.0.0/24, or --subnet NETWORK=10.9.0.0/24, once for each network; `labctl plan` shows them",
        "A subnet that was chosen can't be one of the topology's movable networks.",
    ),
    "subnet-taken": Kind(
        TopologyError,
        "the subnet {subnet} of the network {network} overlaps with {owner}",
        "choose another, by --subnet or in the file; or mark the network `x-labctl: {{movable: true}}`, and it moves",
        "The engine refuses networks that overlap.",
    ),
    "subnet-routed": Kind(
        TopologyError,
        "the subnet {subnet} of the network {network} overlaps with {route}",
        "choose another, by --subnet or in the file; --allow-overlap takes it all the same, and this machine then no "
        "longer reaches what has these addresses there",
        "A lab's network would take the place of one that the machine itself is on, such as its LAN or a VPN.",
    ),
}
