"""Options that several commands share, and how they are completed."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Annotated

import typer

from labctl.cli.output import Settings

if TYPE_CHECKING:
    from labctl.api.lab import Lab


def _quietly(find: Callable[[], Iterable[str]]) -> list[str]:
    """Completion has nobody to tell an error to."""
    from labctl.errors import LabError

    try:
        return list(find())
    except (LabError, OSError):
        return []


def complete_labs() -> list[str]:
    def find() -> Iterable[str]:
        from labctl.api import machine

        return machine.names()

    return _quietly(find)


def complete_nodes(ctx: typer.Context, incomplete: str) -> list[str]:
    return [name for name in _quietly(lambda: _lab(ctx).choose()) if name.startswith(incomplete)]


def complete_links(ctx: typer.Context, incomplete: str) -> list[str]:
    def find() -> Iterable[str]:
        lab = _lab(ctx)
        pairs = lab.pairs()
        return [*lab.choose(), *(f"{a}{mark}{b}" for a, b in pairs for mark in ":-")]

    return [name for name in _quietly(find) if name.startswith(incomplete)]


def complete_faults(ctx: typer.Context, incomplete: str) -> list[str]:
    def find() -> Iterable[str]:
        rules = _lab(ctx).faults()
        return sorted({rule.id for rule in rules} | {rule.link for rule in rules})

    return [name for name in _quietly(find) if name.startswith(incomplete)]


def _lab(ctx: typer.Context) -> Lab:
    from labctl.api.labs import find
    from labctl.cli.context import asked_name

    return find(asked_name(ctx.params.get("lab")), once=True)


def complete_topologies(incomplete: str) -> list[str]:
    from labctl.topology.builtin import names

    return [name for name in names() if name.startswith(incomplete)]


def _choose_json(value: bool) -> bool:
    Settings.json = Settings.json or value
    return value


def _choose_local(value: bool) -> bool:
    Settings.local = Settings.local or value
    return value


def _a_number(value: float) -> float:
    """`nan` is neither below nor above any limit, and a wait of it has no end."""
    if value != value:
        raise typer.BadParameter("nan is no number of seconds")
    return value


LabName = Annotated[
    str | None,
    typer.Option(
        "--lab",
        "-L",
        metavar="NAME",
        help="The lab (else LABCTL_LAB, else your only one).",
        autocompletion=complete_labs,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.", callback=_choose_json)]
Local = Annotated[
    bool, typer.Option("--local", help="Times of this machine's own zone, and not UTC.", callback=_choose_local)
]
RunFile = Annotated[
    str | None, typer.Option("--run", metavar="FILE", help="Of a run that `labctl save` wrote, and of no lab.")
]
TIMES = "30s, 5m or 1d ago, 21:18:00 or 2026-01-31T12:00:00Z"
Since = Annotated[str | None, typer.Option("--since", metavar="TIME", help=f"From then on: {TIMES}.")]
Last = Annotated[
    str | None, typer.Option("--last", "--since", metavar="TIME", help=f"What was recorded from then on: {TIMES}.")
]
NodeName = Annotated[str, typer.Argument(metavar="NODE", help="A node of the lab.", autocompletion=complete_nodes)]
Text = Annotated[str, typer.Argument(metavar="TEXT", help="One line of text; - reads it from standard input.")]
Timeout = Annotated[
    float,
    typer.Option("--timeout", metavar="SECONDS", help="How long to wait.", min=0.01, max=86400, callback=_a_number),
]
Files = Annotated[
    list[str] | None,
    typer.Option(
        "--file", "-f", metavar="FILE", help="A Compose file in place of TOPOLOGY; again for one laid over it."
    ),
]
Profiles = Annotated[
    list[str] | None,
    typer.Option("--profile", metavar="NAME", help="Switch a profile on (else COMPOSE_PROFILES); again for more."),
]
EnvFiles = Annotated[
    list[str] | None,
    typer.Option("--env-file", metavar="FILE", help="Variables, in place of the .env file; again for more."),
]
