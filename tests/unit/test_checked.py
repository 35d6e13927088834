"""What labctl's checks found nothing in is not read and checked a second time, for as long as it stays so."""

import json
import subprocess
import sys

import fake_compose
import pytest

import labctl
from labctl.engine.compose.projects import ComposeProjects
from labctl.engine.docker.endpoint import Endpoint
from labctl.errors import TopologyInvalid
from labctl.lab import validate
from labctl.lab.placing import blueprint
from labctl.topology import checked

FILE = "services: {a: {image: x, networks: {n: {ipv4_address: 10.0.0.9}}}}\n"
FILE += "networks: {n: {ipam: {config: [{subnet: 10.0.0.0/24}]}}}\n"
AGAIN = """
import sys
from labctl.engine.compose.projects import ComposeProjects
from labctl.engine.docker.endpoint import Endpoint
from labctl.lab.placing import blueprint
engine = ComposeProjects()
engine.endpoint, engine.cancels, engine.is_local = Endpoint("unix:///nowhere", "a test"), (), True
print(blueprint.read(engine, sys.argv[1], strict=True).topology.name, "yaml" in sys.modules)
"""


class Engine(ComposeProjects):
    """An engine that only reads topologies."""

    endpoint = Endpoint("unix:///nowhere", "a test")
    cancels = ()
    is_local = True


@pytest.fixture
def file(tmp_path, monkeypatch):
    """Compose gives the file as it is, with a name."""
    found = tmp_path / "lab" / "compose.yaml"
    found.parent.mkdir()
    found.write_text(FILE)
    fake_compose.put(tmp_path, f"#!/bin/sh\necho x >> {tmp_path / 'log'}\necho 'name: lab'\ncat {found}\n")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return found


@pytest.fixture
def checks(monkeypatch):
    """The files of each check so far."""
    done, check = [], validate.check

    def counted(source, files, *rest):
        done.append(files)
        return check(source, files, *rest)

    monkeypatch.setattr(validate, "check", counted)
    return done


def read(file, **options):
    return blueprint.read(Engine(), str(file), strict=True, **options)


@pytest.fixture
def kept(tmp_path):
    """The file of the one configuration that is kept."""

    def find():
        (found,) = [one for one in (tmp_path / "cache/labctl/compose").iterdir() if one.read_bytes()[:1] in b"{["]
        return found

    return find


def test_it_is_checked_once_and_stays_the_same(file, checks, kept, tmp_path):
    first, second = read(file), read(file)
    assert first == second
    assert json.loads(kept().read_text()) == first.topology.config
    assert (len(checks), (tmp_path / "log").read_text()) == (1, "x\n")


def test_the_second_time_not_even_yaml_is_imported(file):
    command = [sys.executable, "-c", AGAIN, str(file)]
    said = [subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout for _ in range(2)]
    assert said == ["lab True\n", "lab False\n"]


def test_other_files_and_another_labctl_are_checked(file, checks, monkeypatch, tmp_path):
    read(file)
    monkeypatch.setattr(labctl, "__version__", "9.9.9")
    read(file)
    assert len(checks) == 2
    with file.open("a") as more:
        more.write("# more\n")
    read(file)
    assert len(checks) == 3
    (tmp_path / "checks").mkdir()
    (tmp_path / "checks" / "ports.py").write_text("right = True\n")
    monkeypatch.setattr(checked, "_CHECKS", (str(tmp_path / "checks"),))
    read(file)
    read(file)
    assert len(checks) == 4
    (tmp_path / "checks" / "ports.py").write_text("right = False\n")
    read(file)
    assert len(checks) == 5


def test_what_is_wrong_is_told_each_time(file):
    file.write_text(FILE.replace("10.0.0.9", "10.0.1.9"))
    told = []
    for _ in range(2):
        with pytest.raises(TopologyInvalid) as problem:
            read(file)
        told.append(problem.value.message)
    assert "10.0.1.9 is not in" in told[0]
    assert told[0] == told[1]


def test_what_may_be_wrong_is_told_each_time(file):
    file.write_text(FILE.replace("image: x", "image: x, volumes: [{type: bind, source: /nowhere/at/all, target: /a}]"))
    assert "there is no /nowhere/at/all on this machine" in read(file).notes[0]
    assert "there is no /nowhere/at/all on this machine" in read(file).notes[0]


def test_what_is_mounted_may_go(file, checks, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    file.write_text(FILE.replace("image: x", f"image: x, volumes: [{{type: bind, source: {data}, target: /a}}]"))
    assert [read(file).notes, read(file).notes, len(checks)] == [(), (), 1]  # and kept
    data.rmdir()
    assert "on this machine: " in read(file).notes[0]
    data.mkdir()
    assert read(file).notes == ()


def test_a_lab_without_a_way_outside_is_checked_as_one(file, checks):
    read(file)
    closed, closed_again = read(file, isolated=True), read(file, isolated=True)
    assert closed.topology == closed_again.topology
    assert (closed.topology.networks[0].internal, read(file).topology.networks[0].internal) == (True, False)
    assert len(checks) == 3


def test_what_json_can_not_hold_is_checked_each_time(file, checks):
    for odd in ("{1: one}", ".inf"):
        file.write_text(f"{FILE}x-odd: {odd}\n")
        assert read(file) == read(file)
    assert len(checks) == 4


@pytest.mark.parametrize("content", ["", "[", "[]", "{}", '{"services": 3}', '{"services": {"a": {"volumes": [7]}}}'])
def test_what_was_kept_and_can_not_be_read_is_checked(file, checks, kept, content):
    before = read(file)
    kept().write_text(content)
    assert read(file) == before
    assert len(checks) == 2
    assert read(file) == before
    assert len(checks) == 2
