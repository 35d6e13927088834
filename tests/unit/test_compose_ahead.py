"""What Compose is asked before anybody needs the answer."""

import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from labctl.engine import expect_reading
from labctl.engine.docker import DockerEngine
from labctl.engine.docker.endpoint import Endpoint
from labctl.topology.builtin import Source

LABCTL = str(Path(sys.executable).parent / "labctl")
LIMIT = 60  # seconds
ANSWER = "name: lab\nservices: {a: {image: x}}\n"
NOWHERE = Endpoint("unix:///nowhere", "a test")
# Each run leaves its process and its words in a file; a reading for a lab of the name `slow` never ends.
PROGRAM = """#!/bin/sh
echo "$$ $*" >> {log}
case "$*" in
*"-p slow "*) exec sleep 600 ;;
*version*) echo 2.26.1 ;;
*) echo "name: lab$N" && echo "services: {{a: {{image: x}}}}" ;;
esac
"""


class Program:
    """A Compose of the test's own, where Docker's client looks for plugins."""

    def __init__(self, folder):
        self._log = folder / "log"
        self.file = folder / "cli-plugins" / "docker-compose"
        self.file.parent.mkdir()
        self.file.write_text(PROGRAM.format(log=self._log))
        self.file.chmod(0o755)

    def first(self):
        """The process of its first run, once that has begun."""
        deadline = time.monotonic() + LIMIT
        while not self.runs:
            assert time.monotonic() < deadline, "it was never begun"
            time.sleep(0.01)  # nothing tells when a process of another program begins
        return self.runs[0][0]

    @property
    def runs(self):
        lines = self._log.read_text().splitlines() if self._log.exists() else []
        return [(int(pid), words) for pid, _, words in (line.partition(" ") for line in lines)]


@pytest.fixture
def program(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("DOCKER_HOST", NOWHERE.url)
    monkeypatch.delenv("N", raising=False)
    return Program(tmp_path)


@pytest.fixture
def source(tmp_path):
    file = tmp_path / "compose.yaml"
    file.write_text("services: {a: {image: x}}\n")
    return Source(file)


def test_what_is_expected_is_asked_once(program, source):
    expect_reading(source, "lab")
    engine = DockerEngine()
    with engine.preparing(source, "lab"):
        assert engine.read(source, name="lab").text == ANSWER
    assert [words for _, words in program.runs if words.endswith("config")] == [f"-p lab -f {source.file} config"]


def test_what_was_expected_of_something_else_is_ended_and_never_taken_for_it(program, source):
    expect_reading(source, "slow")
    engine = DockerEngine()
    handle = os.pidfd_open(program.first())
    try:
        with engine.preparing(source, "lab"):
            assert engine.read(source, name="lab").text == ANSWER
        assert select.select([handle], [], [], LIMIT)[0], "the other one goes on"
    finally:
        os.close(handle)


def test_other_variables_are_another_question(program, source, monkeypatch):
    expect_reading(source, "lab")
    monkeypatch.setenv("N", "3")
    assert DockerEngine().read(source, name="lab").text == ANSWER.replace("lab", "lab3")


def test_what_has_to_be_sent_is_not_asked_before_it_is_known_whom(program, source):
    expect_reading(source._replace(text="services: {}"), "lab")
    assert program.runs == []


def test_up_reads_its_files_once(program, source):
    """The engine is nowhere: `up` gets as far as that."""
    command = [LABCTL, "up", str(source.file), "--lab", "lab"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)
    assert done.returncode == 1
    assert "/nowhere" in done.stderr
    assert len([words for _, words in program.runs if words.endswith(" config")]) == 1


def test_up_ends_what_it_began_where_it_can_not_go_on(program, source):
    """However it ends: here by a signal, while it waits for the answer."""
    labctl = subprocess.Popen([LABCTL, "up", str(source.file), "--lab", "slow"], stderr=subprocess.DEVNULL)
    try:
        handle = os.pidfd_open(program.first())
        labctl.send_signal(signal.SIGTERM)
        assert labctl.wait(LIMIT) == 128 + signal.SIGTERM
        assert select.select([handle], [], [], LIMIT)[0], "Compose reads on"
        os.close(handle)
    finally:
        labctl.kill()
        labctl.wait(LIMIT)
