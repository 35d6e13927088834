"""Commands about labctl itself: help, version."""

from __future__ import annotations

from typing import Annotated

import click
import typer

from labctl.cli import output


def complete_commands(ctx: typer.Context, incomplete: str) -> list[str]:
    from labctl.cli.app import COMMANDS

    return [name for name in COMMANDS if name.startswith(incomplete)]


def show_help(
    ctx: typer.Context,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[COMMAND]...", help="The command; without, all.", autocompletion=complete_commands),
    ] = None,
) -> None:
    """Say what labctl can do, or what a command does: the same as its --help."""
    context = ctx.find_root()
    for word in words or []:
        if not isinstance(context.command, click.Group):
            raise click.UsageError(f"{context.command_path} has no commands of its own.", context)
        name, command, _ = context.command.resolve_command(context, [word])
        assert command
        context = click.Context(command, context, name)
    output.data(context.get_help())


def version() -> None:
    """Print the version."""
    from labctl import __version__

    output.data(f"labctl {__version__}")
