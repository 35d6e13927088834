"""Small looks from a node: ping, route, dns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from labctl.cli import output
from labctl.cli.options import Json, LabName, NodeName, Timeout, complete_nodes

if TYPE_CHECKING:
    from labctl.api.node import Node
    from labctl.api.parts.reach import Family
    from labctl.api.results.reached import Answer, Asked, Chosen, Hop, Lookup

Target = Annotated[
    str,
    typer.Argument(
        metavar="TARGET", help="A node, an address, or a name that the node resolves.", autocompletion=complete_nodes
    ),
]
Four = Annotated[bool, typer.Option("-4", help="IPv4 only.")]
Six = Annotated[bool, typer.Option("-6", help="IPv6 only.")]


def ping(
    node: NodeName,
    target: Target,
    count: Annotated[int, typer.Option("--count", "-c", help="How many requests.", min=1, max=65_535)] = 3,
    interval: Annotated[str, typer.Option("--interval", "-i", metavar="TIME", help="From one to the next.")] = "200ms",
    size: Annotated[int, typer.Option("--size", "-s", help="Bytes in each request.", min=0, max=65_507)] = 56,
    ttl: Annotated[
        int | None, typer.Option("--ttl", help="How many hops each may take at most.", min=1, max=255)
    ] = None,
    four: Four = False,
    six: Six = False,
    lab: LabName = None,
    timeout: Timeout = 2.0,
    as_json: Json = False,
) -> None:
    """Ask from a node whether another one answers (ICMP echo), and how long it takes there and back."""
    from labctl.cli.chosen import lab_of
    from labctl.render.reach import looks

    seconds, family = _interval(interval), family_of(four, six)
    answers: list[Answer] = []
    has_begun = False

    def begun(asked: Asked) -> None:
        nonlocal has_begun
        has_begun = True
        if not as_json:
            output.data(looks.asked(asked, columns=output.columns()))

    def show(one: Answer) -> None:
        answers.append(one)
        if not as_json:
            output.data(looks.answer(one, timeout, columns=output.columns(), colour=output.colour()))

    try:
        found = (
            lab_of(lab)
            .node(node)
            .ping(
                target,
                count=count,
                interval=seconds,
                timeout=timeout,
                size=size,
                ttl=ttl,
                family=family,
                begun=begun,
                show=show,
            )
        )
    finally:  # also after ^C: what was seen until then
        if has_begun and not as_json:
            output.data(looks.summary_of(answers))
    if as_json:
        output.document(found.as_json())


def route(
    node: NodeName,
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="[TARGET]", help="Whom the way leads to; without, all routes.", autocompletion=complete_nodes
        ),
    ] = None,
    four: Four = False,
    six: Six = False,
    lab: LabName = None,
    timeout: Timeout = 1.0,
    as_json: Json = False,
) -> None:
    """Show the way from a node to another one, hop by hop; or the node's routing table."""
    from labctl.cli.chosen import lab_of
    from labctl.render.reach import looks

    family = family_of(four, six)
    there = lab_of(lab).node(node)
    if target is None:
        _table(there, family, as_json)
        return

    def begun(chosen: Chosen) -> None:
        if not as_json:
            output.data(looks.chosen(chosen, columns=output.columns()))

    def show(hop: Hop) -> None:
        if not as_json:
            output.data(looks.hop(hop, timeout, columns=output.columns(), colour=output.colour()))

    found = there.route(target, timeout=timeout, family=family, begun=begun, show=show)
    if as_json:
        output.document(found.as_json())


def _table(node: Node, family: int | None, as_json: bool) -> None:
    from labctl.render.reach import looks

    entries = [entry for entry in node.routes() if family in (None, entry.family)]
    if as_json:
        output.document({"lab": node.lab.name, "node": node.name, "routes": [entry.as_json() for entry in entries]})
    elif entries:
        output.data(looks.routes(entries, columns=output.columns(), colour=output.colour()))
    else:
        output.talk(f"{node.name} has no route")


def dns(
    node: NodeName,
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="A name; of an address, its name.", autocompletion=complete_nodes),
    ],
    types: Annotated[
        list[str] | None, typer.Option("--type", "-t", metavar="TYPE", help="A, AAAA, PTR, CNAME, MX, TXT, SRV ...")
    ] = None,
    server: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Another name server than the node's.", autocompletion=complete_nodes),
    ] = None,
    lab: LabName = None,
    timeout: Timeout = 5.0,
    as_json: Json = False,
) -> None:
    """Ask a node's name server, as the node itself would, and show its answer."""
    from labctl.cli.chosen import lab_of
    from labctl.render.reach import looks

    found = lab_of(lab)

    def show(looked: Lookup) -> None:
        if not as_json:
            output.data(looks.names(found.snapshot(), looked, columns=output.columns(), colour=output.colour()))

    resolved = found.node(node).dns(name, types=types or (), server=server, timeout=timeout, show=show)
    if as_json:
        output.document(resolved.as_json())


def family_of(four: bool, six: bool) -> Family | None:
    if four and six:
        raise typer.BadParameter("-4 and -6 exclude each other")
    return 4 if four else 6 if six else None


def _interval(text: str) -> float:
    from labctl.errors import LabError
    from labctl.faults.conditions import Malformed, seconds

    try:
        return seconds("--interval", text)
    except Malformed as problem:
        raise LabError("bad-condition", why=problem, mend=problem.hint) from None
