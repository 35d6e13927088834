"""What Compose is asked before anybody needs the answer."""

import os
import select
import signal
import subprocess
import sys
from pathlib import Path

import fake_compose
import pytest

from labctl.cli.lab import plain
from labctl.engine import expect_reading
from labctl.engine.docker import DockerEngine
from labctl.engine.docker.endpoint import Endpoint
from labctl.errors import EngineUnreachable
from labctl.topology.builtin import Source

LABCTL = str(Path(sys.executable).parent / "labctl")
LIMIT = 60  # seconds
NOWHERE = Endpoint("unix:///nowhere", "a test")
# Each run leaves its process and its words in a file, and a reading then says so. One for the lab `slow` never ends;
# the others say which process has read. What asks for a version takes its time, and says when it is over.
PROGRAM = """#!/bin/sh
echo "$$ $*" >> {log}
case "$*" in *" config") echo >> {begun} ;; esac
case "$*" in
*"-p slow "*) exec sleep 600 ;;
*version*) sleep 0.3; echo 2.26.1; echo "$$ told" >> {log} ;;
*) echo "name: lab$N" && echo "x-read-by: $$" && echo "services: {{a: {{image: x}}}}" ;;
esac
"""


class Program:
    """A Compose of the test's own, where Docker's client looks for plugins."""

    def __init__(self, folder):
        self._log = folder / "log"
        begun = folder / "begun"
        os.mkfifo(begun)
        self._begun = os.open(begun, os.O_RDWR)
        self.file = fake_compose.put(folder, PROGRAM.format(log=self._log, begun=begun))

    def first(self):
        """The process of its first run, once that has begun."""
        assert select.select([self._begun], [], [], LIMIT)[0], "it was never begun"
        return self.readings[0]

    def close(self):
        os.close(self._begun)

    @property
    def told(self):
        """Whether it has told its version."""
        return self._log.read_text().endswith(" told\n")

    @property
    def readings(self):
        """The processes that were to read; others may be asked for a version meanwhile."""
        lines = self._log.read_text().splitlines()
        return [int(line.partition(" ")[0]) for line in lines if line.endswith(" config")]


@pytest.fixture
def program(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", NOWHERE.url)
    monkeypatch.delenv("N", raising=False)
    found = Program(tmp_path)
    yield found
    found.close()


def answer(process, lab="lab"):
    return f"name: {lab}\nx-read-by: {process}\nservices: {{a: {{image: x}}}}\n"


@pytest.fixture
def source(tmp_path):
    file = tmp_path / "compose.yaml"
    file.write_text("services: {a: {image: x}}\n")
    return Source(file)


def test_what_is_expected_is_asked_once(program, source):
    expect_reading(source, "lab")
    first = program.first()  # no other one can have begun before it
    engine = DockerEngine()
    with engine.preparing(source, "lab"):
        assert engine.read(source, name="lab").text == answer(first)
    assert program.readings == [first]
    assert program.told, "it is asked for its version behind the block"


def test_what_was_expected_of_something_else_is_ended_and_never_taken_for_it(program, source):
    expect_reading(source, "slow")
    engine = DockerEngine()
    handle = os.pidfd_open(program.first())
    try:
        with engine.preparing(source, "lab"):
            assert engine.read(source, name="lab").text == answer(program.readings[-1])
        assert select.select([handle], [], [], LIMIT)[0], "the other one goes on"
    finally:
        os.close(handle)


def test_other_variables_are_another_question(program, source, monkeypatch):
    expect_reading(source, "lab")
    first = program.first()
    monkeypatch.setenv("N", "3")
    read = DockerEngine().read(source, name="lab").text
    assert read == answer(program.readings[-1], "lab3")
    assert program.readings[-1] != first


def test_what_has_to_be_sent_is_not_asked_before_it_is_known_whom(program, source, monkeypatch):
    monkeypatch.setattr(subprocess, "Popen", lambda *_, **__: pytest.fail("something was begun"))
    expect_reading(source._replace(text="services: {}"), "lab")


def test_up_reads_its_files_once(program, source, monkeypatch):
    """The engine is nowhere: `up` gets as far as that. It goes on when the first reading has begun, and has left word:
    a second one would leave another."""
    begin = plain._read_soon

    def begun(*arguments):
        begin(*arguments)
        program.first()

    monkeypatch.setattr(plain, "_read_soon", begun)
    with pytest.raises(EngineUnreachable, match="/nowhere"):
        plain.up(str(source.file), "lab", LIMIT, as_json=False)
    assert program.readings == [program.first()]


def test_up_ends_what_it_began_where_it_can_not_go_on(program, source):
    """However it ends: here by a signal, while it waits for the answer."""
    labctl = subprocess.Popen([LABCTL, "up", str(source.file), "--lab", "slow"], stderr=subprocess.DEVNULL)
    try:
        handle = os.pidfd_open(program.first())
        try:
            labctl.send_signal(signal.SIGTERM)
            assert labctl.wait(LIMIT) == 128 + signal.SIGTERM
            assert select.select([handle], [], [], LIMIT)[0], "Compose reads on"
        finally:
            os.close(handle)
    finally:
        labctl.kill()
        labctl.wait(LIMIT)
