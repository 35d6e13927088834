"""Commands that draw who sent what to whom: ladder, xray, trace."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from labctl.cli import output
from labctl.cli.chosen import lab_of
from labctl.cli.context import ago
from labctl.cli.options import TIMES, Json, LabName, NodeName, RunFile, complete_nodes
from labctl.cli.ready import Ready, ReadyFd
from labctl.errors import LabError

if TYPE_CHECKING:
    from labctl.api.parts.ladders import Step
    from labctl.api.results.xray import XRay
    from labctl.packets.ladder.ladder import Ladder, Options


class Format(enum.StrEnum):
    """What a ladder can be drawn as."""

    TEXT = "text"
    MERMAID = "mermaid"
    SVG = "svg"
    JSON = "json"
    PATTERN = "pattern"


class XrayFormat(enum.StrEnum):
    """What an x-ray can be drawn as; perfetto: Chrome's trace events."""

    TEXT = "text"
    MERMAID = "mermaid"
    SVG = "svg"
    JSON = "json"
    PATTERN = "pattern"
    PERFETTO = "perfetto"


Form = Annotated[Format, typer.Option("--format", help="What it is drawn as.")]
Port = Annotated[int | None, typer.Option(metavar="N", min=0, max=65535, help="Only packets from or to this port.")]
Acks = Annotated[bool, typer.Option("--ack/--no-ack", help="With pure acknowledgements, or without.")]
Limit = Annotated[int, typer.Option(metavar="N", min=0, help="At most so many arrows, and calls; 0: all.")]

LastOr30s = Annotated[
    str | None,
    typer.Option("--last", "--since", metavar="TIME", help=f"How far back to look: {TIMES}.", show_default="30s"),
]


def ladder(
    node: Annotated[
        str, typer.Argument(metavar="NODE|FILE", help="A node; or a capture.", autocompletion=complete_nodes)
    ],
    other: Annotated[
        str | None,
        typer.Argument(metavar="[NODE|FILE]", help="The other one.", autocompletion=complete_nodes),
    ] = None,
    last: LastOr30s = None,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on with what comes.")] = False,
    form: Form = Format.TEXT,
    port: Port = None,
    acks: Acks = True,
    limit: Limit = 500,
    flow: Annotated[
        str, typer.Option(metavar="N|HOST:PORT", help="Of files: only this conversation, by its number or an end.")
    ] = "",
    ready_fd: ReadyFd = None,
    run: RunFile = None,
    lab: LabName = None,
    as_json: Json = False,
) -> None:
    """Draw what two nodes sent each other, as both of them saw it: each packet an arrow, lost ones half an arrow.

    With FILE: what a capture shows; with two, taken at both ends, what each end saw, on one clock. A name with a / or
    that ends in .pcap, .pcapng, .cap, .ntar, .dmp or .gz is a file, - is standard input.
    """
    from labctl.api.files import is_file
    from labctl.packets.ladder.ladder import Options

    chosen = _chosen(form, as_json)
    if run:
        _of_run(run, lab, (node, other), last, Options(port, acks, limit), chosen, follow=follow, flow=flow)
        return
    if is_file(node) or (other is not None and is_file(other)):
        if follow or last or ready_fd is not None:
            raise typer.BadParameter("--follow, --last and --ready-fd are for nodes; of a file all is drawn")
        if node == other == "-":
            raise typer.BadParameter("standard input can be read once: name a file for the other end")
        _of_files(node, other, Options(port, acks, limit), flow, chosen)
        return
    if other is None:
        raise typer.BadParameter(f"{node} is no file (./{node} would be one); name two nodes")
    if flow:
        raise typer.BadParameter("--flow is for files; --port chooses a port's packets of nodes")
    if follow and chosen not in (Format.TEXT, Format.JSON):
        raise typer.BadParameter(f"a ladder that grows is text or JSON, not {chosen.value}")
    _of_nodes(lab, (node, other), last, Options(port, acks, limit), chosen, Ready(ready_fd, follows=follow), follow)


def _of_nodes(
    lab: str | None,
    names: tuple[str, str],
    last: str | None,
    options: Options,
    form: Format,
    ready: Ready,
    follow: bool,
) -> None:
    seconds = ago("--last", last or "30s")
    found = lab_of(lab)
    if follow:
        back = seconds if last else 0.0

        def said(hosts: Sequence[str]) -> None:
            ready.say(hosts, f"following {' and '.join(hosts)}: what they send each other from now on is drawn")

        _roll(
            found.follow_ladder(*names, last=back, port=options.port, acks=options.acks, ready=said),
            options.limit,
            form,
        )
        return
    drawn = found.ladder(*names, last=seconds, port=options.port, acks=options.acks, limit=options.limit, begin=True)
    show(drawn.drawn, form, acks=options.acks)


def _of_run(
    file: str,
    lab: str | None,
    names: tuple[str, str | None],
    last: str | None,
    options: Options,
    form: Format,
    **others: object,
) -> None:
    """Of a run in a file."""
    from labctl.bundle import looks
    from labctl.cli.saved_runs.looking import back, of_file

    one, other = names
    if other is None:
        raise typer.BadParameter("name two nodes of the run")
    run = of_file(file, lab, **others)
    show(looks.ladder(run, one, other, options, back(run, last)), form, acks=options.acks)


def _of_files(first: str, second: str | None, options: Options, flow: str, form: Format) -> None:
    from labctl.api import files

    found = files.ladder(first, second, port=options.port, acks=options.acks, limit=options.limit, flow=flow)
    for remark in found.remarks:
        output.talk(remark)
    show(found.ladder, form, acks=options.acks)
    if found.problem:
        raise found.problem


def xray(
    node: NodeName,
    other: NodeName,
    last: LastOr30s = None,
    form: Annotated[
        XrayFormat, typer.Option("--format", help="What it is drawn as; perfetto is for ui.perfetto.dev.")
    ] = XrayFormat.TEXT,
    port: Port = None,
    acks: Acks = True,
    limit: Limit = 500,
    run: RunFile = None,
    lab: LabName = None,
    as_json: Json = False,
) -> None:
    """Draw all of what went on between two nodes on one clock: system calls, states of sockets, packets."""
    from labctl.packets.ladder.ladder import Options

    traced = form is XrayFormat.PERFETTO and not as_json
    chosen = _chosen(Format.JSON if traced else Format(form.value), as_json)
    seen = _looked((node, other), last, Options(port, acks, limit), lab, run)
    if traced:
        output.trace(seen.perfetto())
    else:
        show(seen.drawn, chosen, acks=acks)


def _looked(names: tuple[str, str], last: str | None, options: Options, lab: str | None, run: str | None) -> XRay:
    """Of a run in a file, or of a lab, where it begins recording: LabError `not-recorded`."""
    if run:
        from labctl.api.results.xray import XRay
        from labctl.bundle import looks
        from labctl.cli.saved_runs.looking import back, of_file

        saved = of_file(run, lab)
        return XRay.of(looks.xray(saved, *names, options, back(saved, last)), options.limit)
    seconds = ago("--last", last or "30s")
    return lab_of(lab).xray(*names, last=seconds, port=options.port, acks=options.acks, limit=options.limit, begin=True)


def _chosen(form: Format, as_json: bool) -> Format:
    """What to draw; where it is JSON, an error is a document, too."""
    chosen = Format.JSON if as_json else form
    output.Settings.json = chosen is Format.JSON
    return chosen


def _roll(steps: Iterator[Step], limit: int, form: Format) -> None:
    from labctl.render.ladder import text
    from labctl.render.ladder.document import arrow_document

    roll = text.Roll(columns=output.width(text.COLUMNS), colour=output.colour())
    count, told = 0, set[str]()
    for step in steps:
        for note in (*step.problems, *step.ladder.notes):
            if note not in told:
                told.add(note)
                output.talk(note)
        fresh = step.fresh[: limit - count] if limit else step.fresh
        count += len(fresh)
        if form is Format.JSON:
            for arrow in fresh:
                output.json_line(arrow_document(arrow, step.ladder))
        else:
            output.data("\n".join(roll.lines(step.ladder, fresh)))
        if limit and count >= limit:
            output.talk(f"that is the limit of {limit} arrows; --limit 0 goes on without end")
            return


def trace(
    command: Annotated[
        list[str], typer.Argument(metavar="-- COMMAND...", help="A labctl command, such as chat send alice hi.")
    ],
    node: Annotated[
        list[str] | None,
        typer.Option(metavar="NODE", help="Record only this node; again for more.", autocompletion=complete_nodes),
    ] = None,
    deep: Annotated[bool, typer.Option("--xray", help="With system calls and states of sockets.")] = False,
    form: Form = Format.TEXT,
    port: Port = None,
    acks: Acks = True,
    limit: Limit = 500,
    lab: LabName = None,
    as_json: Json = False,
) -> None:
    """Run a labctl command, and draw what it caused: a ladder for each two nodes that spoke with each other."""
    chosen = _chosen(form, as_json)
    found, apart = lab_of(lab), chosen is not Format.TEXT
    with found.trace(*node or (), xray=deep, command=command, port=port, acks=acks, limit=limit) as seen:
        status = run_labctl(command, found.name, apart=apart)
    if not seen.quiet:
        output.talk(f"the nodes went on talking; this is what came until {seen.patience:g} s after the command")
    ladders = [ladder.drawn for ladder in seen.ladders]
    if chosen is Format.JSON:
        output.document({"command": command, **seen.as_json(), "status": status})
    elif not ladders:
        output.talk(seen.remark)
    elif chosen is Format.PATTERN:
        output.data(_pattern([ladder.drawn for ladder in seen.packets_only], acks=acks))
    else:
        if apart and len(ladders) > 1:
            pairs = ", ".join(f"{ladder.left.name} and {ladder.right.name}" for ladder in ladders)
            raise LabError("several-ladders", pairs=pairs, form=chosen.value)
        for ladder in ladders:
            show(ladder, chosen)
        if seen.aside:
            output.talk(seen.aside)
    if status:
        raise typer.Exit(status)


def run_labctl(command: list[str], lab: str, *, apart: bool) -> int:
    """Runs labctl itself with a command on the same lab; its exit status. `apart`: its output is no part of ours."""
    import os
    import subprocess
    import sys

    from labctl.engine.children import Group

    sys.stdout.flush()
    with Group() as group, group.foreground():
        child: subprocess.Popen[bytes] = group.start(
            # -P: a learner's own socket.py, in the folder that this runs in, is none of labctl's.
            [sys.executable, "-P", "-m", "labctl", *command],
            stdout=sys.stderr if apart else None,
            env={**os.environ, "LABCTL_LAB": lab},
        )
        return child.wait()


def show(found: Ladder, form: Format, *, acks: bool = True) -> None:
    if form is Format.PATTERN:
        output.data(_pattern([found], acks=acks))
    else:
        (output.markup if form is Format.SVG else output.data)(drawn(found, form))


def _pattern(ladders: Sequence[Ladder], *, acks: bool) -> str:
    from labctl.packets.pattern import seen_of, write

    lines = [write(seen_of(ladders), ignores_acks=not acks)]
    if cut := sum(ladder.cut for ladder in ladders):
        lines.append(f"*  # {cut} more, beyond the limit")
    return "\n".join(lines)


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

    return text.draw(found, columns=output.width(text.COLUMNS), colour=output.colour())
