"""Reset: the connection is cut: a RST goes in the packet's place."""

from labctl.faults.kinds.kind import FaultKind, Verb

KIND = FaultKind(
    "reset",
    "reset",
    verb=Verb("Cut the TCP connections of the packets that a match picks.", {"reset": True}),
    arrives="replaced",
)
