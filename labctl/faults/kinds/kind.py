"""What a kind of fault is to labctl: its words, its options, and what its verdicts mean. No I/O.

What it does to a packet is the probe's half, which runs where no labctl is: services/probe/labfault/faults/NAME.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from labctl.faults.measures import Measure
from labctl.named import NamedTuple

# What becomes of a packet of which a verdict tells: it arrives as it was, or with other bytes; the receiver gets
# another packet in its place; or nothing, and no rule behind this one sees it.
Arrival = Literal["whole", "changed", "replaced", "never"]
# The finding of `labctl.packets.crossings.Crossing` by which the wire itself shows that it happened.
Finding = Literal["delayed", "reordered", "corrupted", "duplicated"]


class Parameter(NamedTuple):
    """One value: `--NAME VALUE` of `fault add`, `NAME VALUE` of a link in a topology, the field NAME of a rule.

    `also` are other words that it may be typed as; what labctl says of it is NAME. `within` names a parameter that
    must be at least as large. `by_chance`: the rule's generator draws for it.
    """

    name: str
    measure: Measure
    help: str
    also: tuple[str, ...] = ()
    within: str = ""
    by_chance: bool = False

    @property
    def words(self) -> tuple[str, ...]:
        return (self.name, *self.also)


class Switch(NamedTuple):
    """A flag: `--fix-checksum` for the field `fix_checksum` of a rule."""

    name: str
    help: str

    @property
    def word(self) -> str:
        return self.name.replace("_", "-")


class Verb(NamedTuple):
    """`labctl fault NAME LINK MATCH`: the kind, done to picked packets. `fields` are what the rule then says.

    `by`: a value that the verb takes as `--by`, what it is where none is given, and its help. `by_chance`: it takes a
    seed.
    """

    help: str
    fields: Mapping[str, Any]
    by: Parameter | None = None
    by_usually: str = ""
    by_help: str = ""
    by_chance: bool = False


class FaultKind(NamedTuple):
    """`name` is its word in rules, events, verdicts, lists and JSON, and `done` what a ladder says of a packet.

    `parameters` are those of `fault add` and of a topology, none where only picked packets can meet it; `verb` is None
    where none can be picked for it. `late`: the packet leaves later than it would. `known` is False for what a probe
    told of that no table has.
    """

    name: str
    done: str
    parameters: tuple[Parameter, ...] = ()
    switches: tuple[Switch, ...] = ()
    verb: Verb | None = None
    arrives: Arrival = "whole"
    late: bool = False
    seen_as: Finding | None = None
    known: bool = True
