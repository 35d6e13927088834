"""Rate: a slow wire. Each packet takes its time to be sent, and those behind it wait."""

from labctl.faults.kinds.kind import FaultKind, Parameter
from labctl.faults.measures import RATE

KIND = FaultKind(
    "rate",
    "slowed to its rate",
    parameters=(Parameter("rate", RATE, "Send no faster than 1mbit."),),
    late=True,
)
