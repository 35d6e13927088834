"""Compose reads files in a process that dies with labctl, and that can't take the machine's memory."""

import os
import select
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import fake_compose
import pytest
from lacking import lacking

from labctl.engine.compose import command, plugin
from labctl.engine.compose.command import Compose
from labctl.engine.docker import DockerEngine
from labctl.engine.docker.endpoint import Endpoint
from labctl.errors import EngineTimeout, LabError
from labctl.lab.placing import blueprint
from labctl.topology import builtin

LABCTL = str(Path(sys.executable).parent / "labctl")
NOWHERE = Endpoint("unix:///nowhere", "a test")
LIMIT = 60  # seconds

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc")


def hostile(depth: int = 9) -> str:
    """Aliases of aliases: nine to the power of `depth` values."""
    lines = ["a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, depth)]
    return "x-bomb:\n  " + "\n  ".join(lines) + "\nservices: {bomb: {image: x}}\n"


def readers(mark: str) -> list[int]:
    """The processes of Compose that carry a mark in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            command = (entry / "cmdline").read_bytes().split(b"\0")
            marked = mark.encode() in (entry / "environ").read_bytes()
        except (OSError, ValueError):
            continue
        if marked and command[0].endswith(b"docker-compose") and b"config" in command:
            found.append(int(entry.name))
    return found


def busy(pid: int) -> bool:
    """Whether a process has computed for a while: it is beyond its start, at the aliases."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) >= os.sysconf("SC_CLK_TCK")


# Some clients of Docker put Compose into a process group of its own.
CLIENT = """#!/bin/sh
shift
setsid --wait {compose} "$@"
"""


@pytest.fixture
def reading(tmp_path):
    """labctl, while Compose reads a file that it is never done with, and the process that reads it."""
    (tmp_path / "bomb.yaml").write_text(hostile())
    # By a name that Compose alone knows: labctl does not show it what it finds by itself.
    (tmp_path / "compose.yaml").write_text("include: ['${BOMB:-bomb.yaml}']\nservices: {a: {image: x}}\n")
    mark = f"LABCTL_TEST_MARK={uuid.uuid4()}"
    client = tmp_path / "bin" / "docker"
    client.parent.mkdir()
    client.write_text(CLIENT.format(compose=plugin.find() or lacking("Compose's own program is nowhere here")))
    client.chmod(0o755)
    path = f"{client.parent}:{os.environ['PATH']}"
    environ = {**os.environ, "PATH": path, **dict([mark.split("=")])}
    labctl = subprocess.Popen([LABCTL, "validate", str(tmp_path)], env=environ, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + LIMIT
    found: list[int] = []
    while not any(map(busy, found)) and labctl.poll() is None and time.monotonic() < deadline:
        found = readers(mark)
        time.sleep(0.05)  # nothing tells when a process of another program begins
    assert found, "Compose was not seen at work"
    yield labctl, found[0]
    labctl.kill()
    labctl.wait(LIMIT)
    for pid in readers(mark):
        os.kill(pid, signal.SIGKILL)


def test_it_dies_with_labctl_whatever_kills_that(reading):
    labctl, pid = reading
    handle = os.pidfd_open(pid)
    try:
        labctl.send_signal(signal.SIGKILL)
        assert select.select([handle], [], [], LIMIT)[0], "Compose reads on"
    finally:
        os.close(handle)


def test_its_memory_is_limited(reading):
    _, pid = reading
    limits = Path(f"/proc/{pid}/limits").read_text().splitlines()
    data = next(line for line in limits if line.startswith("Max data size"))
    assert data.split()[3] == str(plugin.MEMORY << 10)


def test_what_it_needs_too_much_memory_for_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(plugin, "MEMORY", 24 << 10)  # KiB: less than Compose takes to begin
    file = tmp_path / "compose.yaml"
    file.write_text("services: {a: {image: x}}")
    with pytest.raises(LabError) as problem:
        Compose(NOWHERE).config(file)
    assert problem.value.values["why"] == "reading it takes more than 24 MiB of memory"


def test_a_hostile_file_is_not_shown_to_compose_at_all(tmp_path, monkeypatch):
    file = tmp_path / "compose.yaml"
    file.write_text(hostile())
    monkeypatch.setattr(Compose, "_run", lambda *_, **__: pytest.fail("Compose was asked"))
    with pytest.raises(LabError) as problem:
        blueprint.read(DockerEngine(NOWHERE), str(file))
    assert [found["code"] for found in problem.value.values["problems"]] == ["yaml-aliases"]


@pytest.mark.parametrize(
    "names",
    [
        "include: [parts/one.yaml]",
        "include: [{path: parts/one.yaml}]",
        "include: [{path: [other.yaml, parts/one.yaml]}]",
        "services: {b: {extends: {file: parts/one.yaml, service: a}}}",
    ],
)
def test_what_a_file_takes_in_is_looked_at_before_compose_is_shown_it(tmp_path, monkeypatch, names):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "hostile.yaml").write_text(hostile())
    (tmp_path / "parts" / "one.yaml").write_text(
        "include: [hostile.yaml, ../compose.yaml]\nservices: {a: {image: x}}\n"
    )
    file = tmp_path / "compose.yaml"
    file.write_text(f"{names}\n")
    monkeypatch.setattr(Compose, "_run", lambda *_, **__: pytest.fail("Compose was asked"))
    with pytest.raises(LabError) as problem:
        blueprint.read(DockerEngine(NOWHERE), str(file))
    (found,) = problem.value.values["problems"]
    assert (found["code"], found["line"]) == ("file-endless", 1)
    assert "parts/hostile.yaml:" in found["message"]


CRASH = "#!/bin/sh\ncat >&2 <<'END'\n{said}\nEND\nexit 2\n"


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("panic: runtime error: index out of range [1] with length 1\n\ngoroutine 1 [running]:", "crashed on it"),
        ("fatal error: stack overflow\n\nruntime stack:\nruntime.throw", "crashed on it (stack overflow)"),
        ("include cycle detected:\n/x/a.yaml\n include /x/b.yaml\n include /x/a.yaml", "/x/a.yaml includes /x/b.yaml"),
    ],
)
def test_how_it_ended_is_told_in_a_sentence(tmp_path, monkeypatch, said, why):
    fake_compose.put(tmp_path, CRASH.format(said=said))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    file = tmp_path / "compose.yaml"
    file.write_text("services: {a: {image: x}}")
    with pytest.raises(LabError) as problem:
        Compose(NOWHERE).config(file)
    assert why in str(problem.value.values["why"])
    assert "goroutine" not in str(problem.value.values["why"])


READ = """
from pathlib import Path
from labctl.engine.compose.command import Compose
from labctl.engine.docker.endpoint import Endpoint
found = Compose(Endpoint("unix:///nowhere", "a test")).config(Path("compose.yaml").absolute()).text
print(ascii(found))
"""


def test_what_it_says_is_utf_8_in_every_locale(tmp_path):
    (tmp_path / "compose.yaml").write_text("services: {a: {image: x, environment: {A: Gr\u00fc\u00dfe}}}", "utf-8")
    environ = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    command = [sys.executable, "-c", READ]
    done = subprocess.run(command, cwd=tmp_path, env=environ, capture_output=True, text=True, timeout=LIMIT, check=True)
    assert "A: Gr\\xfc\\xdfe" in done.stdout


def test_a_reader_that_is_killed_is_told_so(tmp_path, monkeypatch):
    fake_compose.put(tmp_path, "#!/bin/sh\nkill -KILL $$\n")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    with pytest.raises(LabError) as problem:
        Compose(NOWHERE).config(tmp_path / "compose.yaml")
    assert (problem.value.code, problem.value.values["signal"]) == ("compose-killed", "SIGKILL")


def test_what_takes_compose_too_long_is_told_of_compose_and_not_of_the_engine(tmp_path, monkeypatch):
    (tmp_path / "endless.yaml").write_text(hostile())
    (tmp_path / "compose.yaml").write_text("include: [endless.yaml]\nservices: {a: {image: x}}\n")
    monkeypatch.setattr(command, "READ_LIMIT", 1.0)
    with pytest.raises(EngineTimeout, match=r"Compose was not done within 1 s \(docker compose config\)") as problem:
        Compose(NOWHERE).config(tmp_path / "compose.yaml")
    assert "endless" in problem.value.hint


NOTED = '#!/bin/sh\necho "$@" >>{said}\ncat {answer}\n'
WAITS = "#!/bin/sh\necho $$ >{said}\nread line <{said}\n"  # what nobody writes, as `said` is a FIFO


def compose_that(tmp_path, monkeypatch, script):
    fake_compose.put(tmp_path, script.format(said=tmp_path / "said", answer=tmp_path / "compose.yaml"))
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    (tmp_path / "compose.yaml").write_text("name: x\nservices: {a: {image: x}}\n")
    return builtin.find(str(tmp_path / "compose.yaml"))


def test_a_file_is_read_once_though_that_begins_before_it_is_needed(tmp_path, monkeypatch):
    source, engine = compose_that(tmp_path, monkeypatch, NOTED), DockerEngine(NOWHERE)
    with engine.preparing(source, None):
        found = engine.read(source)
    asked = (tmp_path / "said").read_text().splitlines()
    assert found.text == (tmp_path / "compose.yaml").read_text()
    assert [line for line in asked if line.endswith("config")] == [
        f"-H unix:///dev/null -f {tmp_path / 'compose.yaml'} config"
    ]


@pytest.mark.parametrize("other", [{"name": "y"}, {"variables": {"A": "1"}}, {"text": "services: {}"}])
def test_what_was_begun_answers_nothing_else(tmp_path, monkeypatch, other):
    source, engine = compose_that(tmp_path, monkeypatch, NOTED), DockerEngine(NOWHERE)
    with engine.preparing(source, None):
        engine.read(source, **other)
        engine.read(source)
    asked = [line for line in (tmp_path / "said").read_text().splitlines() if line.endswith("config")]
    assert len(asked) == 2


def test_what_nobody_wants_to_know_any_more_is_ended(tmp_path, monkeypatch):
    source, engine = compose_that(tmp_path, monkeypatch, WAITS), DockerEngine(NOWHERE)
    said = tmp_path / "said"
    os.mkfifo(said)
    with engine.preparing(source, None):
        handle = os.pidfd_open(int(said.read_text()))  # which is there once the program has begun
        try:
            assert not select.select([handle], [], [], 0)[0], "it ended by itself"
        except BaseException:
            os.close(handle)
            raise
    try:
        assert select.select([handle], [], [], LIMIT)[0], "Compose reads on"
    finally:
        os.close(handle)


def test_go_looks_for_garbage_less_often_where_nobody_says_how_often(tmp_path, monkeypatch):
    fake_compose.put(tmp_path, '#!/bin/sh\necho "$GOGC $GOMEMLIMIT $(ulimit -d)"\n')
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path))
    monkeypatch.delenv("GOGC", raising=False)
    monkeypatch.delenv("GOMEMLIMIT", raising=False)
    file = tmp_path / "compose.yaml"
    assert Compose(NOWHERE).config(file).text == f"400 512MiB {plugin.MEMORY}\n"
    monkeypatch.setenv("GOGC", "off")
    monkeypatch.setenv("GOMEMLIMIT", "1GiB")
    assert Compose(NOWHERE).config(file).text == f"off 1GiB {plugin.MEMORY}\n"
