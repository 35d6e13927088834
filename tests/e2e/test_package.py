"""The package: built twice alike; installed in an empty environment without a checkout, it brings a lab up.

Who uses it there is no root, may write nothing of it, and installed it where others may read nothing.
"""

import importlib.metadata
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest
from conftest import LABEL, SESSION
from outside import ROOT, Result, run_command

from labctl import __version__
from labctl.engine import connect
from labctl.engine.model import LABEL_SOURCE
from labctl.errors import LabError
from labctl.topology import shipped
from labctl.topology.digest import digest

SOURCES = ("labctl", *shipped.NAMES, "hatch_build.py", "pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md")
NOBODY = 65534
MARK = "# as it was installed"
SOCKET = Path("/var/run/docker.sock")


@pytest.fixture(scope="module")
def folder():
    """A folder with a space in its name that all users may enter."""
    with tempfile.TemporaryDirectory(prefix="labctl package ") as found:
        Path(found).chmod(0o755)
        yield Path(found)


def build(source: Path, out: Path, *what: str) -> dict[str, bytes]:
    """What `python -m build` makes of a checkout, by name."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), *what, str(source)]
    done = run_command(command, timeout=120)
    assert done.returncode == 0, done
    return {file.name: file.read_bytes() for file in out.iterdir()}


@pytest.fixture(scope="module")
def built(folder):
    """The sdist, and the wheel that is built from it."""
    return build(ROOT, folder / "dist")


def test_two_builds_are_alike_to_the_byte(built, folder):
    """The second one of a copy: other times, other rights, and the wheel straight from the sources."""
    copy = folder / "copy"
    copy.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            leave = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, copy / name, copy_function=shutil.copyfile, ignore=leave)
        else:
            shutil.copyfile(ROOT / name, copy / name)
    shutil.copyfile(ROOT / ".gitignore", copy / ".gitignore")
    for path in copy.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
    assert build(copy, folder / "again", "--sdist", "--wheel") == built
    assert sorted(built) == [f"wirelab-{__version__}-py3-none-any.whl", f"wirelab-{__version__}.tar.gz"]


def test_the_wheel_holds_what_labs_are_made_of(built, folder):
    with zipfile.ZipFile(folder / "dist" / f"wirelab-{__version__}-py3-none-any.whl") as wheel:
        names = wheel.namelist()
        assert "labctl/py.typed" in names
        assert not [name for name in names if name.endswith(".pyc") or name.startswith("tests")]
        for name in shipped.NAMES:
            found = [ROOT / name, *(ROOT / name).rglob("*")]
            files = [path for path in found if path.is_file() and path.suffix != ".pyc"]
            assert files
            for file in files:
                assert wheel.read(f"labctl/data/{file.relative_to(ROOT)}") == file.read_bytes()


def is_for_all(python: str) -> bool:
    """Whether a Python may be run by everybody, not by root alone."""
    try:
        return subprocess.run([python, "-c", ""], user=NOBODY, group=NOBODY, timeout=30, check=False).returncode == 0
    except PermissionError:
        return False


class Installed:
    """`run(...)` runs a program of an installation as its user does: nothing else in the environment, elsewhere."""

    def __init__(self, folder: Path, wheel: Path):
        self.environment, self.home = folder / "an environment", folder / "home"
        self.home.mkdir()
        versions = folder / "versions.txt"
        there = {found.name: found.version for found in importlib.metadata.distributions()}
        versions.write_text("".join(f"{name}=={version}\n" for name, version in there.items() if name != "wirelab"))
        self._plainly(sys._base_executable, "-m", "venv", str(self.environment))
        pip = [str(self.environment / "bin" / "python"), "-m", "pip", "install", "--quiet"]
        self._plainly(*pip, "--constraint", str(versions), str(wheel), "pytest")
        (self.data / "services" / "echo-server" / "echo_server.py").open("a").write(f"\n{MARK}\n")
        self.user: dict = {}
        if (
            os.getuid() == 0
            and SOCKET.exists()
            and not os.environ.get("DOCKER_HOST")
            and is_for_all(sys._base_executable)
        ):
            self.user = {"user": NOBODY, "group": NOBODY, "extra_groups": [SOCKET.stat().st_gid]}
            self._plainly("chown", "-R", f"{NOBODY}:{NOBODY}", str(self.environment), str(self.home))
        self._plainly("chmod", "-R", "u-w,go-rwx", str(self.environment))

    @property
    def data(self) -> Path:
        return next(self.environment.glob("lib/python3*/site-packages/labctl/data"))

    def _plainly(self, *command: str) -> None:
        gone = {"PYTHONPATH": None, "PYTHONHOME": None, "VIRTUAL_ENV": None}
        done = run_command(list(command), timeout=240, cwd=self.home, **gone)
        assert done.returncode == 0, done

    def run(self, *command: str, timeout: float = 60) -> Result:
        passed = ("DOCKER_HOST", "LABCTL_DEBIAN", *(() if self.user else ("XDG_RUNTIME_DIR",)))
        variables = {key: os.environ[key] for key in passed if key in os.environ}
        variables |= {"HOME": str(self.home), "LABCTL_LAB": f"e2e-{SESSION}-package", "LC_ALL": "C.UTF-8"}
        variables["PATH"] = f"{self.environment / 'bin'}:{Path(shutil.which('docker') or '').parent}:/usr/bin:/bin"
        program = self.environment / "bin" / command[0]
        done = subprocess.run(
            [program, *command[1:]],
            cwd=self.home,
            env=variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            check=False,
            **self.user,
        )
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())

    def ok(self, *command: str, timeout: float = 60) -> str:
        done = self.run(*command, timeout=timeout)
        assert done.returncode == 0, done
        return done.stdout


@pytest.fixture(scope="module")
def installed(built, folder):
    found = Installed(folder, folder / "dist" / f"wirelab-{__version__}-py3-none-any.whl")
    yield found
    found.run("labctl", "down", timeout=120)


@pytest.mark.alone  # the images that it builds have the names of all others
def test_an_installed_labctl_needs_no_checkout(engine, installed):
    """Its images are built from its own files, which differ from the checkout's in one line."""
    assert installed.ok("wirelab", "--version") == installed.ok("labctl", "--version") == f"labctl {__version__}\n"
    where = "import labctl; print(labctl.__file__)"
    assert installed.ok("python", "-c", where).strip() == str(installed.data.parent / "__init__.py")
    installed.ok("wirelab", "up", "--record", timeout=280)
    wanted = digest(installed.data / "services", without="probe")
    assert wanted != digest(ROOT / "services", without="probe")
    assert engine.images.get("labctl/echo-server").labels["dev.labctl.source"] == wanted
    assert installed.ok("labctl", "exec", "echo", "tail", "-n", "1", "/opt/node/echo_server.py") == f"{MARK}\n"
    assert '"hi"' in installed.ok("labctl", "chat", "send", "alice", "hi")
    assert '"hi\\n"' in installed.ok("labctl", "ladder", "alice", "bob")
    assert '"topology": "hello"' in installed.ok("labctl", "ls", "--json")
    installed.ok("labctl", "graph", "two-subnets")
    installed.ok("labctl-extcap", "--extcap-interfaces")
    refused = installed.run("labctl", "clean", "--images")
    assert (refused.returncode, "images stay while labs are there" in refused.stderr) == (1, True)
    installed.ok("labctl", "down", timeout=120)
    would = installed.ok("labctl", "clean", "--images", "--dry-run", "--force").splitlines()
    assert "would remove labctl/echo-server:latest" in would
    told = json.loads(installed.ok("labctl", "clean", "--images", "--dry-run", "--force", "--json"))
    assert {"kind": "image", "name": "labctl/probe:latest", "stays": None} in told["found"]
    assert engine.images.get("labctl/echo-server")


@pytest.mark.alone  # for the same reason
def test_the_examples_tests_pass_with_the_installed_plugin(installed):
    """A key-value store that is tested on hosts of its own: loss, reset, half-close, restart."""
    store = installed.home / "kvstore"
    shutil.copytree(ROOT / "examples" / "kvstore", store, ignore=shutil.ignore_patterns("__pycache__", ".pytest_cache"))
    for path in (store, *store.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
    told = installed.ok("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "kvstore/tests", timeout=280)
    assert "5 passed" in told


def test_an_image_is_labelled_listed_and_removed(engine, folder):
    """As the base image is made, and `labctl clean --images` removes it."""
    name = f"labctl/test-nothing:{SESSION}"
    with tarfile.open(folder / "nothing.tar", "w") as archive:
        archive.add(ROOT / "LICENSE", "LICENSE")
    labctl = connect()
    assert labctl.import_image(folder / "nothing.tar", name, 60) is None
    assert [image.labels for image in labctl.images_with([LABEL_SOURCE]) if name in image.names] == [
        {LABEL_SOURCE: name}
    ]
    holder = engine.containers.create(name, ["none"], labels={LABEL: SESSION})
    with pytest.raises(LabError) as told:
        labctl.remove_image(name)
    assert told.value.code == "engine-refused"
    holder.remove()
    labctl.remove_image(name)
    labctl.remove_image(name)
    assert labctl.image(name) is None
