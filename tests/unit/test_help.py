"""What `--help` says: of every command, with every argument and option explained."""

import statistics
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest

from labctl import __version__
from labctl.cli import front, summaries
from labctl.cli.app import COMMANDS, command_line
from labctl.cli.words import ELSEWHERE

LABCTL = str(Path(sys.executable).parent / "labctl")
PAIRS = 15
AT_MOST = 6.0  # times a Python that does nothing


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
    assert shown.isascii(), "it is read in every locale"
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


def test_the_first_page_says_what_the_commands_say():
    """It is written down, so that it needs none of them: `python -m labctl.cli.front` writes it anew."""
    about, options, commands = (
        " ".join(found.split())
        if isinstance(found, str)
        else {key: " ".join(what.split()) for key, what in found.items()}
        for found in front.collected()
    )
    assert (about, options, commands) == (summaries.ABOUT, summaries.OPTIONS, summaries.SUMMARIES)
    assert list(summaries.SUMMARIES) == [name for name in COMMANDS if name in commands]


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 100, 200, None])
def test_the_first_page_fits_and_breaks_no_word(columns):
    shown = front.text(columns)
    longest = max(map(len, [*summaries.ABOUT.split(), *" ".join(summaries.SUMMARIES.values()).split()]))
    assert max(map(len, shown.split("\n"))) <= max(columns or 80, longest + 7, 45)
    for what in [summaries.ABOUT, *summaries.SUMMARIES.values()]:
        assert " ".join(what.split()) in " ".join(shown.split())


def test_the_first_page_is_the_same_with_and_without_the_commands():
    assert command_line().get_help(click.Context(command_line(), info_name="labctl")) == front.text(None)


def test_the_first_page_imports_no_command():
    """So it doesn't get slower with each of them."""
    code = "import sys; from labctl import __main__ as m; m._front(); print(*sys.modules, file=sys.stderr)"
    got = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    loaded = {name for name in got.stderr.split() if name in ("click", "typer", "rich") or name.startswith("labctl.")}
    wanted = {"labctl.__main__", "labctl.cli", "labctl.cli.front", "labctl.cli.output", "labctl.cli.summaries"}
    assert loaded == wanted | {"labctl.errors", "labctl.errors.family"}


def test_the_first_page_is_as_fast_as_it_may_take():
    """As whole processes, in pairs: what slows the machine down for a while slows down both of a pair."""

    def seconds(*command: str) -> float:
        begin = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, timeout=60, check=True)
        return time.perf_counter() - begin

    pairs = [(seconds(LABCTL, "--help"), seconds(sys.executable, "-c", "pass")) for _ in range(PAIRS)]
    assert statistics.median(ours / theirs for ours, theirs in pairs) <= AT_MOST, pairs
