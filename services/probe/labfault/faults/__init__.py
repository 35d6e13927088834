"""One file a fault. Each holds a class, called as the file is, with two constants and one method:

    action = "truncate"                the word in events, and in a rule the field that asks for it
    fields = ("truncate",)             all fields of a rule that it reads
    apply(passage) -> Fields | None      changes the passage; what it did as event fields, None where it did nothing

and is made of its rule and of a generator of its own for all that is left to chance.
"""

import importlib

# In the order in which a packet meets them: first whether it gets through and as what, then how long it takes.
NAMES = (
    "drop",
    "reset",
    "corrupt",
    "duplicate",
    "rate",
    "delay",
    "reorder",
)
FAULTS = {name: getattr(importlib.import_module(f"labfault.faults.{name}"), name.capitalize()) for name in NAMES}
# All that a rule may ask for; in one that asks for anything else, that would be left undone in silence.
FIELDS = {field for kind in FAULTS.values() for field in kind.fields}
