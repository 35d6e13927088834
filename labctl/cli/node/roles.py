"""Commands of roles of which no more is needed than what they type at a node: `labctl GROUP NAME NODE TEXT`.

Those that have options of their own are written by hand (labctl/cli/node/keyboard.py).
"""

from __future__ import annotations

from collections.abc import Callable

import typer

from labctl.api.roles import groups, verbs
from labctl.cli import output
from labctl.cli.context import text_of
from labctl.cli.options import Json, LabName, NodeName, Text, Timeout


def __getattr__(name: str) -> typer.Typer:
    """The group of a file of roles, by its name."""
    if name not in groups():
        raise AttributeError(name)
    group = typer.Typer(help=groups()[name], no_args_is_help=True, suggest_commands=False)
    for verb in verbs(name):
        group.command(verb.name, help=verb.help)(_typing(verb.role))
    return group


def _typing(role: str) -> Callable[..., None]:
    def command(node: NodeName, text: Text, lab: LabName = None, timeout: Timeout = 5.0, as_json: Json = False) -> None:
        from labctl.cli.chosen import keyboard_of
        from labctl.render import sending

        said = text_of(text)
        delivery = keyboard_of(lab, node).send(said, role=role, timeout=timeout)
        if as_json:
            output.document(delivery.as_json())
        else:
            output.data(sending.delivery(delivery))

    return command
