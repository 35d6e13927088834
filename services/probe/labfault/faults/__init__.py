"""One file a fault. Each holds a class with one method:

    apply(passage) -> dict | None      changes the passage; what it did as event fields, None where it did nothing

and is made of the value that its rule gives it and of a generator of its own for all that is left to chance.
"""

from labfault.faults.corrupt import Corrupt
from labfault.faults.delay import Delay
from labfault.faults.duplicate import Duplicate
from labfault.faults.loss import Loss
from labfault.faults.rate import Rate
from labfault.faults.reorder import Reorder
from labfault.faults.reset import Reset

# In the order in which a packet meets them: first whether it gets through and as what, then how long it takes.
FAULTS = {
    "loss": Loss,
    "reset": Reset,
    "corrupt": Corrupt,
    "duplicate": Duplicate,
    "rate": Rate,
    "delay": Delay,
    "reorder": Reorder,
}
