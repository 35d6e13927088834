"""The rules of a lab as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from labctl.lab.faults.rules import Fault
from labctl.render.tables import laid_out

HEAD = ("ID", "LINK", "RULE", "SEED", "MATCHED", "DONE", "STATE")


def counted(done: Mapping[str, int]) -> str:
    """What rules did, and how often."""
    return ", ".join(f"{action} {count}" for action, count in done.items())


def table(rules: Sequence[Fault], *, columns: int | None, colour: bool) -> str:
    """One line a rule and way; a question mark for what nobody knows."""
    rows = [
        (
            rule.id,
            rule.link,
            rule.what,
            str(rule.seed) if rule.seed else "-",
            "?" if rule.matched is None else str(rule.matched),
            "?" if rule.done is None else counted(rule.done) or "-",
            f"{rule.state}: {rule.reason}" if rule.reason else rule.state,
        )
        for rule in rules
    ]
    return laid_out(HEAD, rows, columns, colour)
