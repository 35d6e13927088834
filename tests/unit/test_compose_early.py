"""Compose's version, which `up` asks for before it imports what it needs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import labctl
from labctl.engine.compose import early, plugin
from labctl.engine.compose.command import Compose
from labctl.engine.docker.endpoint import Endpoint
from labctl.errors import LabError

FOLDER = Path(labctl.__file__).parents[1]
LIMIT = 20.0  # seconds
HERE = Endpoint("unix:///dev/null", "a test")


@pytest.fixture
def compose(tmp_path, monkeypatch):
    """`compose("echo 2.30.1")`: a Compose that does this; what it is asked stands in a file beside it."""
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    program = tmp_path / "cli-plugins" / "docker-compose"
    program.parent.mkdir()
    asked = tmp_path / "asked"

    def does(script: str) -> Path:
        program.write_text(f'#!/bin/sh\necho "$@" >> {asked}\n{script}\n')
        program.chmod(0o755)
        return asked

    yield does
    early.answer((), 0)  # of a test that failed


def version() -> str:
    return Compose(HERE).full_version()


def test_it_is_asked_once(compose):
    asked = compose("echo v2.30.1-beta")
    early.begin()
    assert version() == "2.30.1"
    assert asked.read_text() == "-H unix:///dev/null version --short\n"
    assert version() == "2.30.1"  # nobody has asked for this one
    assert len(asked.read_text().splitlines()) == 2


@pytest.mark.parametrize("first", ["echo 2.30.1; exit 3", "echo nonsense", "kill -KILL $$"])
def test_what_gives_no_answer_is_asked_again(compose, first):
    asked = compose(f"[ $(wc -l < {compose('')}) = 1 ] || exec echo 2.31.0\n{first}")
    early.begin()
    assert version() == "2.31.0"
    assert len(asked.read_text().splitlines()) == 2


def test_what_never_works_is_told_as_ever(compose):
    compose("echo it is broken >&2; exit 1")
    early.begin()
    with pytest.raises(LabError) as caught:
        version()
    assert (caught.value.code, caught.value.values["verb"]) == ("compose-failed", "version")


def test_what_hangs_is_ended(compose, tmp_path):
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    compose(f"echo $$ > {fifo}; exec sleep 1000")
    early.begin()
    with fifo.open() as file:
        pid = int(file.read())
    assert early.answer([plugin.find()], 0.0) is None
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_the_answer_of_another_program_is_none(compose):
    compose("echo 2.30.1")
    early.begin()
    assert early.answer(["docker", "compose"], LIMIT) is None
    assert early.answer([plugin.find()], LIMIT) is None  # it is asked for no more


def test_where_there_is_no_such_program_nothing_is_asked(tmp_path, monkeypatch):
    broken = tmp_path / "cli-plugins" / "docker-compose"
    broken.parent.mkdir()
    broken.write_text("no program")
    broken.chmod(0o755)
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    early.begin()
    monkeypatch.setattr(plugin, "_SYSTEM", ())
    broken.unlink()
    early.begin()
    assert early.answer([str(broken)], LIMIT) is None


def test_who_ends_before_the_answer_leaves_nobody(compose, tmp_path):
    """As `labctl up --help` does."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    compose(f"exec 9> {fifo}; echo 2.30.1")
    code = "from labctl.engine.compose import early; early.begin()"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=LIMIT, cwd=FOLDER)
    with fifo.open() as file:
        assert file.read() == ""  # which comes when nobody has it open any more


def imported_by(names: str) -> set[str]:
    """The modules that a Python has which has just begun, and has imported some."""
    code = f"import sys; sys.path.insert(0, {str(FOLDER)!r}); import {names}; print(*sys.modules)"
    run = [sys.executable, "-I", "-S", "-c", code]
    return set(subprocess.run(run, check=True, capture_output=True, timeout=LIMIT, text=True).stdout.split())


def test_little_is_imported_before_the_version_is_asked_for():
    found = imported_by("labctl.engine.compose.early")
    assert "labctl.engine.compose.plugin" in found
    assert not found & {"re", "typing", "json", "pathlib", "subprocess", "contextlib", "collections"}


def test_typing_is_imported_after_compose_was_asked_to_read():
    asks = ("labctl.__main__", "labctl.cli.quick", "labctl.cli.lab.plain", "labctl.topology.builtin")
    found = imported_by(", ".join((*asks, "labctl.engine.compose.command")))
    assert "labctl.engine.compose.question" in found
    assert "typing" not in found
