"""The command line: which commands there are. Each lives in a file of its group."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator, MutableMapping
from typing import Annotated, Any, cast

import click
import typer
from typer.core import TyperCommand

from labctl import __version__
from labctl.api.roles import groups
from labctl.cli.output import Settings

# Where each command, or group of commands, stands; in the order of the help.
COMMANDS = {
    "up": "lab.running.up",
    "down": "lab.running.down",
    "build": "lab.running.build",
    "clean": "lab.cleaning.clean",
    "plan": "lab.planning.plan",
    "graph": "lab.topologies.graph",
    "validate": "lab.checking.validate",
    "schema": "lab.checking.schema",
    "ps": "lab.looking.ps",
    "ls": "lab.looking.ls",
    "logs": "lab.looking.logs",
    "send": "node.keyboard.send",
    "attach": "node.keyboard.attach",
    "run": "node.programs.run",
    "rm": "node.programs.rm",
    "exec": "node.inside.execute",
    "shell": "node.inside.shell",
    "top": "node.inside.top",
    "cp": "node.inside.cp",
    "start": "lab.changing.start",
    "stop": "lab.changing.stop",
    "restart": "lab.changing.restart",
    "kill": "lab.changing.kill",
    "pause": "lab.changing.pause",
    "unpause": "lab.changing.unpause",
    "wait": "lab.waiting.wait",
    "inspect": "lab.inspecting.inspect",
    "doctor": "lab.looking.doctor",
    "hosts": "hosts.hosts",
    # Of each role with commands; those that are written by hand are named below.
    **{name: f"node.roles.{name}" for name, about in groups().items() if about},
    "chat": "node.keyboard.chat",
    "echo": "node.keyboard.echo",
    "udp": "node.keyboard.udp",
    "http": "node.keyboard.http",
    "ping": "wire.reach.ping",
    "route": "wire.reach.route",
    "dns": "wire.reach.dns",
    "speed": "wire.speed.speed",
    "fault": "wire.faults.fault",
    "partition": "wire.faults.partition",
    "heal": "wire.faults.heal",
    "trace": "wire.ladders.trace",
    "ladder": "wire.ladders.ladder",
    "xray": "wire.ladders.xray",
    "expect": "wire.patterns.expect",
    "capture": "wire.capture.capture",
    "packet": "wire.packets.packet",
    "save": "saved_runs.verbs.save",
    "open": "saved_runs.verbs.open_",
    "diff": "saved_runs.verbs.diff",
    "replay": "saved_runs.verbs.replay",
    "sockets": "node.processes.sockets",
    "syscalls": "node.processes.syscalls",
    "page": "page.page",
    "lesson": "teaching.lessons.lesson",
    "grade": "teaching.grading.grade",
    "grade-all": "teaching.grading.grade_all",
    "help": "helping.show_help",
    "version": "helping.version",
}

# What only looks at a lab, or is about none; all else does something to it, and asks before it does so to another's.
LOOKS = {"up", "build", "plan", "graph", "validate", "schema", "ps", "ls", "logs", "doctor", "ping", "route", "dns"}
LOOKS |= {
    "trace",
    "expect",
    "ladder",
    "xray",
    "capture",
    "packet",
    "sockets",
    "syscalls",
    "save",
    "diff",
    "open",
    "replay",
    "inspect",
    "top",
    "wait",
    "help",
}
LOOKS |= {
    "version",
    "compat",
    "clean",
    "lesson",
    "expect",
    "grade",
    "grade-all",
    "hosts",
}  # hosts is about no lab; clean is about no lab, and has a --force of its own
LOOKS_IN = {"chat": ("log",), "fault": ("ls",), "http": ("get",)}  # of groups
ASKS_ITSELF = {"capture", "syscalls"}  # they change something with --stop alone

# `labctl packet FILE -1`: a number, and no option.
SETTINGS = {"packet": {"ignore_unknown_options": True}}
# Commands that end in somebody else's command line (labctl/cli/passing.py).
CLASSES = {"exec": "InNode", "run": "Passing", "trace": "Passing", "expect": "InNode"}
CLASSES |= {"grade": "InNode", "grade-all": "InTwo"}


class Commands(MutableMapping[str, click.Command]):
    """Click's commands by name, each made when it is asked for: making all of them takes longer than most of them do.

    The rest of what a group of click wants of its commands is what a dict gives.
    """

    def __init__(self, places: dict[str, str]) -> None:
        self._made: dict[str, click.Command | None] = dict.fromkeys(places)
        self._places = places

    def __getitem__(self, name: str) -> click.Command:
        command = self._made[name]
        if command is None:
            module, _, attribute = self._places[name].rpartition(".")
            command = _made(name, getattr(importlib.import_module(f"labctl.cli.{module}"), attribute))
            self._made[name] = command
        return command

    def __setitem__(self, name: str, command: click.Command) -> None:
        self._made[name] = command

    def __delitem__(self, name: str) -> None:
        del self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._made)

    def __len__(self) -> int:
        return len(self._made)


def _typer(**options: Any) -> typer.Typer:
    return typer.Typer(
        rich_markup_mode=None,  # plain help: rich would take as long to import as all the rest together
        pretty_exceptions_enable=False,
        suggest_commands=False,  # click names the nearest command by itself
        **options,
    )


def _made(name: str, found: typer.Typer | Callable[..., Any]) -> click.Command:
    parent = _typer(callback=lambda: None)  # else typer would make one command of a single one
    if isinstance(found, typer.Typer):
        parent.add_typer(found, name=name)
    else:
        parent.command(name, cls=_class_of(name), context_settings=SETTINGS.get(name))(found)
    made = cast(click.Group, typer.main.get_command(parent)).commands[name]
    if name in ASKS_ITSELF:
        made.params.append(_force(changes=False))
    elif name not in LOOKS:
        for within, command in getattr(made, "commands", {"": made}).items():
            if within not in LOOKS_IN.get(name, ()):
                command.params.append(_force(changes=True))
    return made


def _force(*, changes: bool) -> click.Option:
    def choose(_context: click.Context, _option: click.Parameter, value: bool) -> None:
        Settings.changes, Settings.force = changes, value

    words = "Also where the lab is somebody else's."
    return click.Option(["--force"], is_flag=True, expose_value=False, callback=choose, help=words)


def _class_of(name: str) -> type[TyperCommand] | None:
    if name not in CLASSES:
        return None
    from labctl.cli import passing

    return cast("type[TyperCommand]", getattr(passing, CLASSES[name]))


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"labctl {__version__}")
        raise typer.Exit


def _choose_colour(value: str) -> str:
    if value not in ("auto", "always", "never"):
        raise typer.BadParameter("auto, always or never")
    Settings.colour = value
    return value


def _labctl(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
    color: Annotated[
        str, typer.Option("--color", metavar="WHEN", callback=_choose_colour, help="auto, always or never.")
    ] = "auto",
) -> None:
    """A socket lab: real hosts with real addresses on this machine, at any of which you can type."""


def command_line() -> click.Command:
    """All of labctl as one command of click."""
    from labctl.cli import words

    settings = {"help_option_names": ["-h", "--help"]}  # those of all commands below, too
    options: dict[str, Any] = {
        "no_args_is_help": True,
        "callback": _labctl,
        "cls": words.Commands,
        "context_settings": settings,
    }
    made = cast(click.Group, typer.main.get_command(_typer(name="labctl", **options)))
    made.commands = Commands(COMMANDS)
    return made
