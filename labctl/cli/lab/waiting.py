"""The command that waits: wait."""

from __future__ import annotations

import enum
from typing import Annotated

import typer

from labctl.cli import output
from labctl.cli.chosen import lab_of
from labctl.cli.context import moment
from labctl.cli.options import Json, LabName, Timeout, complete_nodes


class State(enum.StrEnum):
    """What `labctl wait` knows of a node."""

    READY = "ready"
    RUNNING = "running"
    HEALTHY = "healthy"
    PAUSED = "paused"
    EXITED = "exited"


def wait(
    nodes: Annotated[
        list[str] | None,
        typer.Argument(metavar="[NODE]...", help="These nodes; without, all.", autocompletion=complete_nodes),
    ] = None,
    state: Annotated[
        State | None, typer.Option("--state", "-s", help="Until each node is so.", show_default="ready")
    ] = None,
    event: Annotated[
        str | None,
        typer.Option("--event", "-e", metavar="EVENT", help="Until any node's journal shows it: 'message \"hi\"'."),
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="TIME", help="Events since then count, too: 5s ago, or a time in UTC.")
    ] = None,
    answers: Annotated[
        str | None, typer.Option(metavar="HOST:PORT", help="Until a TCP connection is taken there.")
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="NODE", help="Who asks for it; else this machine.", autocompletion=complete_nodes
        ),
    ] = None,
    lab: LabName = None,
    timeout: Timeout = 30.0,
    as_json: Json = False,
) -> None:
    """Wait for a state of nodes, an event, or an address that answers; exit status 1 when the time is over."""
    given = [name for name, value in (("--state", state), ("--event", event), ("--answers", answers)) if value]
    if len(given) > 1:
        raise typer.BadParameter(f"{' and '.join(given)}: one of them at a time")
    if answers:
        if nodes:
            raise typer.BadParameter("--answers is about no node; --from names the one that asks")
        _for_answer(answers, source, lab, timeout, as_json)
        return
    if source or (since and not event):
        raise typer.BadParameter("--from belongs to --answers, --since to --event")
    if event:
        _for_event(event, nodes or [], since, lab, timeout, as_json)
    else:
        _for_state(state or State.READY, nodes or [], lab, timeout, as_json)


def _for_state(state: State, names: list[str], lab: str | None, timeout: float, as_json: bool) -> None:
    found = lab_of(lab)
    waited = found.wait(state.value, nodes=names, timeout=timeout)
    if as_json:
        output.document({"lab": found.name, "nodes": [item.as_json() for item in waited]})
        return
    for item in waited:
        code = "" if item.exit_code is None else f" ({item.exit_code})"
        output.talk(f"{item.node} is {item.state}{code}")


def _for_event(text: str, names: list[str], since: str | None, lab: str | None, timeout: float, as_json: bool) -> None:
    from labctl.events.codec import encode, stamp_of
    from labctl.render.timeline import Timeline

    start = stamp_of(moment("--since", since)) if since else None
    found = lab_of(lab)
    shown = found.choose(*names)

    def begun() -> None:
        output.talk(f"waiting for {text} at {', '.join(shown)}")

    event = found.wait_for(text, nodes=names, since=start, timeout=timeout, ready=begun)
    if as_json:
        output.document({"lab": found.name, "event": encode(event)})
    else:
        output.data(Timeline(list(shown), columns=output.columns(), colour=output.colour()).line(event))


def _for_answer(to: str, source: str | None, lab: str | None, timeout: float, as_json: bool) -> None:
    from labctl.render.text import address

    found = lab_of(lab)
    answered = found.wait_for_answer(to, source=source, timeout=timeout)
    if as_json:
        output.document({"lab": found.name, "to": to, "from": source, **answered.as_json()})
    else:
        ends = f"{address(answered.local)} -> {address(answered.peer)}"
        output.talk(f"{to} answers {source or 'this machine'}  {ends}  in {answered.rtt_ns / 1e6:.1f} ms")
