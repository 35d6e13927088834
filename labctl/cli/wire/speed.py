"""The command that measures: speed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from labctl.cli import output
from labctl.cli.options import Json, LabName, complete_nodes
from labctl.cli.wire.reach import Four, Six, family_of

if TYPE_CHECKING:
    from labctl.api.results.reached import SpeedAsked


def speed(
    source: Annotated[str, typer.Argument(metavar="FROM", help="Who sends.", autocompletion=complete_nodes)],
    target: Annotated[str, typer.Argument(metavar="TO", help="The node that gets it.", autocompletion=complete_nodes)],
    udp: Annotated[bool, typer.Option("--udp", "-u", help="Datagrams, instead of TCP.")] = False,
    seconds: Annotated[float, typer.Option("--seconds", "-t", metavar="SECONDS", help="How long to send.")] = 3.0,
    rate: Annotated[
        str | None,
        typer.Option(metavar="RATE", help="At most so fast, such as 5mbit; 0: no limit.", show_default="UDP: 10mbit"),
    ] = None,
    size: Annotated[int, typer.Option(metavar="BYTES", help="Of each datagram.")] = 1448,
    most: Annotated[
        int | None,
        typer.Option(
            "--bytes", metavar="N", min=0, help="At most so many; 0: no limit.", show_default="2 MiB where recorded"
        ),
    ] = None,
    four: Four = False,
    six: Six = False,
    lab: LabName = None,
    as_json: Json = False,
) -> None:
    """Measure how fast one node can send to another: throughput, loss, round trip."""
    from labctl.cli.chosen import lab_of
    from labctl.render.reach.speed import asked_line, measured_line

    family, wanted = family_of(four, six), _rate(rate)

    def begun(asked: SpeedAsked) -> None:
        if not as_json:
            output.data(asked_line(asked))
        if asked.recorded:
            who = " and ".join(asked.recorded)
            verb = "are" if len(asked.recorded) > 1 else "is"
            output.talk(f"{who} {verb} recorded, so it ends after {asked.most} B; --bytes chooses, 0 is without end")

    found = lab_of(lab).speed(
        source, target, udp=udp, seconds=seconds, most=most, rate=wanted, size=size, family=family, begun=begun
    )
    if as_json:
        output.document(found.as_json())
    else:
        output.data(measured_line(found.asked, found.measured))


def _rate(text: str | None) -> float | None:
    from labctl.errors import LabError
    from labctl.faults import conditions

    if text is None or text == "0":
        return None if text is None else 0.0
    try:
        return conditions.rate(text)
    except conditions.Malformed as problem:
        raise LabError("bad-condition", why=problem, mend=problem.hint) from None
