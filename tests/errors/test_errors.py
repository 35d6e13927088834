"""Each thing that `labctl validate` can find: a bad file NAME.yaml and exactly what is said of it, NAME.expected.

NAME is the code, or the code and a further word after a dot. To write what is said now into the .expected files, for
reading it with care: `LABCTL_WRITE_EXPECTED=1 pytest tests/errors`.
"""

from __future__ import annotations

import os
import socket
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest

from labctl.engine.compose.command import Compose
from labctl.engine.docker.endpoint import Endpoint
from labctl.engine.projects import Reading
from labctl.errors import LabError
from labctl.lab.validate import VARIABLES, Report, validate
from labctl.render import validation
from labctl.topology.check.problems import KINDS
from labctl.topology.check.reading.source import Unreadable, read
from labctl.topology.check.reading.taken_in import endless

HERE = Path(__file__).parent
FILES = sorted(path.name.removesuffix(".yaml") for path in HERE.glob("*.yaml"))
# Not every bad file can be kept in a repository.
MADE = ("file-missing", "file-directory", "file-special", "file-unreadable", "file-too-big", "compose-too-old")


def ask(file: Path, text: str | None = None) -> Reading:
    """What Compose makes of a file. It needs no engine, but its client has to be there."""
    compose = Compose(Endpoint("unix:///nowhere", "a test"), {**VARIABLES, "NET": "", "PORT": ""})
    try:
        return compose.config(file, text=text)
    except LabError as problem:
        if problem.code != "topology-invalid":
            pytest.fail(f"these tests need `docker compose`: {problem.message}")
        raise


def shown(name: str) -> bool:
    """Compose is not shown all: some of these keep it busy for ever."""
    file = HERE / f"{name}.yaml"
    try:
        return endless(read(file), [file]) is None
    except Unreadable as stop:
        return stop.problem.code == "yaml-syntax"


@pytest.fixture(scope="module")
def compose():
    """Compose's answers about all the files: a few at a time, as each is a process."""
    with ThreadPoolExecutor(4) as pool:
        answers: dict[str, Future[Reading]] = {
            name: pool.submit(ask, HERE / f"{name}.yaml") for name in FILES if shown(name)
        }
        # A reader of YAML that can read more than ours does not exist here.
        answers["yaml-dialect"] = pool.submit(lambda: Reading("services: {}"))
        yield lambda name: lambda text: ask(HERE / f"{name}.yaml", text) if text else answers[name].result()


def compare(name: str, report: Report) -> None:
    found = validation.text(report) + "\n"
    expected = HERE / f"{name}.expected"
    if os.environ.get("LABCTL_WRITE_EXPECTED"):
        expected.write_text(found)
    assert found == expected.read_text()
    assert name.split(".")[0] in {problem.code for problem in report.problems}


@pytest.fixture
def beside(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", FILES)
def test_bad_file(name, compose, monkeypatch):
    monkeypatch.chdir(HERE)
    compare(name, validate(f"{name}.yaml", compose(name)))


def not_asked(text: str | None) -> Reading:
    raise AssertionError("Compose can't read what labctl can't")


def test_no_file(beside):
    compare("file-missing", validate("file-missing.yaml", not_asked))


def test_directory(beside):
    Path("file-directory.yaml").mkdir()
    compare("file-directory", validate("file-directory.yaml", not_asked))


def test_socket(beside):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.bind("file-special.yaml")
        compare("file-special", validate("file-special.yaml", not_asked))


def test_link_to_itself(beside):
    Path("file-unreadable.yaml").symlink_to("file-unreadable.yaml")
    compare("file-unreadable", validate("file-unreadable.yaml", not_asked))


def test_ten_megabytes(beside):
    Path("file-too-big.yaml").write_bytes(b"# nothing\n" * (1 << 20))
    compare("file-too-big", validate("file-too-big.yaml", not_asked))


def test_a_key_that_is_newer_than_compose(beside):
    """In place of an old Compose: what it says of a key that the specification has by now."""

    def ask(text: str | None) -> Reading:
        why = f"validating {beside}/compose-too-old.yaml: services.web Additional property provider is not allowed"
        raise LabError("topology-invalid", file="x", why=why, compose="2.20")

    Path("compose-too-old.yaml").write_text("services:\n  web:\n    provider: {type: x}\n")
    compare("compose-too-old", validate("compose-too-old.yaml", ask))


def test_every_code_has_a_file():
    assert set(KINDS) == {name.split(".")[0] for name in (*FILES, *MADE)}


def test_every_expectation_has_a_file():
    assert {path.stem for path in HERE.glob("*.expected")} == {*FILES, *MADE}
