"""Whether a node has said that it is ready, also where its log has lost the beginning of the run."""

import json

import pytest

from labctl.engine.model import Container, Details, Line
from labctl.lab.life.present_run import Run
from labctl.lab.model import Node

OURS = {"dev.labctl.role": "echo", "dev.labctl.program": "/opt/node/echo_server.py"}
ENDED, NOW = "2026-01-01T00:00:00.000000000Z", "2026-01-01T00:00:09.000000000Z"
LIMITED = (1000, 3)


def run(labels: dict, log: tuple[int, int] | None = LIMITED) -> Run:
    container = Container("1", "lab-a-1", "x", "running", labels)
    return Run(Node("a", "echo", container), Details(ENDED, 0, True, log=log))


def line(event: str, stamp: str = NOW, ts: str = NOW) -> Line:
    return Line(json.dumps({"ts": ts, "node": "a", "event": event}).encode(), stamp=stamp)


@pytest.mark.parametrize("labels", [OURS, {"dev.labctl.role": "echo"}])
def test_ready_is_a_word_of_this_run_by_the_engines_clock(labels):
    now = run(labels)
    assert not now.is_ready(line("ready", stamp="2025-12-31T23:59:59.5Z"))
    assert not now.is_ready(line("bind"))
    assert now.is_ready(line("ready", ts="1999-01-01T00:00:00.000000000Z"))


def test_our_own_program_begins_with_known_words():
    assert run(OURS).is_ready(line("recv"))
    assert not run(OURS, log=None).is_ready(line("recv"))
    begun = run(OURS)
    assert not begun.is_ready(line("bind"))
    assert not begun.is_ready(line("recv"))


def test_a_traceback_is_not_taken_for_the_middle_of_a_log():
    crashed = run(OURS)
    for text in (b"Traceback (most recent call last):", b"ValueError: no such port"):
        assert not crashed.is_ready(Line(text, stderr=True, stamp=NOW))
    assert crashed.is_ready(line("recv")), "whose beginning is lost"
    begun = run(OURS)
    assert not any(begun.is_ready(found) for found in (Line(b"a warning", stamp=NOW), line("bind"), line("recv")))


def test_of_somebody_elses_program_the_log_must_be_full():
    theirs = run({"dev.labctl.role": "echo"})
    said = [theirs.is_ready(line("recv")) for _ in range(40)]
    assert said[0] is False
    assert said[-1] is True
    assert not any(run({"dev.labctl.role": "echo"}, log=(1000, 1)).is_ready(line("recv")) for _ in range(40))
