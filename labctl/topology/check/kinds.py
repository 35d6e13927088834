"""What `labctl validate` can find, in one table: it feeds the messages, `--json` and docs/validation.md."""

from __future__ import annotations

from enum import Flag, auto
from typing import Literal

from labctl.named import NamedTuple

Level = Literal["error", "warning"]


class Trait(Flag):
    """What a kind has that whoever finds one goes by: nobody asks for its code."""

    NONE = 0
    SPELLING = auto()  # how a value is written: nothing is wrong with what Compose, once it has read it, runs
    ENDLESS = auto()  # Compose would read such a file for hours, or with gigabytes
    EMPTY = auto()  # laid over others, such a file adds nothing
    SYNTAX = auto()  # labctl's reader of YAML says it, and Compose's may not
    PARTIAL = auto()  # what is missing may stand in the file that this one is laid over
    NEWER = auto()  # a Compose that takes the file knows better: its specification is newer than labctl's
    TYPE = auto()  # Compose refuses the same value, in its own words
    ON_ENGINE = auto()  # it is about files of the engine's machine, which labctl sees on this one alone
    TOLD = auto()  # a warning that somebody who brings the lab up should read


class Kind(NamedTuple):
    """`traits` are what is done about one; `compose` are the words that Compose says the same in, without a place."""

    message: str
    hint: str
    meaning: str
    level: Level = "error"
    traits: Trait = Trait.NONE
    compose: tuple[str, ...] = ()


KINDS: dict[str, Kind] = {
    # The file
    "file-missing": Kind(
        "there is no such file", "`labctl validate compose.yaml`, say; paths are relative to here", "Nothing is there."
    ),
    "file-directory": Kind(
        "this is a directory, and a Compose file is needed", "name the file in it", "The path names a directory."
    ),
    "file-special": Kind(
        "this is no regular file",
        "write the topology into a file first",
        "The path names a pipe, a device or a socket, which Compose would have to read a second time.",
        traits=Trait.ENDLESS,
    ),
    "file-unreadable": Kind(
        "the file can't be read: {why}", "look at its rights (`ls -l`)", "The system would not give the file."
    ),
    "file-too-big": Kind(
        "the file has more than {limit} KiB, and labctl reads no topology of that size",
        "is it the right file? a thousand services need about 200 KiB",
        "Time and memory of a check stay bounded.",
        traits=Trait.ENDLESS,
    ),
    "file-endless": Kind(
        "it takes in {file}, and there {why}",
        "mend that file, or leave it out",
        "A file behind `include` or `extends` is one that Compose would read for hours, or with gigabytes of memory.",
        traits=Trait.ENDLESS,
    ),
    "file-not-text": Kind(
        "this is no text in UTF-8",
        "name a Compose file, saved as UTF-8",
        "The file is binary, or text in another code.",
    ),
    "file-empty": Kind(
        "the file is empty",
        "a topology needs `services:` at least",
        "Nothing stands in it, or only comments.",
        traits=Trait.EMPTY,
        compose=("empty compose file",),
    ),
    # YAML
    "yaml-syntax": Kind(
        "this is not YAML: {why}",
        "look at this line and the one before: indentation in spaces, closed quotes and brackets, `: ` after a key",
        "The parser stopped here, so nothing behind it was looked at.",
        traits=Trait.SYNTAX,
    ),
    "yaml-depth": Kind(
        "values are nested deeper than {limit} levels",
        "no Compose file needs that; is it the right file?",
        "Time and memory of a check stay bounded.",
        traits=Trait.ENDLESS,
    ),
    "yaml-aliases": Kind(
        "with its aliases put in, this holds more than {limit} values",
        "is it the right file? if so, put fewer aliases inside what other aliases stand for",
        "A few aliases of aliases can stand for billions of values; Compose refuses such files as well.",
        traits=Trait.ENDLESS,
    ),
    "yaml-recursive": Kind(
        "the alias *{name} stands inside its own anchor &{name}",
        "move the anchor to what is meant",
        "A value that holds itself has no end; Compose never finishes reading it.",
        traits=Trait.ENDLESS,
    ),
    "not-a-mapping": Kind(
        "a Compose file is a mapping, and this is {what}",
        "begin with `services:`, and the services indented under it",
        "At the top level of a Compose file stand keys.",
    ),
    "duplicate-key": Kind(
        "{key!r} stands here already, in line {line}",
        "keep one of the two",
        "A mapping holds each key once. Some readers of YAML take the last one in silence; Compose refuses the file.",
    ),
    "bad-key": Kind(
        "{what} can't be a key",
        "a key is one word",
        "Keys of a Compose file are texts, not lists or mappings.",
        compose=("invalid map key",),
    ),
    "bad-merge": Kind(
        "`<<` merges mappings, and this is {what}",
        "write `<<: *name`, where &name stands before a mapping",
        "Only a mapping, or a list of them, can be merged into a mapping.",
        compose=("map merge requires",),
    ),
    # Words that not all readers take for the same
    "trap-type": Kind(
        "{key} must be text, and {text} without quotes is {what}",
        "put it in quotes: {quoted}",
        "YAML guesses the type of what has no quotes (3.10 is the number 3.1, 0100 is 64); Compose refuses it here.",
        traits=Trait.SPELLING,
        compose=("Non-string key",),
    ),
    "trap-rewritten": Kind(
        "{text} without quotes is {what}, and Compose makes {read!r} of it",
        "put it in quotes: {quoted}",
        "YAML reads a number or a date, and Compose writes it back in another form: the program sees other text.",
        traits=Trait.SPELLING,
    ),
    "name-rewritten": Kind(
        "Compose makes the name {read} of {text!r}",
        "write `name: {read}`, which is what --lab and LABCTL_LAB find it by",
        "A project's name has lower-case letters, digits, - and _ alone, and begins with a letter or digit.",
        "warning",
    ),
    "outside-open": Kind(
        "{what}, though `x-labctl: {{outside: false}}` stands at the top",
        "{mend}",
        "A lab without a way outside has internal networks, and these are not the only way out of a container.",
        "warning",
    ),
    "trap-mode": Kind(
        "Compose reads the mode {text} as the decimal number {read}, which is {octal} in octal",
        "{mend}",
        "A mode is meant in octal, and only the spelling 0644 without quotes is octal to every Compose: 2.26 "
        "takes digits in quotes for a decimal number.",
        traits=Trait.SPELLING,
    ),
    "trap-octal": Kind(
        "{text} is octal to Compose and YAML 1.1, and decimal to YAML 1.2",
        "right for Compose; other tools may read another mode",
        "YAML 1.2 writes octal numbers 0o644, which Compose reads as well; YAML 1.1 takes that for text.",
        "warning",
        traits=Trait.SPELLING,
    ),
    "trap-boolean": Kind(
        "{text} is a boolean to YAML 1.1, and text to YAML 1.2",
        "{mend}",
        "YAML 1.1 reads y, n, yes, no, on and off as booleans, YAML 1.2 doesn't. Compose goes by what the key takes, "
        "text or a boolean; other tools may not.",
        "warning",
        traits=Trait.SPELLING,
    ),
    "trap-sexagesimal": Kind(
        "{text} without quotes is {read} to YAML 1.1, which counts in sixties, and text to Compose",
        "put it in quotes: {quoted}",
        "YAML 1.1 reads digits with colons as hours and minutes. Compose doesn't; other tools may.",
        "warning",
        traits=Trait.SPELLING,
    ),
    # Keys and types
    "unknown-key": Kind(
        "unknown key {key!r}{near}",
        "known here: {known}",
        "Compose (under x-labctl: labctl) knows no such key here. Keys that begin with x- are free, but for x-labctl.",
        traits=Trait.NEWER,
    ),
    "wrong-type": Kind(
        "this must be {wanted}, not {found}",
        "{mend}",
        "The value has another type than the key takes.",
        traits=Trait.TYPE,
        compose=("Non-string key",),
    ),
    "missing-services": Kind(
        "there are no services{why}",
        "{mend}",
        "A topology without services has no nodes.",
        traits=Trait.PARTIAL,
        compose=("empty compose file",),
    ),
    "bad-image": Kind(
        "{text!r} is no name of an image: {why}",
        "{mend}",
        "An image is [REGISTRY/]NAME[:TAG][@DIGEST], the name in small letters. Compose takes any text; `up` fails.",
    ),
    "container-name-twice": Kind(
        "{name} is the container's name of {other} already, in line {line}",
        "give each its own, or leave it out: Compose makes one of project, service and number",
        "The engine has each name once.",
    ),
    "bind-missing": Kind(
        "there is no {source} on this machine: {what}",
        "make it first, or correct the path",
        "A bind mount whose source isn't there is mostly a slip: a program that looks for a file finds a folder. In "
        "the long form an older Compose leaves it to the engine, which refuses the node.",
        "warning",
        traits=Trait.ON_ENGINE | Trait.TOLD,
    ),
    "bind-refused": Kind(
        "there is no {source} on this machine, and `create_host_path: false` says that nobody makes it",
        "make it first, or correct the path",
        "The engine refuses the mount when the node is made.",
        traits=Trait.ON_ENGINE,
    ),
    "bad-mount": Kind(
        "{why}",
        "{mend}",
        "A mount is [SOURCE:]TARGET[:MODE], or a mapping with `type`, `source` and `target`.",
        compose=(
            "invalid spec",
            "field Source must not be empty",
        ),
    ),
    "build-platforms": Kind(
        "`build.platforms` lacks {platform}, the platform that the service runs on",
        "add it to `build.platforms`, or leave that out",
        "What is built has to run: Compose refuses a service whose own platform is not built.",
        compose=("build.platforms MUST include",),
    ),
    "unset-variable": Kind(
        "the variable {name} is not set, so {text!r} becomes {read!r}",
        "set it in the environment or in `.env`, or give a default: ${{{name}:-value}}",
        "Compose puts nothing in the place of a variable that isn't set, and says so in a warning.",
        "warning",
        traits=Trait.TOLD,
    ),
    "missing-image": Kind(
        "there is neither `image` nor `build`",
        "say which image to take (`image:`), or what to make it from (`build:`)",
        "A container needs an image.",
        traits=Trait.PARTIAL,
    ),
    "unknown-name": Kind(
        "there is no {what} {name!r}{near}",
        "{mend}",
        "A service uses a network, volume, secret, config or other service that the file doesn't define.",
        traits=Trait.PARTIAL,
    ),
    # Addresses
    "bad-address": Kind(
        "{text!r} is no {family} address",
        "write {example}",
        "An address is four numbers up to 255 with dots (IPv4), or up to eight hexadecimal groups with colons (IPv6).",
    ),
    "address-without-subnet": Kind(
        "{address} is fixed, and network {network} has no {family} subnet",
        "give the network one (`ipam: {{config: [{{subnet: {example}}}]}}`), or leave the address out",
        "The engine takes fixed addresses only in subnets that the file chose.",
    ),
    "address-outside": Kind(
        "{address} is not in {subnets}, the subnet of network {network}",
        "choose one from {first} to {last}",
        "An address must be in its network's subnet.",
    ),
    "address-reserved": Kind(
        "{address} is {what} in network {network}",
        "choose another one in {subnet}",
        "The first and the last address of a subnet name the network and all of its hosts; one more is the gateway's.",
    ),
    "address-twice": Kind(
        "{address} is {other}'s address already, in line {line}",
        "choose another one in network {network}",
        "Two nodes of one network can't have one address.",
    ),
    "address-scaled": Kind(
        "{address} is fixed, and the service has {replicas} nodes",
        "leave the address out, or write {replicas} services",
        "One address can't be given to several nodes.",
    ),
    # Networks
    "bad-subnet": Kind("{text!r} is no subnet: {why}", "{mend}", "A subnet is its first address, / and a length."),
    "bad-gateway": Kind(
        "the gateway {gateway} is not in the subnet {subnet}",
        "choose one from {first} to {last}, or leave it out",
        "The gateway is the engine's own address in the network.",
    ),
    "subnets-overlap": Kind(
        "{subnet} overlaps with {other}, the subnet of network {network} in line {line}",
        "choose one that shares no address with it, say {example}",
        "The engine refuses networks that overlap.",
    ),
    "subnet-too-small": Kind(
        "{subnet} has room for {room} nodes, and {nodes} are on the network",
        "a /{prefix} would do",
        "The network's own address, the last one (IPv4) and the gateway are not for nodes. A /31 has room for one "
        "node, a /32, /127 or /128 for none.",
    ),
    "ipv6-off": Kind(
        "{text} is IPv6, and network {network} doesn't enable it: its nodes get no IPv6 address",
        "add `enable_ipv6: true` to the network",
        "The engine gives IPv6 addresses only in networks that ask for it; what the file says of others it leaves out.",
        "warning",
        traits=Trait.TOLD,
    ),
    # Ports
    "bad-port": Kind(
        "{text!r} is no port to publish: {why}",
        "write [[ADDRESS:]HOST_PORT:]NODE_PORT[/udp], ports from 1 to 65535, say '127.0.0.1:8080:80'",
        "The short form of a port, or a part of its long form, can't be understood.",
    ),
    "port-twice": Kind(
        "port {port} of this machine is published by {other} already, in line {line}",
        "choose another one before the colon",
        "One port of one address can lead to one node only.",
    ),
    "port-scaled": Kind(
        "port {port} of this machine can't be published by {replicas} nodes",
        "leave the host's port out, or give a range as wide as the number of nodes",
        "One port of one address can lead to one node only.",
    ),
    # x-labctl
    "bad-route": Kind("{why}", "{mend}", "A route is a destination and the node that leads there."),
    "route-via-unknown": Kind(
        "a route via {via}, which is no node{near}",
        "name a service of this file",
        "A route leads over a node.",
        traits=Trait.PARTIAL,
    ),
    "route-via-self": Kind(
        "a route via {via}, which is this node itself",
        "name the router",
        "A node can't be its own next hop.",
    ),
    "route-via-stranger": Kind(
        "a route via {via}, which shares no network with {node} ({via}: {theirs}; {node}: {own})",
        "put both on one network, or route via a neighbour",
        "The next hop must be a neighbour: a packet reaches it without any router.",
    ),
    "bad-link": Kind("{why}", "{mend}", "A link is two nodes, and conditions with their values."),
    "link-unknown-node": Kind(
        "a link to {name}, which is no node{near}",
        "name services of this file",
        "A link stands between two nodes.",
        traits=Trait.PARTIAL,
    ),
    "link-to-self": Kind("a link from {name} to itself", "name two nodes", "A link stands between two nodes."),
    "link-in-one-host": Kind(
        "{a} and {b} have one network: what they say to each other never leaves it",
        "name two nodes with a network each",
        "With `network_mode: service:NAME` two services are one host with two programs, which speak over its loopback.",
    ),
    "link-without-network": Kind(
        "{a} and {b} share no network ({a}: {theirs}; {b}: {own})",
        "put both on one network, or name the links to the router between them",
        "A link is two nodes that share a network.",
    ),
    "link-twice": Kind(
        "conditions from {a} to {b} are given already, in line {line}",
        "write all conditions of one direction in one line",
        "`a-b` means both directions, `a:b` the one from a to b.",
    ),
    # What Compose says
    "compose": Kind(
        "Compose says: {why}",
        "",
        "Compose refuses the file for a reason of its own, which is repeated. It names one reason at a time.",
    ),
    "compose-too-old": Kind(
        "Compose {version} doesn't know the key {key!r}: it is too old for it",
        "install a newer Compose, or leave the key out",
        "The Compose specification has the key, and the Compose that is installed refuses it.",
    ),
    "yaml-dialect": Kind(
        "Compose can read this file, and labctl can't: {why}; nothing else was checked",
        "write it the plainer way",
        "Compose's reader of YAML and labctl's differ in a few rare spellings.",
        "warning",
    ),
}
