"""start, stop, restart, kill, pause and unpause of single nodes; what ps says of them, and what can't be done then."""

import re

import pytest
from outside import json_lines

pytestmark = pytest.mark.turn(2)

NODE = "udp2"


def state(lab, node: str = NODE) -> str:
    return next(item["state"] for item in lab.json("ps")["nodes"] if item["node"] == node)


def test_stop_and_start(fragile):
    before = fragile.container(NODE)
    assert fragile.ok("stop", NODE).stderr.startswith(f"{NODE} is stopped (")
    stopped = fragile.container(NODE).attrs["State"]
    assert (stopped["Status"], stopped["ExitCode"]) == ("exited", 0), "SIGTERM, and it left in order"
    assert state(fragile) == "exited"
    assert fragile.events(NODE, "exit")[-1]["signal"] == "SIGTERM"
    assert next(item for item in fragile.json("ls")["labs"] if item["lab"] == fragile.name)["running"] == 6
    ready = len(fragile.events(NODE, "ready"))
    assert fragile.ok("start", NODE).stderr.startswith(f"{NODE} is ready (")
    # `start` waited for this start's own word, not for an old one.
    assert len(fragile.events(NODE, "ready")) == ready + 1
    assert fragile.container(NODE).id == before.id
    assert state(fragile) == "ready"
    fragile.ok("start", NODE)
    assert len(fragile.events(NODE, "ready")) == ready + 1, "a node that runs is left alone"


def test_restart(fragile):
    started = fragile.container(NODE).attrs["State"]["StartedAt"]
    fragile.ok("restart", NODE)
    assert fragile.container(NODE).attrs["State"]["StartedAt"] > started
    assert state(fragile) == "ready"
    fragile.ok("udp", "send", "udp1", NODE, "right after the restart")


def test_kill(fragile):
    fragile.ok("kill", NODE)
    assert fragile.container(NODE).attrs["State"]["ExitCode"] == 137
    assert state(fragile) == "exited"
    said = fragile.refused("kill", NODE)
    assert re.fullmatch(rf"{NODE} exited \(137\) .+ ago, so labctl can't kill it", said), said
    fragile.ok("start", NODE)
    fragile.ok("udp", "send", "udp1", NODE, "back from the dead")


def test_pause_and_unpause(fragile):
    with fragile.journal(NODE) as journal:
        fragile.ok("pause", NODE)
        assert state(fragile) == "paused"
        assert fragile.container(NODE).status == "paused"
        for verb in ("pause", "start", "restart"):
            assert f"{NODE} is paused, so labctl can't {verb} it" in fragile.refused(verb, NODE)
        said = fragile.refused("udp", "send", "udp1", NODE, "x")
        assert said == f"{NODE} is paused, so nothing can arrive there"
        assert "unpause" in fragile.run("send", NODE, "x").stderr
        # Its kernel takes what arrives; its program reads it when it goes on.
        fragile.ok("send", "udp1", "for later")
        fragile.ok("unpause", NODE)
        assert journal.wait(NODE, "recv")["text"] == "for later"
    assert "is running, so labctl can't unpause it" in fragile.refused("unpause", NODE)
    assert state(fragile) == "ready"


@pytest.mark.parametrize("command", ["send", "attach", "exec", "http get"])
def test_node_that_does_not_run(fragile, command):
    fragile.ok("stop", "web")
    arguments = {"send": ["x"], "attach": [], "exec": ["--", "true"], "http get": []}[command]
    said = fragile.run(*command.split(), "web", *arguments)
    assert said.returncode == 1
    assert re.match(r"labctl: web exited \(0\) .+ ago, so ", said.stderr), said
    assert said.stderr.endswith("\n  `labctl logs web` shows its last lines; `labctl start web`\n")


def test_journal_of_a_stopped_node_can_still_be_read(fragile):
    fragile.ok("stop", NODE)
    told = json_lines(fragile.ok("logs", "--json", NODE).stdout)
    assert told[-1]["event"] == "exit"
    listening = next(item for item in fragile.json("ps")["nodes"] if item["node"] == NODE)["listening"]
    assert listening == []
