"""Which `labctl` a person gets who types that word, and whose it is."""

import os
import sys
from pathlib import Path

import pytest

from labctl.lab.life import doctor
from labctl.lab.machine import on_path


def program(file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("#!/bin/sh\n")
    file.chmod(0o755)
    return file


def environment(folder: Path, name: str) -> Path:
    """A virtual environment in which a distribution has the command; the command."""
    file = program(folder / "bin" / "labctl")
    record = folder / "lib" / "python3.12" / "site-packages" / f"{name}-1.2.dist-info" / "RECORD"
    record.parent.mkdir(parents=True)
    record.write_text(f"{name}/labctl.py,sha256=x,1\n../../../bin/labctl,sha256=x,10\n{record.parent.name}/RECORD,,\n")
    return file


@pytest.fixture
def this(tmp_path, monkeypatch):
    """This labctl, in a folder of its own, with its other name; and what the PATH is."""
    file = environment(tmp_path / "this one", "wirelab")
    program(file.with_name("wirelab"))
    monkeypatch.setattr(sys, "argv", [str(file), "doctor"])
    return file


def looked(monkeypatch, *folders: Path) -> doctor.Finding:
    monkeypatch.setenv("PATH", os.pathsep.join(map(str, folders)))
    return doctor._command()


def test_it_is_this_one_by_its_own_name_and_by_a_link(this, tmp_path, monkeypatch):
    assert looked(monkeypatch, this.parent).level == "ok"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "labctl").symlink_to(this)
    assert looked(monkeypatch, tmp_path / "bin", this.parent) == doctor.Finding(
        "command", "ok", f"{tmp_path}/bin/labctl is this one"
    )
    monkeypatch.setattr(sys, "argv", [str(this.with_name("wirelab")), "doctor"])
    assert looked(monkeypatch, this.parent).level == "ok"


def test_another_one_is_told_with_its_distribution(this, tmp_path, monkeypatch):
    other = environment(tmp_path / "other", "labctl")
    told = looked(monkeypatch, other.parent, this.parent)
    assert (told.check, told.level) == ("command", "note")
    assert told.what.endswith(f": {other} (the Python distribution labctl 1.2)")
    assert told.mend == f"type `wirelab`, which is this one, or put {this.parent} before {other.parent} on the PATH"


def test_one_that_nobody_knows_and_no_other_name_on_the_path(this, tmp_path, monkeypatch):
    other = program(tmp_path / "other" / "labctl")
    told = looked(monkeypatch, other.parent)
    assert told.what.endswith(f": {other} (no package manager knows it)")
    assert told.mend == f"put {this.parent} before {other.parent} on the PATH"


def test_none_on_the_path(this, tmp_path, monkeypatch):
    told = looked(monkeypatch, tmp_path / "nowhere")
    assert (told.level, told.mend) == ("note", f"add {this.parent} to it")


@pytest.mark.parametrize(
    ("tool", "says", "words"),
    [
        ("dpkg-query", "lab-tools: /usr/bin/labctl", "the Debian package lab-tools"),
        ("rpm", "lab-tools-1.0-1.x86_64", "the RPM package lab-tools-1.0-1.x86_64"),
    ],
)
def test_what_a_package_manager_says(tmp_path, monkeypatch, tool, says, words):
    other = program(tmp_path / "usr" / "labctl")
    program(tmp_path / "bin" / tool).write_text(f"#!/bin/sh\necho '{says}'\n")
    monkeypatch.setenv("PATH", f"{tmp_path}/bin")
    assert on_path.owner(other) == words


def test_without_a_command_it_is_that_of_this_python(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["-m"])
    assert on_path.this_one() == Path(sys.executable).parent / "labctl"
    assert on_path.owner(on_path.this_one()).startswith("the Python distribution wirelab ")


def test_a_debian_file_is_known_to_dpkg():
    if not Path("/etc/debian_version").exists():  # where that is, dpkg has to be, too
        pytest.skip("this machine is no Debian, and has no dpkg")
    assert on_path.owner(Path("/usr/bin/dpkg-query")) == "the Debian package dpkg"
