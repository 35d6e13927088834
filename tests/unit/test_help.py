"""What `--help` says: of every command, with every argument and option explained."""

import click
import pytest

from labctl import __version__
from labctl.cli.app import COMMANDS, command_line
from labctl.cli.words import ELSEWHERE


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


def answer(*args: str) -> str:
    """What is said of a wrong usage."""
    with pytest.raises(click.UsageError) as caught:
        command_line().main(list(args), prog_name="labctl", standalone_mode=False)
    assert caught.value.exit_code == 2
    return caught.value.format_message()


@pytest.mark.parametrize(("word", "ours"), ELSEWHERE.items())
def test_words_of_other_tools_lead_to_a_command_that_is_there(word, ours):
    assert word not in COMMANDS
    assert answer(word) == f"No such command {word!r}; here it is `labctl {ours}`."
    first, *rest = ours.split()
    found = command_line().commands[first]
    if isinstance(found, click.Group):
        assert rest[0] in found.commands
    else:
        options = {option for param in found.params for option in param.opts}
        assert {item for item in rest if item.startswith("-")} <= options


def test_nearest_command_is_still_named():
    assert "'down'" in answer("dwon")
    assert "No such command 'xyzzy'." in answer("xyzzy")


@pytest.mark.parametrize("args", [[], ["exec"], ["chat"], ["chat", "send"], ["fault", "add"], ["packet"]], ids=" ".join)
def test_help_three_ways(args, capsys):
    """`labctl help X`, `labctl X -h` and `labctl X --help` are the same."""
    shown = []
    for asked in (["help", *args], [*args, "-h"], [*args, "--help"]):
        command_line().main(asked, prog_name="labctl", standalone_mode=False)
        shown.append(capsys.readouterr().out)
    assert shown[0].startswith(f"Usage: {' '.join(['labctl', *args])} ")
    assert shown[0] == shown[1] == shown[2]


def test_version_two_ways(capsys):
    for asked in (["version"], ["--version"]):
        command_line().main(asked, prog_name="labctl", standalone_mode=False)
    said = capsys.readouterr().out.splitlines()
    assert said[0] == said[1] == f"labctl {__version__}"
