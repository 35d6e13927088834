"""Tables of machines, and of what was found of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from labctl.render.tables import laid_out
from labctl.render.text import printable

if TYPE_CHECKING:
    from labctl.engine.hosts.host import Host
    from labctl.lab.machines.finding import Finding

_LEVELS = {"ok": "green", "note": "yellow", "bad": "red"}


def hosts(found: Iterable[Host], *, columns: int | None, colour: bool) -> str:
    rows = [(Text(host.name), printable(host.address), "yes" if host.tls else "-") for host in found]
    return laid_out(("HOST", "ADDRESS", "TLS"), rows, columns, colour)


def findings(found: Sequence[Finding], names: Sequence[str], *, columns: int | None, colour: bool) -> str:
    """Machine by machine, in the order of their names as they were given."""
    order = {name: place for place, name in enumerate(names)}
    rows, last = [], None
    for item in sorted(found, key=lambda item: order[item.host]):
        text = Text(printable(item.what))
        if item.mend and item.level != "ok":
            text.append(f"\n-> {printable(item.mend)}", style="bold" if item.level == "bad" else "")
        rows.append(
            (item.host if item.host != last else "", item.check, Text(item.level, style=_LEVELS[item.level]), text)
        )
        last = item.host
    return laid_out(("HOST", "CHECK", "", "WHAT WAS FOUND"), rows, columns, colour)
