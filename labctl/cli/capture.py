"""Commands that show packets: capture, ladder, trace."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Annotated

import typer

from labctl.cli import output
from labctl.cli.context import engine_and_lab
from labctl.cli.options import Json, LabName, NodeName

if TYPE_CHECKING:
    from labctl.engine.docker import DockerEngine
    from labctl.packets.ladder import Ladder


class Format(enum.StrEnum):
    """What a ladder can be drawn as."""

    TEXT = "text"
    MERMAID = "mermaid"
    SVG = "svg"
    JSON = "json"


Last = Annotated[str, typer.Option(metavar="TIME", help="How far back to look: 30s, 5m ...")]
Port = Annotated[int | None, typer.Option(metavar="N", min=0, max=65535, help="Only packets from or to this port.")]
Acks = Annotated[bool, typer.Option("--ack/--no-ack", help="With pure acknowledgements, or without.")]
Limit = Annotated[int, typer.Option(metavar="N", min=0, help="At most so many arrows; 0: all.")]


def ladder(
    node: NodeName,
    other: NodeName,
    last: Last = "30s",
    form: Annotated[Format, typer.Option("--format", help="What it is drawn as.")] = Format.TEXT,
    port: Port = None,
    acks: Acks = True,
    limit: Limit = 500,
    lab: LabName = None,
    as_json: Json = False,
) -> None:
    """Draw what two nodes sent each other, as both of them saw it: each packet an arrow, lost ones half an arrow."""
    from labctl.lab import ladder as uses
    from labctl.packets.ladder import Options

    chosen = Format.JSON if as_json else form
    output.Settings.json = chosen is Format.JSON
    seconds = span("--last", last)
    engine, found = engine_and_lab(lab)
    nodes = uses.ends(found, node, other)
    prepare(engine)
    output.data(drawn(uses.drawn(engine, found, nodes, seconds, Options(port, acks, limit)), chosen))


def span(option: str, text: str) -> float:
    """Seconds. Raises LabError `bad-condition`."""
    from labctl.errors import LabError
    from labctl.faults import conditions

    try:
        return conditions.span(option, text)
    except conditions.Malformed as problem:
        raise LabError("bad-condition", why=problem, mend=problem.hint) from None


def prepare(engine: DockerEngine) -> None:
    """Sees to it that the image of the recorders is there."""
    from labctl.lab.images import ensure_probe

    with output.Progress("preparing") as report:
        ensure_probe(engine, report, 600)


def drawn(found: Ladder, form: Format) -> str:
    if form is Format.JSON:
        from labctl.render.ladder.document import document

        return output.document_text(document(found))
    if form is Format.SVG:
        from labctl.render.ladder import svg

        return svg.draw(found)
    if form is Format.MERMAID:
        from labctl.render.ladder import mermaid

        return mermaid.draw(found)
    from labctl.render.ladder import text

    return text.draw(found, columns=output.columns() or text.COLUMNS, colour=output.colour())
