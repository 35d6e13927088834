"""Errors, exit codes, colours and completion: how labctl behaves as a program among others."""

import json
import re
import subprocess

import pytest
from outside import LABCTL, Terminal, environment, run_command

pytestmark = pytest.mark.turn(3)

USAGE = [
    ["nosuch"],
    ["--nosuch"],
    ["--color", "sometimes", "ps"],
    ["send", "alice"],
    ["send", "alice", "a", "b"],
    ["chat"],
    ["chat", "sing"],
    ["chat", "send", "alice", "x", "--timeout", "soon"],
    ["chat", "send", "alice", "x", "--timeout", "-1"],
    ["logs", "--tail", "-1"],
    ["logs", "--tail", "many"],
    ["udp", "send", "udp1"],
    ["udp", "send", "udp1", "udp2", "x", "--size", "5"],
    ["udp", "send", "udp1", "udp2", "x", "--count", "few"],
    ["exec", "alice"],
    ["down", "one", "--all"],
    ["up", "--timeout", "never"],
    ["start"],
    ["udp", "send", "udp1", "udp2:5005", "--count", "3"],
    ["stop", "alice", "--all"],
    ["cp", "alice:/a", "bob:/b"],
]
ERRORS = [
    (["send", "alcie", "x"], "unknown-node", "there is no node alcie in the lab {lab}; did you mean alice"),
    (["logs", "wep"], "unknown-node", "there is no node wep in the lab {lab}; did you mean web?"),
    (["ps", "--lab", "no-such-lab-at-all"], "unknown-lab", "there is no lab no-such-lab-at-all"),
    (["ps", "--lab", "{lab}x"], "unknown-lab", "there is no lab {lab}x; did you mean {lab}"),
    (["ps", "--lab", "Not a name"], "bad-lab-name", "'Not a name' is not a lab's name"),
    (["up", "--lab", "../x"], "bad-lab-name", "'../x' is not a lab's name"),
    (["chat", "send", "web", "x"], "wrong-role", "web is an HTTP server, and `chat send` needs a chat node"),
    (["echo", "send", "echo", "x"], "wrong-role", "echo is an echo server, and `echo send` needs an echo client"),
    (["udp", "send", "udp1", "web", "x"], "wrong-role", "web is an HTTP server, and `udp send` needs a UDP peer"),
    (
        ["udp", "send", "udp1", "udp2", "--count", "0"],
        "bad-option",
        "--count: a train has 1 to 1000000 datagrams, not 0",
    ),
    (["udp", "send", "udp1", "udp2", "--count", "1", "--rate", "-1"], "bad-option", "--rate: "),
    (["udp", "send", "udp1", "udp2", "--count", "1", "--size", "70000"], "bad-option", "--size: "),
    (["http", "get", "echo"], "not-published", "echo publishes no port to this machine"),
    (["http", "get", "web", "http://web:x/"], "bad-option", "URL: "),
    (["logs", "--since", "tomorrow"], "bad-option", "--since: 'tomorrow' is neither a span"),
    (["up", "helo"], "topology-missing", "there is no topology helo; did you mean hello?"),
    (["chat", "send", "alice", "two\nlines"], "newline-in-line", "the text holds a newline"),
]


@pytest.mark.parametrize("args", USAGE, ids=" ".join)
def test_wrong_usage_exits_2(lab, args):
    got = lab.run(*args)
    assert (got.returncode, got.stdout) == (2, ""), got
    assert "Usage: labctl" in got.stderr
    assert "Traceback" not in got.stderr


def test_unknown_command_gets_the_nearest(lab):
    assert lab.run("dwon").stderr.count("'down'") == 1


@pytest.mark.parametrize(("args", "code", "message"), ERRORS, ids=lambda value: value if type(value) is str else None)
def test_errors_are_explained(lab, args, code, message):
    """Exit status 1, a sentence on stderr and, with --json, the same as a document on stdout."""
    args = [arg.format(lab=lab.name) for arg in args]
    said = lab.refused(*args)
    assert said.startswith(message.format(lab=lab.name))
    got = lab.run(*args, "--json")
    assert got.returncode == 1
    document = json.loads(got.stdout)
    assert document["schema_version"] == 1
    assert document["error"]["code"] == code
    assert document["error"]["message"] == said
    plain = lab.run(*args)
    assert plain.stdout == ""
    assert plain.stderr == f"labctl: {said}\n" + (
        f"  {document['error']['hint']}\n" if document["error"]["hint"] else ""
    )


def test_wrong_role_names_the_nodes_that_would_do(lab):
    assert "a chat node here: alice, bob" in lab.run("chat", "send", "web", "x").stderr


@pytest.mark.parametrize(
    ("host", "code"),
    [
        ("unix:///nowhere/docker.sock", "engine-unreachable"),
        ("tcp://127.0.0.1:1", "engine-unreachable"),
        ("unix:///dev/null", "engine-unreachable"),
        ("carrier-pigeon", "engine-endpoint"),
    ],
)
def test_engine_that_is_not_there(lab, host, code):
    got = lab.run("ps", "--json", DOCKER_HOST=host)
    assert got.returncode == 1
    assert json.loads(got.stdout)["error"]["code"] == code


def test_engine_that_is_none(lab):
    """The lab's own web server does speak HTTP, and knows nothing of containers."""
    host, port = lab.published("web", 8080)
    said = lab.refused("ps", DOCKER_HOST=f"tcp://{host}:{port}")
    assert "404 Not Found" in said


def test_docker_context_that_is_not_there(lab, tmp_path):
    got = lab.run("ps", "--json", DOCKER_CONTEXT="no-such", DOCKER_HOST=None, DOCKER_CONFIG=str(tmp_path))
    assert (got.returncode, json.loads(got.stdout)["error"]["code"]) == (1, "engine-endpoint")


def in_bash(lab, script: str):
    return run_command(["bash", "--norc", "-c", script], LABCTL_LAB=lab.name)


@pytest.mark.parametrize("command", ["ps --json", "logs", "ps --lab no-such-lab --json"])
def test_output_that_can_not_be_written(lab, command):
    got = in_bash(lab, f"labctl {command} >/dev/full")
    assert got.returncode == 1
    assert "labctl: the output can't be written: No space left on device\n" in got.stderr
    assert "Traceback" not in got.stderr


@pytest.mark.parametrize(
    "command", ["ps >&-", "ps 2>&-", "send client x <&-", "send client - <&-", "attach client <&-", "exec bob true <&-"]
)
def test_streams_that_are_closed(lab, command):
    got = in_bash(lab, f"labctl {command}")
    assert (got.returncode, "Traceback" in got.stderr) == (0, False), got


LOOKING = [["ps"], ["ls"], ["logs", "--tail", "20"], ["chat", "log"]]


@pytest.mark.parametrize("args", LOOKING, ids=" ".join)
def test_colour_is_for_terminals_that_want_it(lab, args):
    assert "\x1b[" in at_terminal(lab, args)
    assert "\x1b[" not in at_terminal(lab, args, NO_COLOR="1")
    assert "\x1b[" not in at_terminal(lab, args, TERM="dumb")
    assert "\x1b[" not in at_terminal(lab, ["--color", "never", *args])
    assert "\x1b[" not in lab.ok(*args).stdout
    assert "\x1b[" in lab.ok("--color", "always", *args, NO_COLOR="1").stdout


def at_terminal(lab, args, columns: int = 100, **variables) -> str:
    with Terminal([LABCTL, *args], columns=columns, LABCTL_LAB=lab.name, **variables) as terminal:
        assert terminal.end() == 0
        return terminal.shown


def test_a_line_of_the_timeline_fits_the_terminal(lab):
    lab.ok("chat", "send", "alice", "wide " * 100)
    shown = at_terminal(lab, ["--color", "never", "logs", "--tail", "30"], columns=80)
    assert shown.count("\r\n") == 30
    assert max(len(line) for line in shown.split("\r\n")) <= 80
    piped = lab.ok("logs", "--tail", "30").stdout
    assert max(len(line) for line in piped.splitlines()) > 500, "nothing is cut for a pipe"


COMPLETE = """
PS1=x
eval "$(labctl --show-completion bash)"
complete -p labctl
COMP_WORDS=({words})
COMP_CWORD={at}
_labctl_completion labctl
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


def completed(lab, *words: str) -> list[str]:
    quoted = " ".join(f"'{word}'" for word in ("labctl", *words))
    got = subprocess.run(
        ["bash", "--norc", "-c", COMPLETE.format(words=quoted, at=len(words))],
        capture_output=True,
        timeout=60,
        env=environment(LABCTL_LAB=lab.name),
        check=False,
    )
    assert (got.returncode, got.stderr) == (0, b""), got
    first, *found = got.stdout.decode().split("\n")
    assert first == "complete -o default -F _labctl_completion labctl"
    return [word for word in found if word]


def test_completion_of_commands(lab):
    assert completed(lab, "res") == ["restart"]
    assert sorted(completed(lab, "st")) == ["start", "stop"]
    assert {"pause", "ps"} <= set(completed(lab, "p"))
    assert sorted(completed(lab, "chat", "")) == ["log", "send"]
    assert completed(lab, "chat", "send", "alice", "hi", "--time") == ["--timeout"]


def test_completion_of_nodes_labs_and_topologies(lab):
    assert completed(lab, "chat", "send", "al") == ["alice"]
    assert sorted(completed(lab, "send", "")) == ["alice", "bob", "client", "echo", "udp1", "udp2", "web"]
    assert completed(lab, "udp", "send", "udp1", "udp2"[:3]) == ["udp1", "udp2"]
    assert lab.name in completed(lab, "ps", "--lab", lab.name[:6])
    assert "hello" in completed(lab, "up", "hel")


def test_completion_of_a_lab_that_is_chosen_on_the_line(lab):
    assert completed(lab, "send", "--lab", "nowhere-at-all", "al") == []
    assert completed(lab, "send", "--lab", lab.name, "al") == ["alice"]


def test_help_names_every_command(lab):
    shown = lab.ok("--help").stdout
    for command in (
        "up",
        "down",
        "ps",
        "ls",
        "logs",
        "send",
        "attach",
        "chat",
        "echo",
        "udp",
        "http",
        "exec",
        "doctor",
    ):
        assert re.search(rf"^  {command} +\S", shown, re.M), command
    for command in ("start", "stop", "restart", "kill", "pause", "unpause"):
        assert lab.ok(command, "--help").stdout.startswith(f"Usage: labctl {command} ")
