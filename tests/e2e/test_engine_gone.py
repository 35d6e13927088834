"""The engine goes away, or answers no more, in the middle: one sentence, and the next `up` or `down` deals with it.

The machine's engine stays as it is: labctl comes to it through a door that the test shuts.
"""

import os
import secrets
import signal
import subprocess

import pytest
from outside import PATIENCE, Lab, Result, begin, finish
from proxy import Door
from sampling import seed, share

pytestmark = pytest.mark.turn(3)

TWO = """
services:
  alice:
    image: labctl/chat-server
    hostname: alice
    init: true
    stdin_open: true
    x-labctl: {routes: [10.250.0.0/24 via bob]}
  bob: {image: labctl/chat-client, hostname: bob, init: true, stdin_open: true, environment: {TARGET: "alice:12345"}}
"""


@pytest.fixture
def door():
    with Door() as found:
        yield found


@pytest.fixture
def two(spare, tmp_path):
    """A lab of two that isn't there yet, and its file."""
    lab = spare(f"gone-{secrets.token_hex(2)}")
    file = tmp_path / "compose.yaml"
    file.write_text(TWO)
    return lab, ["up", str(file), "--lab", lab.name]


@pytest.fixture
def to_phase(door):
    """`to_phase(lab, phase, command)` begins a command behind the door, which has stopped itself at the phase."""
    children: list[subprocess.Popen] = []

    def start(lab: Lab, phase: str, command: list[str], **variables) -> subprocess.Popen:
        child = begin(*command, LABCTL_LAB=lab.name, LABCTL_STOP_AT=phase, DOCKER_HOST=door.url, **variables)
        children.append(child)
        _, status = os.waitpid(child.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), f"it ended with {status} before {phase}"
        return child

    yield start
    for child in children:  # else a test that failed leaves one that is stopped, and has the lock
        child.kill()
        child.wait(10)


def go_on(child: subprocess.Popen) -> Result:
    child.send_signal(signal.SIGCONT)
    return finish(child)


def check_said(got: Result, *words: str) -> None:
    """Exit status 1 and one explanation."""
    assert got.returncode == 1, got
    assert "Traceback" not in got.stderr
    said = [line for line in got.stderr.splitlines() if line.startswith("labctl: ")]
    assert len(said) == 1, got.stderr
    assert any(word in said[0] for word in words), said


UP = [
    "up:begun",
    "up:subnet-chosen",
    "up:making",
    "up:network-created",
    "up:container-created",
    "up:container-started",
    "up:made",
    "probe:running",
    "up:ready-awaited",
]


# Moments at which the engine falls silent; of these and of UP, a share for each seed (`make test-whole` has all).
SILENT = ("up:begun", "up:making", "up:made", "up:ready-awaited")


@pytest.mark.parametrize("phase", share(UP, 3, seed()))
def test_up_when_the_engine_goes_away(two, door, to_phase, phase):
    lab, up = two
    child = to_phase(lab, phase, up)
    door.cut()
    check_said(go_on(child), f"no Docker engine answers at {door.url} (DOCKER_HOST): ")
    # It is there again, and `up` makes of what was begun what it should be.
    lab.ok(*up)
    lab.ok("chat", "send", "alice", "here again", "--timeout", "20")
    lab.ok("down")
    assert lab.labelled() == []


@pytest.mark.parametrize("phase", ["up:network-created", "probe:running"])
def test_down_after_an_up_whose_engine_went_away(two, door, to_phase, phase):
    lab, up = two
    child = to_phase(lab, phase, up)
    door.cut()
    check_said(go_on(child), "no Docker engine answers at ")
    lab.ok("down")
    assert lab.labelled() == []


@pytest.mark.parametrize("phase", ["down:listed", "down:container-stopped", "down:container-removed"])
def test_down_when_the_engine_goes_away(two, door, to_phase, phase):
    lab, up = two
    lab.ok(*up)
    child = to_phase(lab, phase, ["down", lab.name])
    door.cut()
    check_said(go_on(child), "no Docker engine answers at ")
    lab.ok("down")
    assert lab.labelled() == []


@pytest.mark.parametrize(
    ("phase", "command"),
    [
        ("keyboard:attached", ["chat", "send", "alice", "x"]),
        ("keyboard:typed", ["chat", "send", "alice", "x"]),
        ("logs:following", ["logs", "-f", "--tail", "1"]),
        ("udp:train-under-way", ["udp", "send", "udp1", "udp2", "--count", "100", "--rate", "50"]),
    ],
)
def test_running_commands_when_the_engine_goes_away(lab, door, to_phase, phase, command):
    child = to_phase(lab, phase, command)
    door.cut()
    check_said(go_on(child), "no Docker engine answers at ")
    lab.ok("chat", "send", "alice", "nothing has happened", "--timeout", "20")


@pytest.mark.parametrize("phase", share(SILENT, 2, seed()))
def test_up_when_the_engine_answers_no_more(two, door, to_phase, phase):
    lab, up = two
    child = to_phase(lab, phase, [*up, "--timeout", "12"], LABCTL_ENGINE_LIMIT="5")
    door.hold()
    check_said(go_on(child), "the Docker engine did not answer within 5 s", "not ready within 12 s")
    lab.ok("down")
    assert lab.labelled() == []


def test_down_when_the_engine_answers_no_more(two, door, to_phase):
    lab, up = two
    lab.ok(*up)
    child = to_phase(lab, "down:listed", ["down", lab.name], LABCTL_ENGINE_LIMIT="5")
    door.hold()
    check_said(go_on(child), "the Docker engine did not answer within 5 s")
    lab.ok("down")
    assert lab.labelled() == []


def test_sending_when_the_engine_answers_no_more(lab, door, to_phase):
    command = ["chat", "send", "alice", "x", "--timeout", "8"]
    child = to_phase(lab, "keyboard:attached", command, LABCTL_ENGINE_LIMIT="5")
    door.hold()
    check_said(go_on(child), "alice did not show within 8 s that it took the line, which may still go out")
    lab.ok("chat", "send", "alice", "nothing has happened", "--timeout", str(PATIENCE))


def test_interrupted_while_the_engine_is_gone(two, door, to_phase):
    """^C stays ^C: 130, with a word on what could not be taken back."""
    lab, up = two
    child = to_phase(lab, "up:made", up)
    door.cut()
    child.send_signal(signal.SIGINT)
    got = go_on(child)
    assert got.returncode == 130, got
    assert f"no Docker engine answers at {door.url}" in got.stderr
    assert f"`labctl down {lab.name}` removes what was begun\n" in got.stderr
    assert "Traceback" not in got.stderr
    lab.ok("down")
    assert lab.labelled() == []
