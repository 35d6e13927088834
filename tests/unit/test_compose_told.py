"""Compose is asked once for its version, and once for its reading and the digests of what it reads alike."""

import os
import shutil
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import fake_compose
import pytest
from lacking import lacking

import labctl.kept
from labctl.engine.compose.command import Compose
from labctl.engine.docker.endpoint import Endpoint
from labctl.errors import LabError

NOWHERE = Endpoint("unix:///nowhere", "a test")
READING = "name: lab\nservices: {a: {image: x}}\n"
# Each run leaves its words in a file. A digest has the number of the run, so that none is given by chance.
PROGRAM = """#!/bin/sh
echo "$*" >> {log}
test -z "$CHANGES" || echo "# $$" >> "$CHANGES"
case "$*" in
*version*) echo {version} ;;
*config)
    echo "run: $(wc -l < {log})"
    test -z "$UNSET" || echo 'The "X" variable is not set' >&2
    ;;
*) echo "a $(wc -l < {log})" && echo "b 0" ;;
esac
"""


class Program:
    """A Compose of the test's own, where Docker's client looks for plugins."""

    def __init__(self, folder):
        self._folder, self._log = folder, folder / "log"
        self.write("2.26.1")

    def write(self, version):
        """Another program than before, where the version has another length: a file system's clock may be slow."""
        fake_compose.put(self._folder, PROGRAM.format(log=self._log, version=version))

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
    return tmp_path / "cache" / "labctl" / "compose"


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
    program.write("2.40.10")
    assert (Compose(NOWHERE).full_version(), digests(file)["a"]) == ("2.40.10", "4")
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


@pytest.mark.parametrize("content", ["", "2.26.1\n--privileged", "\xff\x00", "x" * (labctl.kept.LONGEST + 1)])
def test_what_was_kept_and_is_no_version_is_asked_and_mended(program, kept, content):
    Compose(NOWHERE).full_version()
    (file,) = kept.iterdir()
    file.write_text(content, encoding="latin-1")
    assert [Compose(NOWHERE).full_version() for _ in range(2)] == ["2.26.1"] * 2
    assert program.runs == 2


def test_a_file_that_is_a_folder_is_asked(program, kept):
    Compose(NOWHERE).full_version()
    (file,) = kept.iterdir()
    file.unlink()
    file.mkdir()
    assert [Compose(NOWHERE).full_version() for _ in range(2)] == ["2.26.1"] * 2
    assert program.runs == 3


def test_where_nothing_can_be_kept_it_is_asked(program, kept):
    kept.parent.parent.write_text("no folder\n")
    assert [Compose(NOWHERE).full_version() for _ in range(2)] == ["2.26.1"] * 2
    assert program.runs == 2


@pytest.fixture
def anothers(tmp_path):
    """A folder that isn't there, in one of another user's that this one can write to."""
    above = Path("/tmp")
    if os.geteuid() == 0:
        above = tmp_path / "anothers"
        above.mkdir()
        os.chown(above, 65534, 65534)
    if above.stat().st_uid == os.geteuid() or not os.access(above, os.W_OK):
        lacking("no folder of another user's is open to all")
    return above / f"labctl-test-{uuid.uuid4()}"


def test_nothing_is_left_where_another_user_is_at_home(program, anothers, tmp_path, monkeypatch):
    """As after `sudo`: they couldn't remove it."""
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert [Compose(NOWHERE).full_version() for _ in range(2)] == ["2.26.1"] * 2
    assert program.runs == 1, "it isn't kept at home"
    monkeypatch.setenv("HOME", str(anothers))
    assert [Compose(NOWHERE).full_version() for _ in range(2)] == ["2.26.1"] * 2
    assert (program.runs, anothers.exists()) == (3, False)


def test_it_is_the_users_alone_and_holds_no_secret(file, kept, monkeypatch):
    monkeypatch.setenv("PASSWORD", "swordfish")
    digests(file, reading=READING + "# swordfish\n")
    (found,) = kept.iterdir()
    assert (found.stat().st_mode & 0o777, kept.stat().st_mode & 0o777) == (0o600, 0o700)
    assert "swordfish" not in found.read_text()


def test_the_oldest_answers_go(program, file, kept):
    digests(file, name="lab0")
    (first,) = kept.iterdir()
    os.utime(first, (0, 0))  # a file system may give several files one time
    for number in range(1, labctl.kept.MOST + 1):
        digests(file, name=f"lab{number}")
    assert (len(list(kept.iterdir())), first.exists()) == (labctl.kept.MOST, False)
    asked = program.runs
    digests(file, name=f"lab{labctl.kept.MOST}")
    assert program.runs == asked
    digests(file, name="lab0")
    assert program.runs == asked + 1


def test_each_of_several_threads_keeps_its_own():
    """The version, the digests and a reading are told at the same time."""

    def keep(number):
        question, told = f"{number:064x}", f"{number} " * 5000
        for _ in range(50):
            labctl.kept.note(question, told)
            assert labctl.kept.answer(question) == told

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(keep, range(8)))


def test_a_refusal_is_not_kept(program, tmp_path):
    program.write("nothing")
    for _ in range(2):
        with pytest.raises(LabError):
            Compose(NOWHERE).full_version()
    assert program.runs == 2


# What it makes of files


def read(file, *more):
    compose = Compose(NOWHERE)
    begun = compose.begin([file, *more], "lab")
    return compose.config(file, more=more, name="lab", begun=begun).text


def test_it_reads_once(program, file, monkeypatch):
    assert [read(file) for _ in range(3)] == ["run: 1\n"] * 3
    monkeypatch.setenv("SHLVL", "7")
    assert read(file) == "run: 1\n"
    assert program.runs == 1


def test_other_files_and_variables_are_read_anew(program, file, tmp_path, monkeypatch):
    read(file)
    other = tmp_path / "other.yaml"
    shutil.copy(file, other)
    assert read(other) == "run: 2\n"
    assert read(file, other) == "run: 3\n"
    file.write_text("services: {a: {image: y}}\n")
    assert read(file) == "run: 4\n"
    monkeypatch.setenv("COMPOSE_PROFILES", "dev")
    assert read(file) == "run: 5\n"
    monkeypatch.chdir(tmp_path)
    assert read(file) == "run: 6\n"
    program.write("2.40.10")
    assert read(file) == "run: 7\n"


def test_what_names_a_variable_of_the_environment_is_read_each_time_and_never_kept(file, kept, monkeypatch):
    """By `$NAME`, or alone in a list: what that holds would lie on the disk."""
    for text in ("services: {a: {image: x, environment: [PASSWORD]}}\n", "services: {a: {image: $PASSWORD}}\n"):
        file.write_text(text)
        read(file)
        monkeypatch.setenv("PASSWORD", "swordfish")
        count = len(list(kept.iterdir()))
        assert read(file) != read(file)
        assert len(list(kept.iterdir())) == count
        monkeypatch.delenv("PASSWORD")


def test_what_has_variables_in_a_file_is_read_each_time(file, tmp_path, monkeypatch):
    (tmp_path / ".env").write_text("A=1\n")
    assert [read(file), read(file)] == ["run: 1\n", "run: 2\n"]
    (tmp_path / ".env").unlink()
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / ".env").write_text("A=1\n")
    assert [read(file), read(file)] == ["run: 3\n", "run: 4\n"]
    (folder / ".env").unlink()
    compose = Compose(NOWHERE, env_files=[tmp_path / "test.env"])
    assert [compose.config(file).text, compose.config(file).text] == ["run: 5\n", "run: 6\n"]
    monkeypatch.setenv("COMPOSE_ENV_FILES", "test.env")
    assert [read(file), read(file)] == ["run: 7\n", "run: 8\n"]


def test_a_reading_with_a_variable_that_is_not_set_is_told_each_time(file, monkeypatch):
    monkeypatch.setenv("UNSET", "1")
    compose = Compose(NOWHERE)
    assert [compose.config(file).unset, compose.config(file).unset] == [("X",), ("X",)]


def test_what_has_no_end_is_left_to_compose(program, tmp_path):
    """Which reads it in a process with limits."""
    pipe = tmp_path / "pipe.yaml"
    os.mkfifo(pipe)
    large = tmp_path / "large.yaml"
    large.write_text("#" * (labctl.kept.LONGEST + 1))
    for file in (pipe, large):
        assert read(file) != read(file)
    assert program.runs == 4


def test_a_folder_that_is_gone_is_no_matter(program, file, tmp_path, monkeypatch):
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert [read(file), read(file)] == ["run: 1\n", "run: 2\n"]


def test_what_is_changed_while_it_is_read_is_not_kept(program, file, kept, monkeypatch):
    """The answer may be about what stood there before, or about what stands there now."""
    before = file.read_text()
    monkeypatch.setenv("CHANGES", str(file))
    read(file)
    assert digests(file)["a"] == "2"
    assert not kept.exists()
    file.write_text(before)
    assert read(file) == "run: 3\n"
    file.write_text(before)
    assert digests(file)["a"] == "4"
