"""Processes as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from labctl.render.cells import laid_out

if TYPE_CHECKING:
    from labctl.lab.inside.top import Running

HEADS = ("NODE", "PID", "PPID", "USER", "%CPU", "MEMORY", "ELAPSED", "COMMAND")


def table(found: Sequence[Running], *, columns: int | None, colour: bool) -> str:
    """A line for each process, node by node."""
    rows = [
        (
            running.node,
            str(one.pid),
            str(one.parent),
            one.user,
            "-" if one.cpu is None else f"{one.cpu:.1f}",
            "-" if one.memory is None else f"{one.memory / 1024:.1f} MiB",
            one.elapsed or "-",
            one.command,
        )
        for running in found
        for one in running.processes
    ]
    return laid_out(HEADS, rows, columns, colour)
