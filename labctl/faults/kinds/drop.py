"""Drop: the packet never arrives, and nobody is told. (What is missing for whatever reason is `lost`.)"""

from labctl.faults.kinds.kind import FaultKind, Parameter, Verb
from labctl.faults.measures import SHARE

KIND = FaultKind(
    "drop",
    "dropped",
    # `loss` is what netem calls it.
    parameters=(Parameter("drop", SHARE, "Lose 10% of the packets.", also=("loss",), by_chance=True),),
    verb=Verb("Lose the packets that a match picks.", {"drop": 1.0}),
    arrives="never",
)
