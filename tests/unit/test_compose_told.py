"""Compose is asked once for its version, and once for the digests of what it reads alike."""

import json
import os

import pytest

from labctl.engine.compose import told
from labctl.engine.compose.command import Compose
from labctl.engine.docker.endpoint import Endpoint
from labctl.errors import LabError

NOWHERE = Endpoint("unix:///nowhere", "a test")
READING = "name: lab\nservices: {a: {image: x}}\n"
# Each run leaves its words in a file. A digest has the number of the run, so that none is given by chance.
PROGRAM = """#!/bin/sh
echo "$*" >> {log}
case "$*" in
*version*) echo {version} ;;
*) echo "a $(wc -l < {log})" && echo "b 0" ;;
esac
"""


class Program:
    """A Compose of the test's own, where Docker's client looks for plugins."""

    def __init__(self, folder):
        self._log = folder / "log"
        self._file = folder / "cli-plugins" / "docker-compose"
        self._file.parent.mkdir()
        self.write("2.26.1")

    def write(self, version):
        self._file.write_text(PROGRAM.format(log=self._log, version=version))
        self._file.chmod(0o755)

    @property
    def runs(self):
        return len(self._log.read_text().splitlines()) if self._log.exists() else 0


@pytest.fixture(autouse=True)
def program(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Program(tmp_path)


@pytest.fixture
def kept(tmp_path):
    return tmp_path / "cache" / "labctl" / "compose.json"


@pytest.fixture
def file(tmp_path):
    found = tmp_path / "compose.yaml"
    found.write_text("services: {a: {image: x}}\n")
    return found


def digests(file, name="lab", reading=READING):
    return Compose(NOWHERE).own_hashes([file], name=name, reading=reading)


def test_each_is_asked_once(program, file):
    assert [Compose(NOWHERE).full_version() for _ in range(3)] == ["2.26.1"] * 3
    assert program.runs == 1
    assert [digests(file) for _ in range(3)] == [{"a": "2", "b": "0"}] * 3
    assert program.runs == 2


def test_another_program_is_asked_anew(program, file):
    assert (Compose(NOWHERE).full_version(), digests(file)["a"]) == ("2.26.1", "2")
    program.write("2.40.0")
    assert (Compose(NOWHERE).full_version(), digests(file)["a"]) == ("2.40.0", "4")
    assert program.runs == 4


def test_what_reads_otherwise_is_asked_anew(program, file, tmp_path, monkeypatch):
    digests(file)
    digests(file, name="other")
    digests(file, reading=READING + "networks: {}\n")
    other = tmp_path / "other.yaml"
    other.write_text(file.read_text())
    digests(other)
    file.write_text("services: {a: {image: y}}\n")
    digests(file)
    monkeypatch.setenv("DOCKER_DEFAULT_PLATFORM", "linux/arm64")
    digests(file)
    Compose(NOWHERE, {"N": "3"}).own_hashes([file], name="lab", reading=READING)
    Compose(NOWHERE).own_hashes([file, other], name="lab", reading=READING)
    assert program.runs == 8
    digests(file)
    assert program.runs == 8


def test_what_is_in_other_files_too_is_always_asked(program, file):
    for number, key in enumerate(("env_file: [.env]", "extends: {service: b}", "label_file: [x]"), 1):
        file.write_text(f"services: {{a: {{image: x, {key}}}}}\n")
        assert [digests(file)["a"], digests(file)["a"]] == [str(2 * number - 1), str(2 * number)]
    file.write_text("include: [b.yaml]\n")
    assert [digests(file)["a"], digests(file)["a"]] == ["7", "8"]


def test_without_a_reading_it_is_always_asked(program, file):
    assert [digests(file, reading=None)["a"], digests(file, reading=None)["a"]] == ["1", "2"]


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", '{"format": 2}', '{"format": 1, "program": 3, "answers": []}', "\xff\x00"]
)
def test_what_cannot_be_read_is_asked_and_mended(program, kept, content):
    kept.parent.mkdir(parents=True)
    kept.write_text(content, encoding="latin-1")
    assert [Compose(NOWHERE).full_version() for _ in range(2)] == ["2.26.1"] * 2
    assert program.runs == 1


def test_what_was_kept_and_is_no_version_is_asked(program, kept):
    Compose(NOWHERE).full_version()
    found = json.loads(kept.read_text())
    kept.write_text(json.dumps({**found, "answers": {"version": "2.26.1\n--privileged"}}))
    assert Compose(NOWHERE).full_version() == "2.26.1"
    assert program.runs == 2


def test_where_nothing_can_be_kept_it_is_asked(program, kept):
    kept.parent.parent.write_text("no folder\n")
    assert [Compose(NOWHERE).full_version() for _ in range(2)] == ["2.26.1"] * 2
    assert program.runs == 2


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_nothing_is_left_in_another_users_home(program, tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    os.chown(home, 65534, 65534)
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(home))
    Compose(NOWHERE).full_version()
    assert list(home.iterdir()) == []


def test_it_is_the_users_alone_and_holds_no_secret(file, kept, monkeypatch):
    monkeypatch.setenv("PASSWORD", "swordfish")
    digests(file, reading=READING + "# swordfish\n")
    assert (kept.stat().st_mode & 0o777, kept.parent.stat().st_mode & 0o777) == (0o600, 0o700)
    assert "swordfish" not in kept.read_text()
    assert list(kept.parent.iterdir()) == [kept]


def test_the_oldest_answers_go(program, file, kept):
    for number in range(told.MOST + 1):
        digests(file, name=f"lab{number}")
    assert len(json.loads(kept.read_text())["answers"]) == told.MOST
    asked = program.runs
    digests(file, name=f"lab{told.MOST}")
    assert program.runs == asked
    digests(file, name="lab0")
    assert program.runs == asked + 1


def test_a_refusal_is_not_kept(program, tmp_path):
    program.write("nothing")
    for _ in range(2):
        with pytest.raises(LabError):
            Compose(NOWHERE).full_version()
    assert program.runs == 2
