"""The rules of a lab as a table."""

from __future__ import annotations

from collections.abc import Sequence

from labctl.lab.faults import Fault
from labctl.render.tables import laid_out

HEAD = ("ID", "LINK", "RULE", "SEED", "MATCHED", "DONE", "STATE")


def table(rules: Sequence[Fault], *, columns: int | None, colour: bool) -> str:
    """One line a rule and way."""
    rows = [
        (
            rule.id,
            rule.link,
            rule.what,
            str(rule.seed) if rule.seed else "-",
            str(rule.matched),
            ", ".join(f"{action} {count}" for action, count in rule.done.items()) or "-",
            f"{rule.state}: {rule.reason}" if rule.reason else rule.state,
        )
        for rule in rules
    ]
    return laid_out(HEAD, rows, columns, colour)
