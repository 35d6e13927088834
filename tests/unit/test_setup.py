"""The set-up scripts where something is missing: one sentence each, and nothing is installed.

A `docker` of our own stands in for the client; the commands by which the scripts look at the machine are the real ones.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TOOLS = ("sh", "cut", "sed", "id", "env", "head", "timeout", "cat", "grep", "printf", "sleep", "dirname", "cksum")


def put(folder: Path, programs: dict[str, str]) -> None:
    """Programs of ours, by name, as scripts of a shell."""
    for name, text in programs.items():
        (folder / name).write_text(f"#!/bin/sh\n{text}\n")
        (folder / name).chmod(0o755)


@pytest.fixture
def machine(tmp_path):
    """`machine(script, docker=..., **variables)` runs a set-up script where only a few commands are on the PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in TOOLS:
        (folder / tool).symlink_to(shutil.which(tool))

    def run(script: str, docker: str | None = None, **variables: str) -> subprocess.CompletedProcess:
        if docker is not None:
            put(folder, {"docker": docker})
        environment = {"PATH": str(folder), "HOME": str(tmp_path), "LABCTL_NO_INSTALL": "1", **variables}
        return subprocess.run(
            [str(folder / "sh"), str(ROOT / "setup" / script)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return run


def compose(version: str) -> str:
    return f'case "$1" in version) echo 28.0.0 ;; compose) echo {version} ;; *) exit 1 ;; esac'


@pytest.mark.parametrize("version", ["2.20.0", "v2.26.1-4", "2.40.3", "3.0.1", "5.0.0"])
def test_an_engine_with_a_new_compose_is_enough(machine, version):
    result = machine("engine.sh", compose(version))
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize("version", ["1.29.2", "2.19.1", "v2.3.4"])
def test_an_old_compose_is_told(machine, version):
    result = machine("engine.sh", compose(version))
    assert result.returncode == 1
    wanted = f"Compose v2 is too old ({'.'.join(version.lstrip('v').split('.')[:2])}), and LABCTL_NO_INSTALL=1 forbids"
    assert wanted in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_no_compose_is_told(machine):
    result = machine("engine.sh", 'case "$1" in version) echo 28.0.0 ;; *) exit 1 ;; esac')
    assert result.returncode == 1
    assert "Compose v2 is missing, and LABCTL_NO_INSTALL=1 forbids installing" in result.stderr


def test_no_engine_and_no_leave_to_install_one(machine):
    result = machine("engine.sh")
    assert result.returncode == 1
    assert result.stderr == (
        "labctl: no Docker engine answers, and LABCTL_NO_INSTALL=1 forbids installing: "
        "install Docker 24 or newer with Compose 2.20 or newer yourself\n"
    )


@pytest.mark.parametrize(
    ("variables", "where"),
    [({"DOCKER_HOST": "tcp://127.0.0.1:1"}, "tcp://127.0.0.1:1"), ({"DOCKER_CONTEXT": "far"}, "the context far")],
)
def test_a_chosen_engine_that_is_silent_is_not_replaced(machine, variables, where):
    result = machine("engine.sh", 'case "$1" in context) echo far ;; *) exit 1 ;; esac', **variables)
    assert result.returncode == 1
    assert result.stderr.startswith(f"labctl: the Docker engine at {where} does not answer: start it, or unset")


@pytest.mark.parametrize("runs", [False, True])
def test_the_process_id_of_an_engine_that_was_killed_is_forgotten(machine, tmp_path, runs):
    """Not that of one that runs: what it says of that is told at once."""
    run, log = tmp_path / "run", tmp_path / "dockerd.log"
    (run / "docker" / "containerd").mkdir(parents=True)
    shell, named = shutil.which("sh"), tmp_path / "dockerd"
    shutil.copy(shell, named)
    pids = {"docker.pid": "dockerd", "docker/containerd/containerd.pid": "containerd"}
    # It lives until its input ends. Once it says something, its name is known to the kernel.
    lives = [named if runs else shell, "-c", "echo; read line"]
    with subprocess.Popen(lives, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        try:
            other.stdout.readline()
            for name in pids:
                (run / name).write_text(str(other.pid))
            (tmp_path / "bin" / "id").unlink()
            refuses = f'[ -e {run}/docker.pid ] && {{ echo "is still running"; exit 1; }}'
            programs = {
                "id": "echo 0",
                "setsid": 'exec "$@"',
                "dockerd": f"{refuses}; echo > {tmp_path}/started",
            }
            put(tmp_path / "bin", programs)
            for tool in ("rm", "tail"):
                (tmp_path / "bin" / tool).symlink_to(shutil.which(tool))
            docker = f"[ -e {tmp_path}/started ] || exit 1; {compose('2.26.1')}"
            places = {"LABCTL_RUN": str(run), "LABCTL_DOCKERD_LOG": str(log), "LABCTL_SYSTEMD": str(tmp_path / "none")}
            assert Path(f"/proc/{other.pid}/comm").read_text() == ("dockerd\n" if runs else f"{Path(shell).name}\n")
            result = machine("engine.sh", docker, **places)
            assert other.poll() is None, "it lived all the time"
        finally:
            other.kill()
    # containerd.pid's process is none of containerd in either case.
    assert [name for name in pids if (run / name).exists()] == (["docker.pid"] if runs else [])
    if runs:
        assert result.returncode == 1
        assert f"dockerd ended: is still running (see {log})" in result.stderr
    else:
        assert result.returncode == 0, result.stderr


@pytest.mark.parametrize(("given", "helpers"), [({}, "400"), ({"GOGC": "50"}, "50"), ({"GOGC": ""}, "")])
def test_what_containerd_starts_lets_its_garbage_lie_and_dockerd_does_not(machine, tmp_path, given, helpers):
    """A dockerd of our own starts `containerd` by the PATH, as the real one does, and each says what it got."""
    (tmp_path / "bin" / "id").unlink()
    programs = {
        "id": "echo 0",
        "setsid": 'exec "$@"',
        "dockerd": f'echo "dockerd ${{GOGC-none}}" > {tmp_path}/told; exec containerd --config "a b"',
        "containerd": f'echo "containerd $GOGC $PATH $*" >> {tmp_path}/told; echo > {tmp_path}/started',
    }
    put(tmp_path / "bin", programs)
    docker = f"[ -e {tmp_path}/started ] || exit 1; {compose('2.26.1')}"
    places = {"LABCTL_RUN": str(tmp_path), "LABCTL_DOCKERD_LOG": str(tmp_path / "log"), "LABCTL_SYSTEMD": "/none/such"}
    result = machine("engine.sh", docker, **places, **given)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "told").read_text().splitlines() == [
        f"dockerd {given.get('GOGC', 'none')}",
        f"containerd {helpers} {tmp_path / 'bin'} --config a b",
    ]


def test_a_python_that_is_too_old_is_told(machine, tmp_path):
    put(tmp_path / "bin", {"python3": "exit 1"})
    result = machine("python.sh")
    assert result.returncode == 1
    assert "Python 3.11 or newer is needed and was not found" in result.stderr


@pytest.mark.parametrize(("user", "chosen"), [(0, "python3.12"), (1000, "python3")])
def test_root_takes_a_python_that_others_may_run(tmp_path, user, chosen):
    """Where it can: `python3` lies in a folder that is closed to others, `python3.12` in one that is open."""
    folder = tmp_path / "checkout"
    (folder / "setup").mkdir(parents=True)
    (folder / "requirements").mkdir()
    shutil.copy(ROOT / "setup" / "python.sh", folder / "setup")
    for file in ("requirements/dev.txt", "pyproject.toml"):
        (folder / file).touch()
    programs = {
        "id": f"echo {user}",
        "python3": 'case "$1" in -) exit 1 ;; -m) exit 7 ;; *) exit 0 ;; esac',
        "python3.12": 'case "$1" in -m) exit 7 ;; *) exit 0 ;; esac',
    }
    (tmp_path / "bin").mkdir()
    put(tmp_path / "bin", programs)
    environment = {"PATH": f"{tmp_path}/bin:{os.environ['PATH']}", "HOME": str(tmp_path)}
    done = subprocess.run(
        ["sh", str(folder / "setup" / "python.sh")],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 7, "it went as far as making the environment"
    assert done.stderr == f"labctl: making .venv with {tmp_path}/bin/{chosen}\n"


@pytest.mark.parametrize(
    ("labs", "chosen", "name"),
    [
        ([("hello", True), ("hello-me", False)], None, "hello"),
        ([("hello", False), ("hello-me", True), ("mine", True)], None, "hello-me"),
        ([("mine", True)], None, "hello"),
        ([("hello", True), ("mine", True)], "mine", "mine"),  # what `make lab-up` brought up then
    ],
)
def test_the_lab_that_make_is_about(tmp_path, labs, chosen, name):
    found = [{"lab": lab, "mine": mine, "topology": "hello"} for lab, mine in labs]
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").symlink_to(sys.executable)
    labctl = tmp_path / ".venv" / "bin" / "labctl"
    labctl.write_text(f"#!/bin/sh\necho '{json.dumps({'labs': found})}'\n")
    labctl.chmod(0o755)
    environment = {"PATH": os.environ["PATH"], **({"LABCTL_LAB": chosen} if chosen else {})}
    command = ["sh", str(ROOT / "setup" / "mine.sh")]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout == f"{name}\n"


def test_no_script_names_a_registrys_host():
    for script in (ROOT / "setup").glob("*.sh"):
        assert "://" not in script.read_text().replace("http://{host}:{port}/", ""), script


def test_make_help_describes_every_target():
    shown = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True).stdout
    for target in ("help", "lab-up", "lab-down", "test", "lint", "bench", "clean"):
        assert f"  make {target} " in shown


def test_ci_runs_the_readmes_test_command():
    command = "make test"
    assert f"\n    {command}\n" in (ROOT / "README.md").read_text()
    lines = (ROOT / ".ci" / "run").read_text().splitlines()
    assert lines[-2:] == [command, "make lint"]
    assert os.access(ROOT / ".ci" / "run", os.X_OK)
