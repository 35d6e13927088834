"""Delay: the packet leaves later, by a fixed time and a part that varies from packet to packet."""

from labctl.faults.kinds.kind import FaultKind, Parameter, Verb
from labctl.faults.measures import TIME

_DELAY = Parameter("delay", TIME, "Hold each packet, for 100ms.")
KIND = FaultKind(
    "delay",
    "delayed",
    parameters=(_DELAY, Parameter("jitter", TIME, "Vary the delay by up to 20ms.", within="delay", by_chance=True)),
    verb=Verb(
        "Hold the packets that a match picks.", {}, by=_DELAY, by_usually="200ms", by_help="How long to hold them."
    ),
    late=True,
    seen_as="delayed",
)
