"""What `labctl validate` can find, in one table: it feeds the messages, `--json` and docs/validation.md."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

Level = Literal["error", "warning"]
Path = tuple[str | int, ...]


class Place(NamedTuple):
    """Both count from 1, the column in characters."""

    line: int
    column: int


class Kind(NamedTuple):
    message: str
    hint: str
    meaning: str
    level: Level = "error"


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
    ),
    "file-unreadable": Kind(
        "the file can't be read: {why}", "look at its rights (`ls -l`)", "The system would not give the file."
    ),
    "file-too-big": Kind(
        "the file has more than {limit} KiB, and labctl reads no topology of that size",
        "is it the right file? a thousand services need about 200 KiB",
        "Time and memory of a check stay bounded.",
    ),
    "file-not-text": Kind(
        "this is no text in UTF-8",
        "name a Compose file, saved as UTF-8",
        "The file is binary, or text in another code.",
    ),
    "file-empty": Kind(
        "the file is empty", "a topology needs `services:` at least", "Nothing stands in it, or only comments."
    ),
    # YAML
    "yaml-syntax": Kind(
        "this is not YAML: {why}",
        "look at this line and the one before: indentation in spaces, closed quotes and brackets, `: ` after a key",
        "The parser stopped here, so nothing behind it was looked at.",
    ),
    "yaml-depth": Kind(
        "values are nested deeper than {limit} levels",
        "no Compose file needs that; is it the right file?",
        "Time and memory of a check stay bounded.",
    ),
    "yaml-aliases": Kind(
        "with its aliases put in, this holds more than {limit} values",
        "is it the right file? if so, put fewer aliases inside what other aliases stand for",
        "A few aliases of aliases can stand for billions of values; Compose refuses such files as well.",
    ),
    "yaml-recursive": Kind(
        "the alias *{name} stands inside its own anchor &{name}",
        "move the anchor to what is meant",
        "A value that holds itself has no end; Compose never finishes reading it.",
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
        "{what} can't be a key", "a key is one word", "Keys of a Compose file are texts, not lists or mappings."
    ),
    "bad-merge": Kind(
        "`<<` merges mappings, and this is {what}",
        "write `<<: *name`, where &name stands before a mapping",
        "Only a mapping, or a list of them, can be merged into a mapping.",
    ),
    # Words that not all readers take for the same
    "trap-type": Kind(
        "{key} must be text, and {text} without quotes is {what}",
        "put it in quotes: {quoted}",
        "YAML guesses the type of what has no quotes (3.10 is the number 3.1, 0100 is 64); Compose refuses it here.",
    ),
    "trap-rewritten": Kind(
        "{text} without quotes is {what}, and Compose makes {read!r} of it",
        "put it in quotes: {quoted}",
        "YAML reads a number or a date, and Compose writes it back in another form: the program sees other text.",
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
    ),
    "trap-octal": Kind(
        "{text} is octal to Compose and YAML 1.1, and decimal to YAML 1.2",
        "right for Compose; other tools may read another mode",
        "YAML 1.2 writes octal numbers 0o644, which Compose reads as well; YAML 1.1 takes that for text.",
        "warning",
    ),
    "trap-boolean": Kind(
        "{text} is a boolean to YAML 1.1, and text to YAML 1.2",
        "{mend}",
        "YAML 1.1 reads y, n, yes, no, on and off as booleans, YAML 1.2 doesn't. Compose goes by what the key takes, "
        "text or a boolean; other tools may not.",
        "warning",
    ),
    "trap-sexagesimal": Kind(
        "{text} without quotes is {read} to YAML 1.1, which counts in sixties, and text to Compose",
        "put it in quotes: {quoted}",
        "YAML 1.1 reads digits with colons as hours and minutes. Compose doesn't; other tools may.",
        "warning",
    ),
    # Keys and types
    "unknown-key": Kind(
        "unknown key {key!r}{near}",
        "known here: {known}",
        "Compose (under x-labctl: labctl) knows no such key here. Keys that begin with x- are free, but for x-labctl.",
    ),
    "wrong-type": Kind(
        "this must be {wanted}, not {found}", "{mend}", "The value has another type than the key takes."
    ),
    "missing-services": Kind(
        "there are no services",
        "add `services:` with at least one service",
        "A topology without services has no nodes.",
    ),
    "missing-image": Kind(
        "there is neither `image` nor `build`",
        "say which image to take (`image:`), or what to make it from (`build:`)",
        "A container needs an image.",
    ),
    "unknown-name": Kind(
        "there is no {what} {name!r}{near}",
        "{mend}",
        "A service uses a network, volume, secret, config or other service that the file doesn't define.",
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
        "The network's own address, the last one (IPv4) and the gateway are not for nodes.",
    ),
    "ipv6-off": Kind(
        "{text} is IPv6, and network {network} doesn't enable it",
        "add `enable_ipv6: true` to the network",
        "The engine gives IPv6 addresses only in networks that ask for it.",
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
        "a route via {via}, which is no node{near}", "name a service of this file", "A route leads over a node."
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
        "a link to {name}, which is no node{near}", "name services of this file", "A link stands between two nodes."
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
    "yaml-dialect": Kind(
        "Compose can read this file, and labctl can't: {why}; nothing else was checked",
        "write it the plainer way",
        "Compose's reader of YAML and labctl's differ in a few rare spellings.",
        "warning",
    ),
}


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong. `path` leads to what it is about, `place` is None where that is the whole file."""

    code: str
    message: str
    hint: str
    place: Place | None = None
    path: Path = ()

    @classmethod
    def of(cls, code: str, place: Place | None = None, path: Path = (), /, **values: object) -> Problem:
        kind = KINDS[code]
        about = owner(path)
        message = kind.message.format(**values)
        return cls(code, f"{about}: {message}" if about else message, kind.hint.format(**values), place, path)

    @property
    def level(self) -> Level:
        return KINDS[self.code].level

    def shown(self, file: str) -> str:
        """`lab.yaml:12:5: service alice: ...`, and the hint in a line under it."""
        where = f"{file}:{self.place.line}:{self.place.column}" if self.place else file
        level = "warning: " if self.level == "warning" else ""
        hint = f"\n  {self.hint}" if self.hint else ""
        return f"{where}: {level}{self.message}{hint}"

    def as_json(self) -> dict[str, object]:
        return {
            "level": self.level,
            "code": self.code,
            "line": self.place.line if self.place else None,
            "column": self.place.column if self.place else None,
            "path": list(self.path),
            "message": self.message,
            "hint": self.hint,
        }


@dataclass
class Problems:
    """What was found so far. A value that an alias repeats is told of once."""

    _found: dict[tuple[object, ...], Problem] = field(default_factory=dict)

    def add(self, code: str, path: Path, place: Place, /, **values: object) -> None:
        problem = Problem.of(code, place, path, **values)
        text = problem.message.removeprefix(f"{owner(path)}: ")
        self._found.setdefault((code, place, text), problem)

    def extend(self, others: Iterable[Problem]) -> None:
        for other in others:
            self._found.setdefault((other.code, other.place, other.message), other)

    def __iter__(self) -> Iterator[Problem]:
        return iter(sorted(self._found.values(), key=lambda problem: (problem.place or Place(0, 0), problem.message)))

    @property
    def errors(self) -> bool:
        return any(problem.level == "error" for problem in self._found.values())


_OWNERS = {
    "services": "service",
    "networks": "network",
    "volumes": "volume",
    "secrets": "secret",
    "configs": "config",
    "models": "model",
}


def owner(path: Path) -> str:
    """`service alice`, `service alice, ports`, `x-labctl`: what a path leads to, in words."""
    if not path:
        return ""
    head, rest = str(path[0]), path[1:]
    if head in _OWNERS and rest:
        head, rest = f"{_OWNERS[head]} {rest[0]}", rest[1:]
    words = ".".join(str(step) for step in rest if isinstance(step, str))
    return f"{head}, {words}" if words else head


def near(name: str, known: Iterable[str]) -> str:
    """`; did you mean 'image'?`, or nothing where no known name is near."""
    close = difflib.get_close_matches(name[:100], list(known), n=2, cutoff=0.6)
    return f"; did you mean {' or '.join(repr(word) for word in close)}?" if close else ""


def as_markdown() -> str:
    """docs/validation.md."""
    parts = [INTRODUCTION]
    for code, kind in KINDS.items():
        hint = f"\n{kind.hint}\n" if kind.hint and kind.hint != "{mend}" else ""
        level = " (warning)" if kind.level == "warning" else ""
        text = f"### {code}{level}\n\n{kind.meaning}\n\n    {kind.message}\n{hint}"
        parts.append(text.replace("{{", "{").replace("}}", "}").replace("!r}", "}"))
    return "\n".join(parts)


INTRODUCTION = """# What `labctl validate` finds

    $ labctl validate lab.yaml
    lab.yaml:12:5: service alice: unknown key 'imgae'; did you mean 'image'?
      known here: annotations, attach, build, ...

Each error stands with its file, line and column, and a line that says what to do; all of them are told at once. They go
to stdout, and the exit status is 1; without errors it is 0. Warnings say `warning:` and change no exit status.
With `--json` there is one document: `problems`, each with `level`, `code` (the names below), `line`, `column`,
`path`, `message` and `hint`, and `compose`, which says whether Compose was asked.

- Line and column are those of the file as it is written, also where a value comes out of an anchor or `<<`.
- A value with a variable (`${NET:-10.1.0}.2`) is judged by what Compose makes of it, with the environment and the
  `.env` file that are there now; where Compose can't be asked, such values are not judged.
- In the end Compose itself reads the file, with all profiles on. What it alone knows is told as well. It stops at its
  first error, and what labctl found by itself already is not said twice.
- `labctl up` and `labctl plan` make the same checks before they touch anything, and tell all errors in the same way. Of
  a file that Compose takes they don't mind the spelling (`trap-...`): what Compose made of it is what is run.
- Without Docker's client all of labctl's own checks are made, and a line on stderr says that Compose wasn't asked.

An unquoted word that YAML 1.1 and YAML 1.2 read in two ways is an error where Compose refuses it, or makes other text
of it than is written; where Compose reads what is meant and only other tools might not, it is a warning.

Words in braces stand for what the message is about.
"""
