"""Children of labctl never outlive it: the kernel closes a pipe when the last process that holds it is gone."""

import os
import selectors
import signal
import subprocess
import sys

import pytest

# A child, and a child of that one, as `docker` has Compose; both hold the pipe, and would take minutes by themselves.
PARENT = """
import os, subprocess, sys, time
from labctl.engine.children import Group
pipe = int(sys.argv[1])
with Group() as group:
    child = group.start(["/bin/sh", "-c", "sleep 300 & sleep 300 & echo started; wait"], hold=[pipe],
                        stdout=subprocess.PIPE)
    os.close(pipe)
    os.write(1, child.stdout.readline())
    if sys.argv[2] == "wait":
        time.sleep(300)
    if sys.argv[2] == "raise":
        raise SystemExit(3)
    child.wait(300)
"""
LIMIT = 20  # seconds, of the 300 that they would take


@pytest.fixture
def family():
    """`family(what)` starts a parent with its children, and gives it and the end of the pipe that tells of them."""
    reader, writer = os.pipe()
    parents: list[subprocess.Popen] = []

    def start(what: str) -> tuple[subprocess.Popen, int]:
        command = [sys.executable, "-c", PARENT, str(writer), what]
        parents.append(subprocess.Popen(command, pass_fds=[writer], stdout=subprocess.PIPE))
        os.close(writer)
        assert parents[0].stdout.readline() == b"started\n"
        return parents[0], reader

    yield start
    for parent in parents:
        parent.kill()
        parent.wait(10)
        parent.stdout.close()
    os.close(reader)


def wait_until_gone(reader: int) -> None:
    with selectors.DefaultSelector() as selector:
        selector.register(reader, selectors.EVENT_READ)
        assert selector.select(LIMIT), "a child lives on"
        assert os.read(reader, 1) == b""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_children_die_with_whoever_started_them(family, number):
    parent, reader = family("wait")
    parent.send_signal(number)
    wait_until_gone(reader)
    assert parent.wait(10) != 0


def test_children_die_where_the_parent_gives_up(family):
    parent, reader = family("raise")
    wait_until_gone(reader)
    assert parent.wait(10) == 3
