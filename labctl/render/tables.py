"""Tables of nodes, labs and findings: as wide as the terminal, uncut elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from labctl.render.cells import Cell, cell, laid_out
from labctl.render.text import BOLD, RED, colour_of

if TYPE_CHECKING:  # `ps` need not import the doctor
    from labctl.engine.model import Listening, Port
    from labctl.lab.life.doctor import Finding
    from labctl.lab.life.plan import Plan
    from labctl.lab.life.status import Status, Summary
    from labctl.lab.machines import finding

GREEN, YELLOW = 32, 33
LEVELS = {"ok": GREEN, "note": YELLOW, "bad": RED}
_STATES = {"ready": GREEN, "healthy": GREEN, "running": YELLOW, "starting": YELLOW, "paused": YELLOW}
_CHANGES = {"keep": None, "create": GREEN, "remove": RED}


def nodes(statuses: Sequence[Status], *, columns: int | None, colour: bool) -> str:
    """With the machine of each where there are several."""
    rows: list[tuple[str | Cell, ...]] = []
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
                cell(status.node.name, colour_of(status.node.name)),
                status.node.role or "-",
                cell(status.told, _colour_of_state(status)),
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
    nodes: list[tuple[str | Cell, ...]] = []
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
        why = f" ({node.why})" if node.why and node.change != "create" else ""
        change = _change(node.change, why)
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


def _change(change: str, why: str = "") -> Cell:
    return cell(change, _CHANGES.get(change, YELLOW), why)


def findings(found: Sequence[Finding], *, columns: int | None, colour: bool) -> str:
    rows = [(item.check, cell(item.level, LEVELS[item.level]), found_cell(item)) for item in found]
    return laid_out(("CHECK", "", "WHAT WAS FOUND"), rows, columns, colour)


def found_cell(item: Finding | finding.Finding) -> Cell:
    """What was found, and below it what to do about it."""
    mend = f"\n-> {item.mend}" if item.mend and item.level != "ok" else ""
    return cell(item.what, None, mend, BOLD if item.level == "bad" else None)


def _short(network: str) -> str:
    return network.split("_", 1)[-1]


def _published(port: Port) -> str:
    # Only what is bound to one address says which: 0.0.0.0 is every one of this machine's.
    return port.place if port.proto == "tcp" else f"{port.place}/{port.proto}"


def _colour_of_state(status: Status) -> int | None:
    if status.node.container.exit_code == 0 and status.state == "exited":
        return None  # it has done its work
    return _STATES.get(status.state, RED)


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
