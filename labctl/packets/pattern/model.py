"""A pattern as data."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Variable:
    """`$name`: whatever stands there the first time, and the same again wherever it is named again."""

    name: str


Number = int | Variable


@dataclass(frozen=True, slots=True)
class End:
    """A node by its name and, where one is given, the port."""

    node: str
    port: Number | None = None


@dataclass(frozen=True, slots=True)
class Payload:
    """The bytes that a packet carries: all of them, or (`begins`) only the first. `digest`: the beginning of their
    SHA-256 in hexadecimal, instead."""

    data: bytes = b""
    begins: bool = False
    digest: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a packet, by a word of the table (labctl.packets.pattern.outcomes), and because of which rule."""

    word: str
    rule: str | Variable | None = None


@dataclass(frozen=True, slots=True)
class Option:
    """An option of TCP by packetdrill's word; `value` None: any."""

    word: str
    value: Number | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A packet. What is None, or empty, isn't looked at; a flag that doesn't stand there isn't set.

    `first`, `last` and `length` are of TCP's relative sequence numbers, or of a fragment's bytes; `message` is what an
    ICMP or ARP packet says, in words. `within_ns`: at most so long after the packet of the line before it.
    """

    row: int
    column: int
    source: End
    target: End
    protocol: str
    flags: frozenset[str] | None = None
    first: Number | None = None
    last: Number | None = None
    length: Number | None = None
    fragment: bool = False
    ack: Number | None = None
    window: Number | None = None
    options: tuple[Option, ...] = ()
    message: str = ""
    payload: Payload | Variable | None = None
    outcomes: tuple[Outcome, ...] = ()
    within_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Anything:
    """`*`: any packets, or none."""

    row: int


@dataclass(frozen=True, slots=True)
class Repeated:
    """`3 x`, `1-3 x`, `2+ x`: the line so many times. `most` None: any number."""

    line: Line
    least: int = 1
    most: int | None = 1

    @property
    def row(self) -> int:
        return self.line.row


@dataclass(frozen=True, slots=True)
class Unordered:
    """`{ ... }`: each of the lines once, in any order."""

    row: int
    lines: tuple[Line, ...]


Item = Anything | Repeated | Unordered


@dataclass(frozen=True, slots=True)
class Pattern:
    """`ignores_acks`: pure acknowledgements that nothing happened to are left out on both sides."""

    items: tuple[Item, ...]
    text: str
    ignores_acks: bool = False

    @property
    def lines(self) -> tuple[Line, ...]:
        """All packets' lines, in order."""
        out: list[Line] = []
        for item in self.items:
            if isinstance(item, Repeated):
                out.append(item.line)
            elif isinstance(item, Unordered):
                out += item.lines
        return tuple(out)

    @property
    def nodes(self) -> tuple[str, ...]:
        """The nodes that it names, in the order in which they come."""
        return tuple(dict.fromkeys(end.node for line in self.lines for end in (line.source, line.target)))

    @property
    def protocols(self) -> frozenset[str]:
        return frozenset(line.protocol for line in self.lines)
