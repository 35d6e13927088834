"""Several files as one topology, as `docker compose` reads them: `-f`, overrides, profiles, variables."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from labctl.engine.compose.command import Compose
from labctl.engine.docker import DockerEngine
from labctl.engine.docker.endpoint import Endpoint
from labctl.engine.projects import Reading
from labctl.errors import LabError
from labctl.lab.placing import blueprint
from labctl.lab.validate import validate
from labctl.topology import builtin
from labctl.topology.builtin import Options

LABCTL = str(Path(sys.executable).parent / "labctl")
NOWHERE = Endpoint("unix:///nowhere", "a test")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("COMPOSE_FILE", "COMPOSE_PROFILES", "COMPOSE_PATH_SEPARATOR", "COMPOSE_PROJECT_NAME"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def write(**files: str) -> None:
    for name, text in files.items():
        Path(name.replace("__", ".")).write_text(text)


def of_compose(*arguments: str) -> dict:
    """The other side: what Docker's own client says."""
    command = ["docker", "compose", *arguments, "config", "--format", "json"]
    return json.loads(subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout)


def images(options: Options, name: str | None = None) -> dict[str, str]:
    found = blueprint.read(DockerEngine(NOWHERE), name, options=options).topology.config
    return {service: item["image"] for service, item in found["services"].items()}


CASES = {
    "two files": (["-f", "base.yaml", "-f", "more.yaml"], Options(("base.yaml", "more.yaml")), None),
    "the other way round": (["-f", "more.yaml", "-f", "base.yaml"], Options(("more.yaml", "base.yaml")), None),
    "a folder": ([], Options(), "."),
    "one file of the folder": (["-f", "compose.yaml"], Options(), "compose.yaml"),
    "a profile": (["-f", "base.yaml", "--profile", "p"], Options(("base.yaml",), ("p",)), None),
    "two profiles": (
        ["-f", "base.yaml", "--profile", "p", "--profile", "q"],
        Options(("base.yaml",), ("p", "q")),
        None,
    ),
    "all profiles": (["-f", "base.yaml", "--profile", "*"], Options(("base.yaml",), ("*",)), None),
    "variables": (["--env-file", "x.env", "-f", "base.yaml"], Options(("base.yaml",), env_files=("x.env",)), None),
    "variables of two files": (
        ["--env-file", "x.env", "--env-file", "y.env"],
        Options(env_files=("x.env", "y.env")),
        ".",
    ),
    "files that a file of variables names": (
        ["--env-file", "files.env"],
        Options(env_files=("files.env",)),
        ".",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_what_is_read_is_what_compose_reads(case):
    write(
        base__yaml="services: {a: {image: 'a:${TAG:-1}'}, p: {image: p, profiles: [p]}, q: {image: q, profiles: [q]}}",
        more__yaml="services: {a: {image: 'more:${TAG:-1}'}, b: {image: b}}",
        compose__yaml="services: {a: {image: 'compose:${TAG:-1}'}}",
        compose__override__yml="services: {c: {image: 'c:${OTHER:-1}'}}",
        x__env="TAG=x\nOTHER=x\n",
        y__env="TAG=y\n",
        files__env="# what is read\nCOMPOSE_FILE='base.yaml:more.yaml' # both\nTAG=z\n",
    )
    Path(".env").write_text("TAG=dot\nCOMPOSE_PROFILES=q\n")
    arguments, options, name = CASES[case]
    theirs = {service: item["image"] for service, item in of_compose(*arguments)["services"].items()}
    assert images(options, name) == theirs


def test_the_environment_chooses_the_files_of_a_folder(monkeypatch):
    write(one__yaml="services: {a: {image: one}}", two__yaml="services: {a: {image: two}}")
    monkeypatch.setenv("COMPOSE_FILE", "one.yaml,two.yaml")
    monkeypatch.setenv("COMPOSE_PATH_SEPARATOR", ",")
    assert images(Options(), ".") == {"a": "two"} == {k: v["image"] for k, v in of_compose()["services"].items()}


def test_each_error_stands_in_its_own_file():
    write(
        base__yaml="services:\n  web:\n    image: x\n    networks: [lab]\n    prots: []\nnetworks: {lab: {}}\n",
        more__yaml="services:\n  web:\n    depends_on: [nobody]\n    networks: [lab]\n",
    )
    Path("sub").mkdir()
    write(**{"sub/last__yaml": "services:\n  web: {image: Big}\n  bob: {extends: {file: gone.yaml, service: a}}\n"})
    files = ("base.yaml", "more.yaml", "sub/last.yaml")
    with pytest.raises(LabError) as problem:
        blueprint.read(DockerEngine(NOWHERE), None, options=Options(files))
    said = str(problem.value.values["why"]).splitlines()
    assert said[0] == "3 errors"
    assert [line.split(": ")[0] for line in said[1:] if not line.startswith(" ")] == [
        "base.yaml:5:5",
        "more.yaml:3:18",
        "sub/last.yaml:2:16",
    ]
    assert [item["file"] for item in problem.value.values["problems"]] == list(files)
    for file, text in (("base", ""), ("more", "services: {web: {image: z}}")):
        write(**{f"{file}__yaml": text or "services: {web: {image: x}}"})
    write(**{"sub/last__yaml": "services:\n  web: {image: big}\n  bob: {extends: {file: gone.yaml, service: a}}\n"})
    with pytest.raises(LabError) as problem:
        blueprint.read(DockerEngine(NOWHERE), None, options=Options(files))
    assert "\nsub/last.yaml:3:25: service bob, extends.file: Compose says: open gone.yaml: no" in problem.value.message


def test_names_of_one_file_hold_in_the_others():
    write(
        base__yaml="services: {web: {image: x, networks: [lab]}}",
        more__yaml="services: {web: {depends_on: [db]}, db: {image: z, volumes: ['data:/d']}}\nvolumes: {data: }",
        nets__yaml="networks: {lab: {ipam: {config: [{subnet: 10.1.0.0/24}]}}}",
    )
    source = builtin.find(None, Options(("base.yaml", "more.yaml", "nets.yaml")))
    compose = Compose(NOWHERE)
    report = validate(source.names, lambda text: compose.config(source.file, more=source.more, text=text))
    assert report.problems == ()
    alone = validate("base.yaml", lambda text: compose.config(Path("base.yaml").absolute(), text=text))
    assert [problem.code for problem in alone.problems] == ["unknown-name"]


def test_tags_that_take_away_what_other_files_say():
    write(
        base__yaml="services: {a: {image: x, command: echo, ports: ['80:80']}, b: {image: z}}",
        more__yaml="services:\n  a: {command: !reset {}, ports: !override ['81:81']}\n  b: !reset null\n",
    )
    source = builtin.find(None, Options(("base.yaml", "more.yaml")))
    reading = Compose(NOWHERE).config(source.file, more=source.more)
    assert "81" in reading.text
    assert '"80"' not in reading.text
    assert validate(source.names, lambda text: reading).problems == ()
    alone = validate("more.yaml", lambda text: Reading("services: {a: {image: x}}"))
    assert [problem.code for problem in alone.problems] == ["missing-image"]


def test_a_place_in_the_second_file_of_an_address_that_only_both_make_wrong():
    write(
        base__yaml="services: {a: {image: x, networks: {lab: {ipv4_address: 10.1.0.5}}}}\n"
        "networks: {lab: {ipam: {config: [{subnet: 10.1.0.0/24}]}}}\n",
        more__yaml="services:\n  b:\n    image: z\n    networks: {lab: {ipv4_address: 10.1.0.5}}\n",
    )
    source = builtin.find(None, Options(("base.yaml", "more.yaml")))
    compose = Compose(NOWHERE)
    report = validate(source.names, lambda text: compose.config(source.file, more=source.more, text=text))
    assert [problem.shown(report.files).split(": ")[0] for problem in report.problems] == ["more.yaml:4:36"]


def test_mounts_of_an_engine_elsewhere_are_not_looked_for_here():
    write(base__yaml="services: {a: {image: x, volumes: ['/nowhere/at/all:/x']}}")
    options = Options(("base.yaml",))
    elsewhere = Endpoint("ssh://somebody@nowhere", "a test")
    notes = {
        where: blueprint.read(DockerEngine(where), None, strict=True, options=options).notes
        for where in (NOWHERE, elsewhere)
    }
    assert "there is no /nowhere/at/all on this machine" in notes[NOWHERE][0]
    assert notes[elsewhere] == ()


@pytest.mark.parametrize(
    ("name", "options", "code"),
    [
        ("x.yaml", Options(("y.yaml",)), "topology-twice"),
        (None, Options(("gone.yaml",)), "topology-missing"),
        (None, Options(("here.yaml",), env_files=("gone.env",)), "env-file-missing"),
        ("n" * 5000, Options(), "topology-missing"),
    ],
)
def test_what_is_not_there(name, options, code):
    write(here__yaml="services: {a: {image: x}}")
    with pytest.raises(LabError) as problem:
        builtin.find(name, options)
    assert problem.value.code == code


def run(*arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    command = [LABCTL, *arguments]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=60, env={**os.environ, **environ}, check=False
    )


def test_validate_of_a_folder_reads_its_override_and_tells_unset_variables():
    write(
        compose__yaml='services:\n  web:\n    image: "nginx:${TAG}"\n',
        docker_compose__yml="services: {}",
        compose__override__yaml="services: {web: {image: ok, labels: {a: $UNSET}}}",
    )
    got = run("validate", ".")
    assert got.returncode == 0
    assert "compose.override.yaml:1:41: warning: service web, labels.a: the variable UNSET is not set" in got.stdout
    alone = run("validate", "compose.yaml")
    assert alone.returncode == 1
    assert "compose.yaml:3:12: service web, image: 'nginx:' is no name of an image" in alone.stdout
    assert run("validate", "compose.yaml", TAG="1").stdout == ""


def test_profiles_that_leave_nothing():
    write(compose__yaml="services: {a: {image: x, profiles: [dev]}, b: {image: z, profiles: [test, dev]}}")
    with pytest.raises(LabError) as problem:
        blueprint.read(DockerEngine(NOWHERE), ".")
    assert problem.value.code == "topology-invalid"
    assert "all of its services have profiles that are off" in problem.value.message
    assert "--profile dev" in problem.value.message


def test_what_a_part_lacks_may_stand_in_the_file_that_it_is_laid_over():
    write(part__yaml="services: {web: {ports: ['80:80']}}")
    alone = [found.hint for found in validate("part.yaml", lambda text: Reading("services: {}")).problems]
    write(compose__yaml="services: {web: {image: x}}")
    beside = [found.hint for found in validate("part.yaml", lambda text: Reading("services: {}")).problems]
    assert len(alone) == len(beside) == 1
    assert beside[0] == f"{alone[0]}; where this file adds to compose.yaml, name both: `-f compose.yaml -f part.yaml`"


def test_what_a_later_file_replaces_is_no_error_and_an_empty_one_adds_nothing():
    write(
        base__yaml="services: {app: {image: x, depends_on: [db]}, db: {image: z}}",
        more__yaml="services: {app: {depends_on: !override []}, db: !reset {}}",
        empty__yaml="# nothing, yet\n",
    )
    source = builtin.find(None, Options(("base.yaml", "more.yaml", "empty.yaml")))
    compose = Compose(NOWHERE)
    report = validate(source.names, lambda text: compose.config(source.file, more=source.more, text=text))
    assert report.problems == ()
    first = validate(["empty.yaml", "base.yaml"], lambda text: Reading("services: {app: {image: x}}"))
    assert [problem.code for problem in first.problems] == ["file-empty"]
