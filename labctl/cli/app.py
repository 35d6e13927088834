"""The command line: which commands there are. Each lives in a file of its group."""

from __future__ import annotations

from typing import Annotated

import typer

from labctl import __version__
from labctl.cli import keyboard, looking, planning, running
from labctl.cli.output import Settings

# Plain help: rich would take as long to import as all the rest together.
app = typer.Typer(
    name="labctl",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=True,
    suggest_commands=False,  # click names the nearest command by itself
)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"labctl {__version__}")
        raise typer.Exit


def _choose_colour(value: str) -> str:
    if value not in ("auto", "always", "never"):
        raise typer.BadParameter("auto, always or never")
    Settings.colour = value
    return value


@app.callback()
def labctl(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
    color: Annotated[
        str, typer.Option("--color", metavar="WHEN", callback=_choose_colour, help="auto, always or never.")
    ] = "auto",
) -> None:
    """A socket lab: real hosts with real addresses on this machine, at any of which you can type."""


for command in (
    running.up,
    running.down,
    running.build,
    planning.plan,
    looking.ps,
    looking.ls,
    looking.logs,
    keyboard.send,
    keyboard.attach,
):
    app.command()(command)
app.add_typer(keyboard.chat, name="chat")
app.add_typer(keyboard.echo, name="echo")
app.add_typer(keyboard.udp, name="udp")
app.add_typer(keyboard.http, name="http")
app.command("exec", context_settings={"ignore_unknown_options": False})(keyboard.execute)
for command in (running.start, running.stop, running.restart, running.kill, running.pause, running.unpause):
    app.command()(command)
app.command()(looking.doctor)
