"""Lines that are read without typer: as typer would read them, or left to it; and what they do not import."""

import importlib
import inspect
import subprocess
import sys

import click
import pytest

from labctl.cli import quick
from labctl.cli.app import command_line
from labctl.cli.output import Settings

TYPED = {
    "{} alice hi": True,
    "{} --lab one alice hi": True,
    "{} alice -L one hi": True,
    "{} alice hi --timeout 2": True,
    "{} --json alice hi --lab one --timeout 1e1 --force": True,
    "{} alice -": True,
    "{}": False,
    "{} --help": False,
    "{} alice": False,
    "{} alice hi there": False,
    "{} alice hi --frob": False,
    "{} alice hi -x": False,
    "{} alice -- -hi": False,
    "{} alice hi --timeout": False,
    "{} alice hi --timeout soon": False,
    "{} alice hi --timeout nan": False,
    "{} alice hi --timeout 0": False,
    "{} alice hi --timeout 86401": False,
    "{} alice hi --lab one --lab two": False,
    "{} alice hi --lab=one": False,
    "{} alice hi --json --json": False,
    "{} alice hi --lab --json": False,
    "--color always {} alice hi": False,
}
# The lines of each form, and whether they are read here.
LINES = {
    ("send",): TYPED,
    ("chat", "send"): TYPED,
    ("echo", "send"): TYPED,
    ("up",): {
        "{}": True,
        "{} hello": True,
        "{} ./some/file.yaml --lab one --json": True,
        "{} -L one hello --timeout 7": True,
        "{} hello there": False,
        "{} -f hello": False,
        "{} --build": False,
        "{} hello --force": False,
        "{} --hosts a,b": False,
        "{} --help": False,
        "{} --timeout soon": False,
        "{} --timeout 0": False,
        "{} -- hello": False,
        "--no-color {}": False,
    },
    ("down",): {
        "{}": True,
        "{} one": True,
        "{} --json one --force": True,
        "{} one two": False,
        "{} --lab one": True,
        "{} one --lab two": False,
        "{} --all": False,
        "{} --timeout 3": False,
        "{} --help": False,
    },
    ("run",): {
        "{} -- python3 server.py": True,
        "{} --name srv -- python3 server.py --lab x -- y": True,
        "{} -n srv --timeout 3 --json --force -L one -- ./a.out": True,
        "{} --folder /some/where --publish 8000:9000 -e A=1 -- python3 server.py": True,
        "{} -C here -p 9000 --image x --memory 64m --ready go --network n --address 10.0.0.9 -- ./a.out": True,
        "{} -p 9000 -p 9001 -- ./a.out": False,
        "{} -e A=1 --env B -- ./a.out": False,
        "{} --listen 9000 -- ./a.out": False,
        "{} --publish -- ./a.out": False,
        "{}": False,
        "{} --": False,
        "{} --name srv": False,
        "{} --name srv python3 server.py": False,
        "{} python3 -- server.py": False,
        "{} --watch -- python3 server.py": False,
        "{} --name -- python3 server.py": False,
        "{} --name srv --name two -- python3 server.py": False,
        "{} --name=srv -- python3 server.py": False,
        "{} --timeout 0 -- python3 server.py": False,
        "{} --help": False,
    },
    ("ps",): {
        "{}": True,
        "{} --lab one": True,
        "{} --json -L one": True,
        "{} alice": False,
        "{} --timeout 2": False,
        "{} --force": False,
        "{} --lab": False,
        "{} --lab --json": False,
        "{} --help": False,
    },
    ("ls",): {
        "{}": True,
        "{} --json": True,
        "{} --lab one": False,
        "{} one": False,
        "{} --force": False,
        "{} --json --json": False,
    },
    ("open",): {
        "{} run.labrun": True,
        "{} run.labrun -o run.html": True,
        "{} --output run.html a.pcap": True,
        "{}": False,
        "{} a.pcap b.pcap": False,
        "{} a.pcap -o": False,
        "{} a.pcap --json": False,
        "{} a.pcap --lab one": False,
        "{} --help": False,
    },
}
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


def lines(*, read: bool) -> list:
    found = [(words, line) for words, of in LINES.items() for line, is_read in of.items() if is_read == read]
    return [pytest.param(words, line, id=line.format(" ".join(words))) for words, line in found]


def test_each_form_has_lines():
    assert LINES.keys() == quick.FORMS.keys()


def called(monkeypatch, form: quick.Form, act) -> tuple[dict, tuple[bool, ...]]:
    """What a form's function is called with, and what the options chose for the process."""
    module = importlib.import_module(f"labctl.cli.{form.module}")
    calls = []
    Settings.changes = Settings.force = Settings.json = False
    real = getattr(module, form.function)

    def told(*args, **more):
        bound = inspect.signature(real).bind(*args, **more)
        bound.apply_defaults()
        calls.append(bound.arguments)

    with monkeypatch.context() as patched:
        patched.setattr(module, form.function, told)
        act()
    (values,) = calls
    return {name: value for name, value in values.items() if value not in (None, (), {})}, (
        Settings.changes,
        Settings.force,
        Settings.json,
    )


@pytest.mark.parametrize(("words", "line"), lines(read=True))
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


@pytest.mark.parametrize(("words", "line"), lines(read=False))
def test_all_else_is_left_to_typer(words, line):
    assert quick.found(line.format(" ".join(words)).split()) is None


@pytest.mark.parametrize("words", quick.FORMS, ids=" ".join)
def test_completion_is_left_to_typer(monkeypatch, words):
    line = next(line for line, is_read in LINES[words].items() if is_read).format(" ".join(words)).split()
    assert quick.found(line)
    monkeypatch.setenv("_LABCTL_COMPLETE", "complete_bash")
    assert quick.found(line) is None


def test_machines_of_the_environment_are_left_to_typer(monkeypatch):
    monkeypatch.setenv("LABCTL_HOSTS", "a,b")
    assert quick.found(["up"]) is None
    assert quick.found(["ps"])


@pytest.mark.parametrize("words", quick.FORMS, ids=" ".join)
def test_its_options_are_those_of_the_commands(words):
    known = {option: param for param in clicked(words).params for option in getattr(param, "opts", ())}
    form = quick.FORMS[words]
    for option, name in {**quick.FLAGS, **quick.VALUED}.items():
        assert (option in known) == (name in form.options)
        if option in known:
            assert known[option].is_flag == (option in quick.FLAGS)
    if form.timeout is not None:
        limits = known["--timeout"].type
        assert (limits.min, limits.max) == (quick.SHORTEST, quick.LONGEST)
        assert known["--timeout"].default == form.timeout


@pytest.mark.parametrize("words", [words for words, of in LINES.items() if of is TYPED], ids=" ".join)
def test_nothing_heavy_is_imported(words, tmp_path):
    environment = {"DOCKER_HOST": f"unix://{tmp_path}/none", "HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    program = [sys.executable, "-c", CHILD.format(heavy=HEAVY), *words, "alice", "hi"]
    done = subprocess.run(program, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.split() == ["1"], "no engine answers, and nothing of all that was there"
    assert "labctl: " in done.stderr
