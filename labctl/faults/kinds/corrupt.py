"""Corrupt: one bit of the packet is flipped."""

from labctl.faults.kinds.kind import FaultKind, Parameter, Switch, Verb
from labctl.faults.measures import SHARE

KIND = FaultKind(
    "corrupt",
    "corrupted",
    parameters=(Parameter("corrupt", SHARE, "Flip a bit in 1%.", by_chance=True),),
    switches=(Switch("fix_checksum", "Let what is corrupt reach the program."),),
    verb=Verb("Flip a bit in the packets that a match picks.", {"corrupt": 1.0}, by_chance=True),
    arrives="changed",
    seen_as="corrupted",
)
