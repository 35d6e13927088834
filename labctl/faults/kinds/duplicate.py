"""Duplicate: the packet arrives twice."""

from labctl.faults.kinds.kind import FaultKind, Parameter, Verb
from labctl.faults.measures import SHARE

KIND = FaultKind(
    "duplicate",
    "duplicated",
    parameters=(Parameter("duplicate", SHARE, "Deliver 1% twice.", by_chance=True),),
    verb=Verb("Deliver the packets that a match picks twice.", {"duplicate": 1.0}),
    seen_as="duplicated",
)
