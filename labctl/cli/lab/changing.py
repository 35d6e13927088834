"""Commands that change nodes, one or several at once: start, stop, restart, kill, pause, unpause."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from labctl.cli import output
from labctl.cli.options import Json, LabName, Timeout, complete_nodes

if TYPE_CHECKING:
    from labctl import Outcome

Nodes = Annotated[
    list[str] | None,
    typer.Argument(metavar="NODE...", help="The nodes; of a scaled service all.", autocompletion=complete_nodes),
]
Everything = Annotated[bool, typer.Option("--all", help="All nodes of the lab.")]


def complete_signals(incomplete: str) -> list[str]:
    import signal

    names = [found.name.removeprefix("SIG") for found in signal.Signals]
    return [name for name in names if name.startswith(incomplete.upper().removeprefix("SIG"))]


def start(
    nodes: Nodes = None,
    everything: Everything = False,
    lab: LabName = None,
    timeout: Timeout = 30.0,
    as_json: Json = False,
) -> None:
    """Start nodes again, and wait until they are ready."""
    _change("start", "ready", nodes, everything, lab, timeout, as_json)


def stop(
    nodes: Nodes = None,
    everything: Everything = False,
    lab: LabName = None,
    timeout: Timeout = 30.0,
    as_json: Json = False,
) -> None:
    """Stop nodes in order (SIGTERM)."""
    _change("stop", "stopped", nodes, everything, lab, timeout, as_json)


def restart(
    nodes: Nodes = None,
    everything: Everything = False,
    lab: LabName = None,
    timeout: Timeout = 30.0,
    as_json: Json = False,
) -> None:
    """Stop nodes in order and start them again."""
    _change("restart", "ready", nodes, everything, lab, timeout, as_json)


def kill(
    nodes: Nodes = None,
    everything: Everything = False,
    number: Annotated[
        str | None,
        typer.Option(
            "--signal",
            "-s",
            metavar="SIGNAL",
            help="Another signal than SIGKILL, such as HUP.",
            autocompletion=complete_signals,
        ),
    ] = None,
    lab: LabName = None,
    timeout: Timeout = 30.0,
    as_json: Json = False,
) -> None:
    """Kill nodes at once (SIGKILL), as a crash would; or send their first process another signal."""
    from labctl.signals import named

    chosen = named(number) if number else None
    done = "killed" if chosen in (None, "SIGKILL") else f"told {chosen}"
    _change("kill", done, nodes, everything, lab, timeout, as_json, chosen)


def pause(
    nodes: Nodes = None,
    everything: Everything = False,
    lab: LabName = None,
    timeout: Timeout = 30.0,
    as_json: Json = False,
) -> None:
    """Freeze the programs of nodes; their kernels still answer."""
    _change("pause", "paused", nodes, everything, lab, timeout, as_json)


def unpause(
    nodes: Nodes = None,
    everything: Everything = False,
    lab: LabName = None,
    timeout: Timeout = 30.0,
    as_json: Json = False,
) -> None:
    """Let paused nodes go on."""
    _change("unpause", "running again", nodes, everything, lab, timeout, as_json)


def _change(
    verb: str,
    done: str,
    names: list[str] | None,
    everything: bool,
    lab: str | None,
    timeout: float,
    as_json: bool,
    signal: str | None = None,
) -> None:
    from labctl.cli.chosen import lab_of

    if bool(names) == everything:
        raise typer.BadParameter("name nodes or give --all, not both" if names else "name a node, or give --all")
    found = lab_of(lab)
    all_ = found.choose(*names or ())
    nodes = found.choose(to=verb) if everything else all_
    left = [node for node in found.nodes if node.name in set(all_) - set(nodes)]

    def tell(outcome: Outcome) -> None:
        if outcome.problem is None:
            others = outcome.besides
            so = f", and so {'is' if len(others) == 1 else 'are'} {', '.join(others)}, on its network" if others else ""
            output.talk(f"{outcome.node} is {done}{so} ({outcome.seconds:.1f} s)")
        elif len(nodes) > 1:
            output.talk(f"labctl: {outcome.problem.message}\n  {outcome.problem.hint}".rstrip())

    # Of none that can be told so, all would be meant.
    outcomes = found.change(verb, *nodes, timeout=timeout, signal=signal, report=tell) if nodes else ()
    if left:
        output.talk("left as they are: " + ", ".join(f"{node.name} ({node.state})" for node in left))
    failed = [outcome.problem for outcome in outcomes if outcome.problem]
    if failed and len(nodes) == 1:
        raise failed[0]
    if as_json:
        output.document({"lab": found.name, "nodes": [outcome.as_json() for outcome in outcomes]})
    if failed:
        raise typer.Exit(1)
