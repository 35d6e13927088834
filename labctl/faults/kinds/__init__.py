"""The kinds of faults: one file each, whose KIND says all that labctl knows of it.

The options of `labctl fault`, the conditions of a topology and their schema, what a verdict means to a ladder and how
lists and ladders word it come from here. The probe's half has a table of its own (services/probe/labfault/faults), and
a test keeps the two the same. CONTRIBUTING.md shows how one is added.
"""

from __future__ import annotations

import importlib
from functools import lru_cache

from labctl.faults.kinds.kind import FaultKind, Parameter, Switch

# In the order in which help and lists have them.
NAMES = (
    "delay",
    "drop",
    "duplicate",
    "reorder",
    "corrupt",
    "rate",
    "reset",
)
KINDS: dict[str, FaultKind] = {name: importlib.import_module(f"labctl.faults.kinds.{name}").KIND for name in NAMES}
PARAMETERS: dict[str, Parameter] = {one.name: one for kind in KINDS.values() for one in kind.parameters}
# By each word that one may be typed as.
TYPED: dict[str, Parameter] = {word: one for one in PARAMETERS.values() for word in one.words}
SWITCHES: dict[str, Switch] = {one.name: one for kind in KINDS.values() for one in kind.switches}


@lru_cache(maxsize=64)
def kind_of(action: str) -> FaultKind:
    """The kind that a verdict tells of. One that no table knows, as of a newer labctl's probe, is told by its name."""
    return KINDS.get(action) or FaultKind(action, f"{action}, which this labctl doesn't know,", known=False)


def draws(field: str) -> bool:
    """Whether a field of a rule is one that the rule's generator draws for."""
    return field in PARAMETERS and PARAMETERS[field].by_chance


def kind_with(switch: str) -> str:
    """The kind that a switch belongs to."""
    return next(name for name, kind in KINDS.items() if any(one.name == switch for one in kind.switches))
