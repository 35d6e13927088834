"""Reorder: the packet is overtaken by the next one of its flow."""

from labctl.faults.kinds.kind import FaultKind, Parameter
from labctl.faults.measures import SHARE

KIND = FaultKind(
    "reorder",
    "reordered",
    parameters=(Parameter("reorder", SHARE, "Let 5% be overtaken by the next.", by_chance=True),),
    late=True,
    seen_as="reordered",
)
