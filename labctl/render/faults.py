"""The rules of a lab: as a table, and as what is said when one is set or taken back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from labctl.lab.faults.rules import Applied, Fault
from labctl.render.cells import laid_out

HEAD = ("ID", "LINK", "RULE", "SEED", "MATCHED", "DONE", "STATE")


def counted(done: Mapping[str, int]) -> str:
    """What rules did, and how often."""
    return ", ".join(f"{action} {count}" for action, count in done.items())


def applied(done: Applied) -> Iterator[str]:
    """A line for each way of a rule that was set."""
    seed = f"  seed {done.seed}" if done.by_chance else ""
    when = f"  from the next start of {done.on_start} on" if done.on_start else ""
    for link in done.links:
        yield f"{done.id}  {link}  {done.what}{seed}{when}"


def taken_back(rule: Fault) -> str:
    counts = "what it did isn't known" if rule.done is None else counted(rule.done) or "did nothing"
    return f"{rule.id}  {rule.link}  {rule.what}: taken back ({counts})"


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
