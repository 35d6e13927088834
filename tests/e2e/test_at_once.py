"""Several labctl at work on one lab: each finds it whole, and none waits for ever."""

import os
import secrets
import signal
import subprocess

import pytest
from outside import begin, finish, read_until

pytestmark = pytest.mark.turn(2)

WAITS = b"another labctl is at work on "


@pytest.fixture
def up(spare, tmp_path):
    """`up("--option")` is the command that brings up a small lab; `up.lab` is the lab, `up.stopped` see below."""

    def command(*options: str) -> list[str]:
        return ["up", str(tmp_path), "--lab", command.lab.name, *options]

    def stopped(phase: str, *command_: str) -> subprocess.Popen:
        """A command that has stopped itself at a phase."""
        child = begin(*command_, LABCTL_LAB=command.lab.name, LABCTL_STOP_AT=phase)
        children.append(child)
        _, status = os.waitpid(child.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status), f"it ended with {status} before {phase}"
        return child

    children: list[subprocess.Popen] = []
    command.lab, command.stopped = spare(f"at-once-{secrets.token_hex(2)}"), stopped
    (tmp_path / "compose.yaml").write_text(
        "services:\n"
        "  one: {image: labctl/echo-client, init: true, stdin_open: true}\n"
        "  two: {image: labctl/echo-client, init: true, stdin_open: true}\n"
    )
    yield command
    for child in children:  # else a test that failed leaves one that is stopped, and has the lock
        child.kill()
        child.wait(10)


def test_two_ups(up):
    """The second waits, and finds all as it should be."""
    first = up.stopped("up:network-created", *up())
    second = begin(*up())
    read_until(second.stderr, WAITS)
    first.send_signal(signal.SIGCONT)
    assert finish(first).returncode == 0
    started = {item.id: item.attrs["State"]["StartedAt"] for item in up.lab.containers().values()}
    assert finish(second).returncode == 0
    assert {item.id: item.attrs["State"]["StartedAt"] for item in up.lab.containers().values()} == started
    assert len(started) == 2


def test_second_up_does_not_wait_for_ever(up):
    first = up.stopped("up:network-created", *up())
    got = up.lab.run(*up("--timeout", "1"))
    assert got.returncode == 1
    busy = f"another labctl is at work on {up.lab.name}"
    assert f"labctl: {busy} and did not finish within 1 s\n" in got.stderr
    assert got.stderr.startswith(f"{busy}; waiting for it\n")
    assert "taking back" not in got.stderr
    first.send_signal(signal.SIGCONT)
    assert finish(first).returncode == 0, "what waited has not touched it"


def test_up_that_is_killed_while_another_waits(up):
    """Compose dies with the first; the second goes on from whatever is there."""
    first = up.stopped("up:container-created", *up())
    second = begin(*up())
    read_until(second.stderr, WAITS)
    first.kill()
    finish(first)
    got = finish(second)
    assert got.returncode == 0, got
    assert {item.status for item in up.lab.containers().values()} == {"running"}
    assert len(up.lab.containers()) == 2


def test_down_while_compose_is_at_work(up):
    """down waits for Compose, and then leaves nothing; up says why it has no lab to show."""
    first = up.stopped("up:container-created", *up())
    down = begin("down", up.lab.name)
    read_until(down.stderr, WAITS)
    first.send_signal(signal.SIGCONT)
    assert finish(down).returncode == 0
    got = finish(first)
    assert got.returncode in (0, 1), got
    assert "Traceback" not in got.stderr
    assert up.lab.labelled() == []


def test_down_while_up_waits_for_nodes(up):
    """A lab that doesn't get ready can be taken down at once."""
    first = up.stopped("up:ready-awaited", *up())
    assert up.lab.ok("down").stderr.startswith(f"{up.lab.name} is down: removed 2 containers")
    first.send_signal(signal.SIGCONT)
    got = finish(first)
    assert got.returncode == 1
    assert f"labctl: {up.lab.name} was removed while labctl waited for its nodes\n" in got.stderr
    assert up.lab.labelled() == []


def test_two_downs(up):
    up.lab.ok(*up())
    first = up.stopped("down:listed", "down", up.lab.name)
    second = begin("down", up.lab.name)
    read_until(second.stderr, WAITS)
    first.send_signal(signal.SIGCONT)
    assert finish(first).returncode == 0
    got = finish(second)
    assert got.returncode == 0
    assert f"nothing is left of {up.lab.name}\n" in got.stderr


def test_locks_go_also_when_containers_were_removed_by_hand(up, tmp_path):
    folder = tmp_path / "run"
    folder.mkdir()
    here = {"XDG_RUNTIME_DIR": str(folder)}
    up.lab.ok(*up(), **here)
    up.lab.run("send", "one", "x", **here)  # it has no server to send it to
    assert list(folder.glob(f"labctl-*/{up.lab.name}/*.keyboard"))
    for container in up.lab.containers().values():
        container.remove(force=True)
    up.lab.ok("down", **here)
    assert up.lab.labelled() == []
    assert list(folder.glob("labctl-*/*")) == []
