"""Journals of one small lab: what is kept of them, whose lines they hold, and who may say `ready`."""

import json
import signal
import textwrap

import pytest
from outside import LABCTL, Terminal, finish, read_until

pytestmark = pytest.mark.turn(2)

LAB = """
services:
  echo:
    image: labctl/echo-server
    stdin_open: true
    logging: {driver: json-file, options: {max-size: 20k, max-file: "3"}}
  mine:
    image: labctl/echo-server
    command: [python3, -c, "%s", "%s"]
    init: true
    stop_grace_period: 1s
  checked:
    image: labctl/echo-server
    command: [sleep, "999"]
    init: true
    tty: true
    healthcheck: {test: [CMD, "true"], interval: 1s}
"""
PROGRAM = "import sys, time; print('hello', flush=True); sys.stderr.write(sys.argv[1]); time.sleep(999)"
TRACEBACK = (
    'Traceback (most recent call last):\\n  File \\"x.py\\", line 1\\nValueError: ' + "much too long " * 20 + "\\n"
)
CALLS = """
    import socket
    with socket.create_connection(("127.0.0.1", 7)) as sock:
        for number in range(600):
            sock.sendall(b"line %d" % number)
            sock.recv(100)
"""


@pytest.fixture(scope="module")
def lab(spare_for_all, tmp_path_factory):
    """Brought up, and with more in the journal of `echo` than is kept of it."""
    found = spare_for_all("journals")
    file = tmp_path_factory.mktemp("journals") / "compose.yaml"
    file.write_text(LAB % (PROGRAM, TRACEBACK))
    found.file = file
    found.ok("up", str(file), "--lab", found.name, timeout=120)
    found.ok("exec", "echo", "--", "python3", "-c", textwrap.dedent(CALLS))
    return found


def test_an_own_command_on_an_image_of_ours_is_somebodys_own_program(lab):
    nodes = {item["node"]: item for item in lab.json("ps")["nodes"]}
    assert {name: item["state"] for name, item in nodes.items()} == {
        "echo": "ready",
        "mine": "running",
        "checked": "healthy",
    }
    assert [nodes[name]["role"] for name in ("echo", "mine", "checked")] == ["echo", None, None]


def test_a_journal_has_a_limit_and_says_what_is_gone(lab):
    kept = {name: item.attrs["HostConfig"]["LogConfig"]["Config"] for name, item in lab.containers().items()}
    assert kept["mine"] == kept["checked"] == {"max-size": "20m", "max-file": "3"}
    assert kept["echo"] == {"max-size": "20k", "max-file": "3"}  # the topology's own
    events = [json.loads(line) for line in lab.ok("logs", "echo", "--json").stdout.splitlines()]
    assert (events[0]["event"], events[0]["reason"]) == (
        "missing",
        "the oldest part of this journal is gone, and the log keeps 0.06 MB",
    )
    assert events[0]["ts"] == events[1]["ts"]
    last = [json.loads(line) for line in lab.ok("logs", "echo", "--json", "-n", "5").stdout.splitlines()]
    assert last == events[-5:]
    # The word `ready` is gone as well, and all goes on.
    assert "ready" not in {event["event"] for event in events}
    lab.ok("up", str(lab.file), "--lab", lab.name, timeout=60)


def test_a_programs_own_lines_are_shown_as_they_are(lab):
    lines = lab.ok("logs", "mine").stdout.splitlines()
    said = [line.split("  ", 2)[2].strip() for line in lines]
    # The engine reads the two pipes one beside the other: only within each is there an order.
    assert [text for text in said if text.startswith("log ")] == ["log       hello"]
    assert [text for text in said if text.startswith("stderr ")][:2] == [
        "stderr    Traceback (most recent call last):",
        'stderr      File "x.py", line 1',
    ]
    assert lines[0].split("  ")[0].endswith("Z")


@pytest.mark.parametrize("columns", [60, 200])
def test_logs_can_wrap(lab, columns):
    command = [LABCTL, "--color", "never", "logs", "mine", "--wrap", "--lab", lab.name]
    with Terminal(command, columns=columns) as terminal:
        assert terminal.end() == 0
        shown = terminal.shown
    lines = shown.replace("\r", "").splitlines()
    assert all(len(line) <= columns for line in lines)
    assert "…" not in shown
    assert " ".join(shown.split()).count("much too long") == 20


def test_a_node_that_starts_again_is_heard_again(lab):
    child = lab.begin("logs", "-f", "--json", "-n", "1", "mine", "echo")
    try:
        read_until(child.stdout, b"\n")
        lab.ok("restart", "mine", timeout=60)
        read_until(child.stdout, b'"text":"hello"')
    finally:
        child.send_signal(signal.SIGINT)
        finish(child)
