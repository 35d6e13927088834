"""The registry of phases and the places that reach them are the same."""

import os
import re
import signal
import sys
from pathlib import Path

import pytest

from labctl.phases import PHASES

ROOT = Path(__file__).parents[2] / "labctl"
QUOTED = re.compile(r'"((?:up|run|down|probe|keyboard|logs|udp|exec|fault|capture|processes):[a-z-]+)"')
STOP = "from labctl.phases import reached; reached('up:done'); reached('up:begun'); reached('up:begun')"


def test_what_is_reached_is_what_is_registered():
    files = [file for file in ROOT.rglob("*.py") if file.name != "phases.py"]
    assert {name for file in files for name in QUOTED.findall(file.read_text())} == set(PHASES)


@pytest.mark.parametrize("number", [signal.SIGCONT, signal.SIGKILL])
def test_a_process_stops_itself_once_where_it_was_told_to(number):
    child = os.spawnve(
        os.P_NOWAIT, sys.executable, [sys.executable, "-c", STOP], {**os.environ, "LABCTL_STOP_AT": "up:begun"}
    )
    _, status = os.waitpid(child, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    assert os.WSTOPSIG(status) == signal.SIGSTOP
    os.kill(child, number)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == (0 if number == signal.SIGCONT else -signal.SIGKILL)
