"""Why Compose, or a build, gave up: by its own words, by the signal that ended it, by the node that it waited for."""

from pathlib import Path

import pytest

from labctl.engine.compose import last_words
from labctl.engine.compose.command import Compose
from labctl.engine.docker.endpoint import Endpoint
from labctl.engine.memory import MemoryEngine
from labctl.errors import LabError
from labctl.lab.life.giving_up import cause
from labctl.lab.roles import http
from labctl.topology.model import parse

TEXT = """
name: lab
services:
  db: {image: x, healthcheck: {test: ["CMD", "true"]}}
  web: {image: x, depends_on: {db: {condition: CONDITION, required: true}}}
"""
PROGRESS = ["Network lab_default  Creating", "Network lab_default  Created", "Container lab-db-1  Waiting"]


def topology(condition: str = "service_healthy"):
    return parse(TEXT.replace("CONDITION", condition), Path("lab.yaml"))


def compose_failed(why: str) -> LabError:
    return LabError("compose-failed", verb="up", why=why)


@pytest.mark.parametrize(
    ("why", "health", "told"),
    [
        ("dependency failed to start: container lab-db-1 exited (1)", None, "it ended with exit status 1"),
        (
            "dependency failed to start: container lab-db-1 is unhealthy",
            "unhealthy",
            "its healthcheck calls it unhealthy",
        ),
        ('service "db" didn\'t complete successfully: exit 1', None, "it ended with exit status 1"),
    ],
)
def test_the_node_that_compose_waited_for_is_told(engine, why, health, told):
    db = engine.add("lab", "db")
    engine.add("lab", "web", state="created")
    db.print("no disk")
    db.end(1)
    if health:
        db.record = db.record._replace(state="running", exit_code=None, health=health)
    found = cause(engine, topology(), compose_failed(why), 120)
    assert found.message == f"db failed: {told}; its last lines:\n    no disk"


@pytest.mark.parametrize(
    "why",
    [
        "dependency failed to start: container lab-db-1 has no healthcheck configured",
        "Bind for 127.0.0.1:8080 failed: port is already allocated",
        "dependency failed to start: container theirs-db-1 exited (1)",
    ],
)
def test_what_is_no_node_s_failure_is_compose_s(engine, why):
    engine.add("lab", "db").end(1)
    assert cause(engine, topology(), compose_failed(why), 120) is None


class Gone(MemoryEngine):
    """An engine that answers nothing more."""

    def containers(self, *arguments, **options):
        raise LabError("engine-unreachable", endpoint="unix:///x", why="it hung up")


def test_where_the_engine_does_not_tell_all_is_taken_back_as_ever():
    why = "dependency failed to start: container lab-db-1 exited (1)"
    assert cause(Gone(), topology(), compose_failed(why), 120) is None


@pytest.mark.parametrize("action", ["docker compose", "make the lab"])
@pytest.mark.parametrize("condition", ["service_healthy", "service_completed_successfully"])
def test_what_was_waited_for_too_long_is_not_ready(engine, condition, action):
    db = engine.add("lab", "db")
    db.record = db.record._replace(health="starting")
    web = engine.add("lab", "web", state="created")
    late = LabError("engine-timeout", seconds=119.5, action=action)
    assert cause(engine, topology(condition), late, 120).message == "not ready within 120 s: db"
    web.record = web.record._replace(state="running")
    assert cause(engine, topology(condition), late, 120) is None, "nobody waits for it any more"


@pytest.fixture
def ends(tmp_path, monkeypatch):
    """`ends(script)` puts a `docker` first on the PATH, and a plugin where it looks first, that do what a script says;
    Compose's error by it."""

    def run(script: str, verb: str = "up") -> LabError:
        plugins = tmp_path / "config" / "cli-plugins"
        plugins.mkdir(parents=True, exist_ok=True)
        for file in (tmp_path / "docker", plugins / "docker-compose"):
            file.write_text("#!/bin/sh\n" + script)
            file.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
        monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "config"))
        compose = Compose(Endpoint("unix:///nowhere", "a test"))
        file = tmp_path / "lab.yaml"
        verbs = {
            "up": lambda: compose.up("lab", tmp_path, "{}", lambda line: None, 20),
            "build": lambda: compose.build(file, ["app", "db"], lambda line: None, 20),
            "config": lambda: compose.config(file),
        }
        with pytest.raises(LabError) as caught:
            verbs[verb]()
        return caught.value

    return run


@pytest.mark.parametrize("verb", ["up", "build", "config"])
@pytest.mark.parametrize(
    ("end", "by"), [("kill -KILL $$", "SIGKILL"), ("kill -SEGV $$", "SIGSEGV"), ("exit 255", "a signal")]
)
def test_a_compose_that_is_killed_is_told_so(ends, verb, end, by):
    """255 is what Docker's client ends with where a signal has ended its plugin."""
    said = "".join(f"echo ' {line}' >&2\n" for line in PROGRESS)
    assert ends(said + end, verb).message == (f"`docker compose {verb}` was killed by {by} before it had done its work")


def test_a_compose_that_fails_without_a_word_gives_no_reason(ends):
    said = "".join(f"echo ' {line}' >&2\n" for line in PROGRESS)
    assert ends(said + "exit 1").message == "`docker compose up` failed: it gave no reason"
    assert ends(said + "echo 'Error: no space' >&2; exit 255").message == "`docker compose up` failed: Error: no space"


def test_a_build_tells_its_step(ends):
    script = """
echo '#6 [app 3/3] RUN make'
echo '#6 0.343 cc main.c'
echo '------'
echo ' > [app 3/3] RUN make:'
echo '0.343 cc main.c'
echo '0.351 main.c:1: no such thing'
echo '------'
echo 'failed to solve: process "/bin/sh -c make" did not complete successfully: exit code: 2' >&2
exit 17
"""
    assert ends(script, "build").message.splitlines() == [
        'building app, db failed: process "/bin/sh -c make" did not complete successfully: exit code: 2; '
        "the step and its last lines:",
        "    > [app 3/3] RUN make:",
        "    0.343 cc main.c",
        "    0.351 main.c:1: no such thing",
    ]


def test_a_step_without_rules_around_it():
    """The builder before BuildKit, and a Dockerfile that can't be read."""
    said = ["Step 1/2 : FROM x", " ---> 1", "Step 2/2 : RUN make", " ---> Running in 2", *map(str, range(40)), "failed"]
    step = last_words.failed_step(said)
    assert step[0] == "Step 2/2 : RUN make"
    assert step[-2:] == ["39", "failed"]
    assert len(step) == 1 + last_words.STEP_LINES
    assert last_words.failed_step(["unknown instruction: FRM"]) == ["unknown instruction: FRM"]


def test_a_page_is_asked_for_where_the_kernel_knows_of_a_server(engine, lab_of):
    mine = engine.add("lab", "mine")
    mine.listen("tcp", 6379, "127.0.0.1")
    with pytest.raises(LabError, match="mine listens on no TCP port that others reach"):
        http._listening(engine, lab_of().node("mine"))
    mine.listen("tcp", 5000)
    assert http._listening(engine, lab_of().node("mine")) == 5000
    mine.listen("tcp", 5001, "::")
    with pytest.raises(LabError, match="mine listens on 5000, 5001; name one"):
        http._listening(engine, lab_of().node("mine"))
