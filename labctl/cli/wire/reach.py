"""Small looks from a node: ping, route, dns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from labctl.cli import output
from labctl.cli.context import engine_and_lab, prepare_probe
from labctl.cli.options import Json, LabName, NodeName, Timeout, complete_nodes

if TYPE_CHECKING:
    from labctl.engine.model import Engine
    from labctl.lab.model import Lab

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
    from labctl.lab.reach import ping
    from labctl.render.reach import looks

    seconds, family = _interval(interval), family_of(four, six)
    engine, found = engine_and_lab(lab)
    prepare_probe(engine)
    options = {"interval": seconds, "timeout": timeout, "size": size, "ttl": ttl, "family": family}
    seen = ping.ping(engine, found, node, target, count=count, **options)  # type: ignore[arg-type]
    asked, answers = None, []
    try:
        for item in seen:
            if isinstance(item, ping.Asked):
                asked = item
                text = looks.asked(item, columns=output.columns())
            else:
                answers.append(item)
                text = looks.answer(item, timeout, columns=output.columns(), colour=output.colour())
            if not as_json:
                output.data(text)
    finally:  # also after ^C: what was seen until then
        if asked and not as_json:
            output.data(looks.summary(ping.summary(answers)))
    if asked:
        ping.check(found, asked, answers)
        if as_json:
            output.document(ping.document(found, asked, answers))


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
    from labctl.lab.reach import route
    from labctl.render.reach import looks

    family = family_of(four, six)
    engine, found = engine_and_lab(lab)
    prepare_probe(engine)
    if target is None:
        _table(engine, found, node, family, as_json)
        return
    chosen, hops = None, []
    for item in route.path(engine, found, node, target, timeout=timeout, family=family):
        if isinstance(item, route.Chosen):
            chosen = item
            text = looks.chosen(item, columns=output.columns())
        else:
            hops.append(item)
            text = looks.hop(item, timeout, columns=output.columns(), colour=output.colour())
        if not as_json:
            output.data(text)
    if chosen:
        route.check(found, chosen, hops, timeout)
        if as_json:
            output.document(route.document(found, chosen, hops))


def _table(engine: Engine, lab: Lab, node: str, family: int | None, as_json: bool) -> None:
    from labctl.lab.reach.route import table, table_document
    from labctl.render.reach import looks

    entries = [entry for entry in table(engine, lab, node) if family in (None, entry.family)]
    if as_json:
        output.document(table_document(lab, node, entries))
    elif entries:
        output.data(looks.routes(entries, columns=output.columns(), colour=output.colour()))
    else:
        output.talk(f"{node} has no route")


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
    from labctl.lab.reach import dns
    from labctl.render.reach import looks

    engine, found = engine_and_lab(lab)
    prepare_probe(engine)
    looked = dns.ask(engine, found, node, name, types=types or (), server=server, timeout=timeout)
    if not as_json:
        output.data(looks.names(found, looked, columns=output.columns(), colour=output.colour()))
    dns.check(found, looked)
    if as_json:
        output.document(looked.as_json(found))


def family_of(four: bool, six: bool) -> int | None:
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
