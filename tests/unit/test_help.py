"""What `--help` says: of every command, with every argument and option explained."""

import click
import pytest

from labctl.cli.app import COMMANDS, command_line


def commands():
    for name in COMMANDS:
        command = command_line().commands[name]
        if isinstance(command, click.Group):
            yield from ((f"{name} {word}", found) for word, found in command.commands.items())
        else:
            yield name, command


@pytest.mark.parametrize(("name", "command"), list(commands()))
def test_every_argument_and_option_is_explained(name, command):
    assert command.help
    context = click.Context(command, info_name=name)
    shown = " ".join(command.get_help(context).split())
    for parameter in command.params:
        assert parameter.help, f"{name}: {parameter.name}"
        assert " ".join(parameter.help.split()[:3]) in shown
