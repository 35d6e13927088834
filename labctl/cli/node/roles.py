"""Commands of roles of which no more is needed than what they type at a node: `labctl GROUP NAME NODE TEXT`.

Those that have options of their own are written by hand (labctl/cli/node/keyboard.py).
"""

from __future__ import annotations

from collections.abc import Callable

import typer

from labctl.cli import output
from labctl.cli.context import engine_and_lab, text_of
from labctl.cli.options import Json, LabName, NodeName, Text, Timeout
from labctl.lab import roles
from labctl.lab.roles.role import Command


def __getattr__(name: str) -> typer.Typer:
    """The group of a file of roles, by its name."""
    if name not in roles.FILES:
        raise AttributeError(name)
    group = typer.Typer(help=roles.FILES[name], no_args_is_help=True, suggest_commands=False)
    for role in roles.in_file(name):
        if role.typing:
            group.command(role.typing.name, help=role.typing.help)(_typing(role.typing))
    return group


def _typing(made: Command) -> Callable[..., None]:
    def command(node: NodeName, text: Text, lab: LabName = None, timeout: Timeout = 5.0, as_json: Json = False) -> None:
        from labctl.render import sending

        said = text_of(text)
        engine, found = engine_and_lab(lab)
        delivery = made.act(engine, found, node, said, timeout)
        if as_json:
            output.document(delivery.as_json())
        else:
            output.data(sending.delivery(delivery))

    return command
