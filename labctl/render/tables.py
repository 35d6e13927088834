"""Tables of nodes, labs and findings (rich): as wide as the terminal, uncut elsewhere."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

from labctl.render.text import colour_of, printable

if TYPE_CHECKING:  # `ps` need not import the doctor
    from labctl.engine.model import Listening, Port
    from labctl.lab.life.doctor import Finding
    from labctl.lab.life.plan import Plan
    from labctl.lab.life.status import Status, Summary

GAP = 2  # columns between two columns of a table
_COLOURS = {36: "cyan", 33: "yellow", 32: "green", 35: "magenta", 34: "blue"}
_COLOURS |= {96: "bright_cyan", 93: "bright_yellow", 92: "bright_green", 95: "bright_magenta", 94: "bright_blue"}
_STATES = {"ready": "green", "healthy": "green", "running": "yellow", "starting": "yellow", "paused": "yellow"}
_STATES |= {"ok": "green", "note": "yellow", "bad": "red"}


def nodes(statuses: Sequence[Status], *, columns: int | None, colour: bool) -> str:
    """With the machine of each where there are several."""
    rows: list[tuple[str | Text, ...]] = []
    for status in statuses:
        container = status.node.container
        many = len(container.addresses) > 1
        networks = [
            f"{_short(name)} {address}" if many else address
            for name, addresses in container.addresses.items()
            for address in addresses
        ]
        rows.append(
            (
                Text(status.node.name, style=_COLOURS[colour_of(status.node.name)]),
                status.node.role or "-",
                _styled(status.told, style=_state_style(status)),
                "\n".join(networks) or "-",
                listening(status.listening),
                "\n".join(_published(port) for port in status.published) or "-",
            )
        )
    heads: tuple[str, ...] = ("NODE", "ROLE", "STATE", "ADDRESS", "LISTENS", "PUBLISHED")
    machines = [status.node.container.machine for status in statuses]
    if any(machines):
        heads = (heads[0], "HOST", *heads[1:])
        rows = [(row[0], machine or "-", *row[1:]) for row, machine in zip(rows, machines, strict=True)]
    return laid_out(heads, rows, columns, colour)


def labs(summaries: Sequence[Summary], *, columns: int | None, colour: bool) -> str:
    rows: list[tuple[str, ...]] = []
    for summary in summaries:
        found = summary.as_json()
        owner = summary.lab.standing.owner
        running = f"{summary.running} of {found['nodes']}"
        rows.append((summary.lab.name, running, owner.shown if owner else "-", found["title"], found["topology"]))
    heads: tuple[str, ...] = ("LAB", "RUNNING", "OWNER", "TITLE", "TOPOLOGY")
    machines = [", ".join(summary.as_json().get("machines", ())) for summary in summaries]
    if any(machines):
        heads = (*heads[:2], "HOSTS", *heads[2:])
        rows = [(*row[:2], there or "-", *row[2:]) for row, there in zip(rows, machines, strict=True)]
    return laid_out(heads, rows, columns, colour)


def plan(found: Plan, *, columns: int | None, colour: bool) -> str:
    """Networks, then nodes, each with what would happen to it."""
    networks = [
        (
            net.name,
            " ".join(net.subnets) or "the engine's choice",
            "no" if net.internal else "yes",
            _change(net.change),
        )
        for net in found.networks
    ]
    nodes: list[tuple[str | Text, ...]] = []
    for node in found.nodes:
        many = len(node.addresses) > 1
        addresses = [
            f"{_short(name)} {address}" if many else address
            for name, mine in node.addresses.items()
            for address in mine or ("the engine's choice",)
        ]
        if node.owner:
            addresses = [f"that of {node.owner}"]
        name = node.name if node.count == 1 else f"{node.name} x {node.count}"
        change = _change(node.change)
        if node.why and node.change != "create":
            change.append(_lines(f" ({node.why})"))
        rest = "\n".join([*node.routes, *node.ports]) or "-"
        nodes.append((name, node.role or "-", "\n".join(addresses) or "-", rest, change))
    upper = laid_out(("NETWORK", "SUBNET", "OUTSIDE", "CHANGE"), networks, columns, colour)
    heads: tuple[str, ...] = ("NODE", "ROLE", "ADDRESS", "ROUTES, PORTS", "CHANGE")
    if any(node.machines for node in found.nodes):
        heads = (heads[0], "HOST", *heads[1:])
        hosts = [", ".join(node.machines) or "-" for node in found.nodes]
        nodes = [(row[0], host, *row[1:]) for row, host in zip(nodes, hosts, strict=True)]
    lower = laid_out(heads, nodes, columns, colour)
    return f"{upper}\n\n{lower}"


def _change(change: str) -> Text:
    return _styled(change, style={"keep": "", "create": "green", "remove": "red"}.get(change, "yellow"))


def findings(found: Sequence[Finding], *, columns: int | None, colour: bool) -> str:
    rows = []
    for item in found:
        text = _styled(item.what)
        if item.mend and item.level != "ok":
            text.append(_lines(f"\n-> {item.mend}"), style="bold" if item.level == "bad" else "")
        rows.append((item.check, Text(item.level, style=_STATES[item.level]), text))
    return laid_out(("CHECK", "", "WHAT WAS FOUND"), rows, columns, colour)


def _short(network: str) -> str:
    return network.split("_", 1)[-1]


def _published(port: Port) -> str:
    # Only what is bound to one address says which: 0.0.0.0 is every one of this machine's.
    return port.place if port.proto == "tcp" else f"{port.place}/{port.proto}"


def _state_style(status: Status) -> str:
    if status.node.container.exit_code == 0 and status.state == "exited":
        return ""  # it has done its work
    return _STATES.get(status.state, "red")


def listening(found: Sequence[Listening] | None) -> str:
    """`7/tcp` where any address of the node will do, else the address as well: nobody else reaches 127.0.0.1."""
    if found is None:
        return "?"
    everywhere = {(item.proto, item.port) for item in found if item.is_everywhere}
    shown: dict[str, None] = {}  # in order, each once
    for item in found:
        host = f"[{item.address}]" if ":" in item.address else item.address
        place = "" if (item.proto, item.port) in everywhere else f"{host}:"
        shown[f"{place}{item.port}/{item.proto}"] = None
    return " ".join(shown) or "-"


def _styled(text: str, style: str = "") -> Text:
    return Text(_lines(text), style=style)


def _lines(text: str) -> str:
    """Safe to print, line by line: roles, titles and reasons may be anybody's words."""
    return "\n".join(map(printable, text.split("\n")))


def laid_out(heads: Sequence[str], rows: Iterable[Sequence[str | Text]], columns: int | None, colour: bool) -> str:
    """A table. Where it is wider than the terminal, cells wrap between words; where that isn't enough, each row is a
    list of its own: a name or an address that is cut in the middle can neither be read nor copied."""
    cells = [tuple(cell if isinstance(cell, Text) else _styled(cell) for cell in row) for row in rows]
    widest = [max(cell_len(line) for line in lines) for lines in _by_column(heads, cells, str.splitlines)]
    least = [max(map(cell_len, words)) for words in _by_column(heads, cells, str.split)]
    gap = GAP
    if columns and sum(least) + GAP * (len(heads) - 1) > columns:
        gap = 1
        if sum(least) + len(heads) - 1 > columns:
            return _listed(heads, cells, columns, colour)
    gaps = gap * (len(heads) - 1)
    while columns and sum(widest) + gaps > columns:
        at = max((index for index in range(len(heads)) if widest[index] > least[index]), key=lambda at: widest[at])
        widest[at] -= 1
    table = Table(box=None, pad_edge=False, show_edge=False, padding=(0, gap, 0, 0))
    for head, width in zip(heads, widest, strict=True):
        table.add_column(head, width=width)
    for row in cells:
        table.add_row(*row)
    return _printed(table, sum(widest) + gaps, colour)


def _by_column(
    heads: Sequence[str], rows: Sequence[Sequence[Text]], parts: Callable[[str], list[str]]
) -> list[list[str]]:
    """What each column's head and cells consist of; of nothing, an empty piece."""
    found = [[*parts(head), ""] for head in heads]
    for row in rows:
        for pieces, cell in zip(found, row, strict=True):
            pieces += parts(cell.plain)
    return found


def _listed(heads: Sequence[str], rows: Sequence[Sequence[Text]], columns: int, colour: bool) -> str:
    """Each row below the other: what a column holds, behind its head."""
    label = max(map(cell_len, heads))
    longest = max((cell_len(word) for row in rows for cell in row for word in cell.plain.split()), default=1)
    room = max(columns - label - GAP, longest)
    table = Table(box=None, pad_edge=False, show_edge=False, show_header=False, padding=(0, GAP, 0, 0))
    table.add_column(width=label)
    table.add_column(width=room)
    for number, row in enumerate(rows):
        if number:
            table.add_row("", "")
        for head, cell in zip(heads, row, strict=True):
            table.add_row(Text(head, style="bold"), cell)
    return _printed(table, label + GAP + room, colour)


def _printed(table: Table, width: int, colour: bool) -> str:
    out = io.StringIO()
    console = Console(
        file=out,
        width=width + GAP,
        color_system="standard" if colour else None,
        force_terminal=colour,
        no_color=not colour,
        legacy_windows=False,
        highlight=False,
        markup=False,
        emoji=False,
    )
    console.print(table)
    return "\n".join(line.rstrip() for line in out.getvalue().rstrip("\n").split("\n"))
