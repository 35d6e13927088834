"""Captured packets, looked at one by one: packet."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any

import typer

from labctl.cli import output
from labctl.cli.options import Json, LabName, RunFile

if TYPE_CHECKING:
    from labctl.errors import LabError
    from labctl.packets.model import Packet

LAST = "last"
COUNTED = "packets are counted from 1 on, and -1 is the last"
WIDE = 100  # columns of a packet's layers where no terminal says how many there are


def packet(
    file: Annotated[
        str | None,
        typer.Argument(metavar="FILE|last", help="A pcap or pcapng file; - reads standard input; last: see above."),
    ] = None,
    number: Annotated[
        int | None, typer.Argument(metavar="[N]", help="Which packet: from 1 on, -1 is the last; without, all.")
    ] = None,
    layers: Annotated[
        bool, typer.Option("--layers", help="All layers with their fields and, below, all bytes.")
    ] = False,
    limit: Annotated[int, typer.Option(help="How many packets to show.", min=1)] = 500,
    run: RunFile = None,
    lab: LabName = None,
    as_json: Json = False,
) -> None:
    """Show the packets of a capture, a line each; or one of them, layer by layer.

    `labctl packet last` shows the newest packet that is recorded in the lab, `last 2` the one before it ...
    `labctl packet --run FILE [N]`: those of a saved run, or one of them.
    """
    from labctl.api import files

    if run:
        _of_run(run, file, number, lab, layers, limit, as_json)
        return
    if file is None:
        raise typer.BadParameter("name a capture, last or --run FILE")
    if number == 0:
        raise typer.BadParameter(COUNTED)
    if file == LAST:
        _show_newest(abs(number or 1), layers, lab, as_json)
        return
    if number is not None:
        found, problem = files.packet(file, number)
        _show_one(found, layers, as_json, problem)
        return
    kept, count, problem = files.packets(file, limit)
    if as_json:
        _document({"file": file, "count": count, "packets": _documents(kept, layers)}, problem)
        return
    if layers and kept:
        output.data("\n\n".join(_drawn(item, dump=True) for item in kept))
    elif kept:
        _list(kept)
    if not count:
        output.talk("there is no packet in it")
    if count > len(kept):
        output.talk(f"{len(kept)} of {count} packets are shown; --limit {count} shows all")
    if problem:
        raise problem


def _of_run(
    file: str, word: str | None, number: int | None, lab: str | None, layers: bool, limit: int, as_json: bool
) -> None:
    """Of a run in a file: `packet --run FILE 17`, `last`, `last 2`."""
    from labctl.bundle import looks
    from labctl.cli.saved_runs.looking import of_file

    run = of_file(file, lab)
    if word == LAST:
        number = -abs(number or 1)
    elif word is not None:
        if number is not None or not re.fullmatch(r"-?\d{1,9}", word):
            raise typer.BadParameter(f"{word} is no number of a packet: the file is that of --run")
        number = int(word)
    if number == 0:
        raise typer.BadParameter(COUNTED)
    if number is not None:
        _show_one(looks.packet(run, number, f"--run {file}"), layers, as_json, None)
        return
    packets = looks.seen(run)
    if as_json:
        _document({"file": file, "count": len(packets), "packets": _documents(packets[:limit], layers)}, None)
    elif layers and packets:
        output.data("\n\n".join(_drawn(item, dump=True) for item in packets[:limit]))
    elif packets:
        _list(packets[:limit])
    if not packets:
        output.talk("there is no packet in it")
    if len(packets) > limit:
        output.talk(f"{limit} of {len(packets)} packets are shown; --limit {len(packets)} shows all")


def _show_newest(number: int, layers: bool, lab: str | None, as_json: bool) -> None:
    from labctl.cli.chosen import lab_of

    _show_one(lab_of(lab).newest_packet(number), layers, as_json, None)


def _show_one(found: Packet, layers: bool, as_json: bool, problem: LabError | None) -> None:
    if as_json:
        from labctl.render.packets.layers import document

        _document(document(found), problem)
        return
    output.data(_drawn(found, dump=layers))
    if problem:
        raise problem


def _list(packets: list[Packet]) -> None:
    from labctl.render.packets.listing import listed

    for line in listed(packets, columns=output.columns(), colour=output.colour()):
        output.data(line)


def _drawn(found: Packet, *, dump: bool) -> str:
    from labctl.render.packets.layers import draw

    return draw(found, columns=output.columns() or WIDE, colour=output.colour(), dump=dump)


def _documents(packets: list[Packet], layers: bool) -> list[dict[str, Any]]:
    if layers:
        from labctl.render.packets.layers import document

        return [document(item) for item in packets]
    from labctl.render.packets.listing import documents

    return documents(packets)


def _document(value: dict[str, Any], problem: LabError | None) -> None:
    """One document, whose `error` says what is wrong with the capture after what is shown of it."""
    if problem is None:
        output.document(value)
        return
    raise problem.having(seen=value)
