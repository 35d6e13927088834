"""Lines that are read without typer: as typer would read them, or left to it; and what they do not import."""

import inspect
import subprocess
import sys

import click
import pytest

from labctl.cli import quick
from labctl.cli.app import command_line
from labctl.cli.output import Settings

READ = [
    "{} alice hi",
    "{} --lab one alice hi",
    "{} alice -L one hi",
    "{} alice hi --timeout 2",
    "{} --json alice hi --lab one --timeout 1e1 --force",
    "{} alice -",
]
LEFT = [
    "{}",
    "{} --help",
    "{} alice",
    "{} alice hi there",
    "{} alice hi --frob",
    "{} alice hi -x",
    "{} alice -- -hi",
    "{} alice hi --timeout",
    "{} alice hi --timeout soon",
    "{} alice hi --timeout nan",
    "{} alice hi --timeout 0",
    "{} alice hi --timeout 86401",
    "{} alice hi --lab one --lab two",
    "{} alice hi --lab=one",
    "{} alice hi --json --json",
    "--color always {} alice hi",
]
# What takes long to import, and none of these lines needs.
HEAVY = {"typer", "click", "rich", "yaml", "docker", "subprocess", "ssl", "http.client", "labctl.topology.model"}
CHILD = """
import sys
from labctl.__main__ import main
import os
def ended(status):
    import labctl.lab.roles.chat, labctl.render.sending
    print(status, *sorted(set(sys.modules) & set({heavy!r})))
    sys.stdout.flush()
    real(status)
real, os._exit = os._exit, ended
main()
"""


@pytest.fixture(autouse=True)
def settings(monkeypatch):
    for name in ("changes", "force", "json"):
        monkeypatch.setattr(Settings, name, getattr(Settings, name))


def clicked(words: tuple[str, ...]) -> click.Command:
    command = command_line()
    for word in words:
        command = command.commands[word]
    return command


@pytest.fixture(params=quick.FORMS, ids=" ".join)
def words(request) -> tuple[str, ...]:
    return request.param


def called(monkeypatch, form: quick.Form, act) -> tuple[dict, tuple[bool, ...]]:
    """What a function of labctl/cli/node/typing.py is called with, and what the options chose for the process."""
    from labctl.cli.node import typing

    calls = []
    Settings.changes = Settings.force = Settings.json = False
    real = getattr(typing, form.function)

    def told(*args, **more):
        calls.append(inspect.signature(real).bind(*args, **more).arguments)

    with monkeypatch.context() as patched:
        patched.setattr(typing, form.function, told)
        act()
    (values,) = calls
    return {name: value for name, value in values.items() if value is not None}, (
        Settings.changes,
        Settings.force,
        Settings.json,
    )


@pytest.mark.parametrize("line", READ)
def test_a_line_means_what_typer_makes_of_it(monkeypatch, words, line):
    given = line.format(" ".join(words)).split()
    act = quick.found(given)
    assert act
    mine = called(monkeypatch, quick.FORMS[words], act)
    typers = called(
        monkeypatch,
        quick.FORMS[words],
        lambda: command_line().main(given, prog_name="labctl", standalone_mode=False),
    )
    assert mine == typers


@pytest.mark.parametrize("line", LEFT)
def test_all_else_is_left_to_typer(words, line):
    assert quick.found(line.format(" ".join(words)).split()) is None


def test_completion_is_left_to_typer(monkeypatch, words):
    monkeypatch.setenv("_LABCTL_COMPLETE", "complete_bash")
    assert quick.found([*words, "alice", "hi"]) is None


def test_its_options_are_those_of_the_commands(words):
    known = {option: param for param in clicked(words).params for option in getattr(param, "opts", ())}
    for option in (*quick.FLAGS, *quick.VALUED):
        assert known[option].is_flag == (option in quick.FLAGS)
    limits = known["--timeout"].type
    assert (limits.min, limits.max) == (quick.SHORTEST, quick.LONGEST)


def test_nothing_heavy_is_imported(words, tmp_path):
    environment = {"DOCKER_HOST": f"unix://{tmp_path}/none", "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    program = [sys.executable, "-c", CHILD.format(heavy=HEAVY), *words, "alice", "hi"]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split() == ["1"], "no engine answers, and nothing of all that was there"
    assert "labctl: " in done.stderr
