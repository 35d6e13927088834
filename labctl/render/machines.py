"""Tables of machines, and of what was found of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from labctl.render.cells import cell, laid_out
from labctl.render.tables import LEVELS, found_cell

if TYPE_CHECKING:
    from labctl.engine.hosts.host import Host
    from labctl.lab.machines.finding import Finding


def hosts(found: Iterable[Host], *, columns: int | None, colour: bool) -> str:
    rows = [(host.name, host.address, "yes" if host.tls else "-") for host in found]
    return laid_out(("HOST", "ADDRESS", "TLS"), rows, columns, colour)


def findings(found: Sequence[Finding], names: Sequence[str], *, columns: int | None, colour: bool) -> str:
    """Machine by machine, in the order of their names as they were given."""
    order = {name: place for place, name in enumerate(names)}
    rows, last = [], None
    for item in sorted(found, key=lambda item: order[item.host]):
        host = item.host if item.host != last else ""
        rows.append((host, item.check, cell(item.level, LEVELS[item.level]), found_cell(item)))
        last = item.host
    return laid_out(("HOST", "CHECK", "", "WHAT WAS FOUND"), rows, columns, colour)
