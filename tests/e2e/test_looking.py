"""ps, ls, logs and doctor: compared with Docker's own word, and with the kernel's."""

import importlib.metadata
import json
import os
import pwd
import re
import signal
import subprocess

import pytest
from executing import execute
from outside import LABCTL, end_group, environment, finish, json_lines, parse, read_until, run_command

from labctl.engine.docker import DockerEngine

pytestmark = pytest.mark.turn(2)

ROLES = {"alice": "chat", "bob": "chat", "client": "echo-client", "echo": "echo"}
ROLES |= {"udp1": "udp", "udp2": "udp", "web": "http"}
LISTEN, UDP_OPEN = "0A", "07"  # a socket's state in /proc/net (proc(5))
DOCKERS_RESOLVER = "0B00007F"  # 127.0.0.11, as /proc/net writes it


def listening(container) -> set[tuple[str, int]]:
    """What a container's kernel says of its open ports."""
    found = set()
    for proto, state in (("tcp", LISTEN), ("udp", UDP_OPEN)):
        for family in ("", "6"):
            done = execute(container.id, "cat", f"/proc/net/{proto}{family}")
            assert done.status == 0, done
            for line in done.out.splitlines()[1:]:
                address, port = line.split()[1].split(":")
                if line.split()[3] == state and address != DOCKERS_RESOLVER:
                    found.add((proto, int(port, 16)))
    return found


def test_ps_is_what_docker_and_the_kernel_say(lab):
    told = lab.json("ps")
    assert (told["schema_version"], told["lab"]) == (1, lab.name)
    nodes = {node["node"]: node for node in told["nodes"]}
    containers = lab.containers()
    assert {name: node["role"] for name, node in nodes.items()} == ROLES
    for name, node in nodes.items():
        container = containers[name]
        assert node["state"] == "ready"
        assert container.id.startswith(node["container"])
        networks = container.attrs["NetworkSettings"]["Networks"]
        assert node["networks"] == {key: [net["IPAddress"]] for key, net in networks.items()}
        assert {(port["proto"], port["port"]) for port in node["listening"]} == listening(container), name
    published = [port for node in nodes.values() for port in node["published"]]
    host, port = lab.published("web", 8080)
    assert published == [{"host": host, "port": port, "proto": "tcp", "target": 8080}]


def test_where_nodes_listen_is_the_same_from_inside(lab):
    """How it is asked where the engine's processes are not this machine's: there is no process 0."""
    pids = {item.id: item.attrs["State"]["Pid"] for item in lab.containers().values()}
    engine = DockerEngine()
    from_here = engine.listening(pids)
    assert {item.port for found in from_here.values() for item in found} == {7, 5005, 8080, 12345}
    assert engine.listening(dict.fromkeys(pids, 0)) == from_here


def test_ps_is_a_table(lab):
    lines = lab.ok("ps").stdout.splitlines()
    assert lines[0].split() == ["NODE", "ROLE", "STATE", "ADDRESS", "LISTENS", "PUBLISHED"]
    rows = {line.split()[0]: line.split()[1:] for line in lines[1:]}
    assert rows["alice"] == ["chat", "ready", lab.address("alice"), "12345/tcp", "-"]
    host, port = lab.published("web", 8080)
    assert rows["web"] == ["http", "ready", lab.address("web"), "8080/tcp", f"{host}:{port}"]
    assert rows["echo"] == ["echo", "ready", lab.address("echo"), "7/tcp", "7/udp", "-"]
    assert rows.keys() == ROLES.keys()


def test_each_address_keeps_its_last_number(lab):
    last = {name: lab.address(name).rpartition(".")[2] for name in ROLES}
    assert last == {"web": "2", "echo": "3", "client": "4", "alice": "5", "bob": "6", "udp1": "7", "udp2": "8"}


def test_ls_lists_the_lab(lab):
    user = pwd.getpwuid(os.getuid()).pw_name
    mine = [item for item in lab.json("ls")["labs"] if item["lab"] == lab.name]
    assert mine == [
        {
            "lab": lab.name,
            "title": "Hello, sockets",
            "topology": "hello",
            "owner": {"user": user, "uid": os.getuid(), "host": os.uname().nodename},
            "mine": True,
            "nodes": 7,
            "running": 7,
        }
    ]
    assert re.search(rf"^{lab.name} +7 of 7 +{user}@\S+ +Hello, sockets +hello$", lab.ok("ls").stdout, re.M)


def journal_of(lab, *names: str) -> list[dict]:
    found = json_lines(lab.ok("logs", *names, "--json").stdout)
    assert all({"ts", "node", "event"} <= event.keys() for event in found)
    return found


def test_logs_are_all_journals_in_order_of_time(own_lab):
    """In a lab that no other test has broken: what probes tell stands in the journal, and in no node's own log."""
    own_lab.ok("chat", "send", "alice", "something to look at")
    told = journal_of(own_lab)
    assert [event["ts"] for event in told] == sorted(event["ts"] for event in told)
    for name, container in own_lab.containers().items():
        lines = container.logs(stdout=True, stderr=True).split(b"\n")
        assert [event for event in told if event["node"] == name] == [json.loads(line) for line in lines if line]


def test_logs_of_some_nodes(lab):
    assert {event["node"] for event in journal_of(lab, "alice", "web")} == {"alice", "web"}
    shown = lab.ok("logs", "bob").stdout.splitlines()
    assert all(re.match(r"\d\d:\d\d:\d\d\.\d{6}Z  bob  ", line) for line in shown)
    bob, alice = lab.address("bob"), lab.address("alice")
    assert any(re.search(rf" connect +{bob}:\d+ -> {alice}:12345 ", line) for line in shown)


def test_logs_tail_is_the_end_of_the_merged_journal(lab):
    lab.ok("chat", "send", "bob", "the last words")
    whole = json_lines(lab.ok("logs", "--json").stdout)
    for number in (0, 1, 7, len(whole) + 5):
        assert journal_of(lab, "--tail", str(number)) == (whole[-number:] if number else [])


def test_logs_since(lab):
    lab.ok("chat", "send", "bob", "before")
    lab.ok("chat", "send", "bob", "after")
    told = journal_of(lab)
    begin = next(event["ts"] for event in reversed(told) if event["event"] == "input" and event["text"] == "after")
    since = json_lines(lab.ok("logs", "--json", "--since", begin).stdout)
    assert since == [event for event in told if event["ts"] >= begin]
    assert journal_of(lab, "--since", "2h") == told
    assert journal_of(lab, "--since", "0s") == []
    assert "is neither a span" in lab.refused("logs", "--since", "yesterday")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_logs_follow_until_told_to_end(lab, number, status):
    """What was and what comes, each event once and in order; ended by a signal without a word."""
    child = lab.begin("logs", "-f", "--json", "alice", "bob")
    # An event that was there before: from now on it follows.
    seen = read_until(child.stdout, b'"event":"ready"')
    for count in range(10):
        lab.ok("chat", "send", ("alice", "bob")[count % 2], f"followed {number} {count}")
    lab.ok("chat", "send", "bob", f"the end {number}")
    message = f'"text":"the end {number}"}}\n'.encode()
    while message not in seen:
        seen += read_until(child.stdout, b"\n")
    end_group(child, number)
    ended = finish(child, 10)
    assert (ended.returncode, ended.stderr) == (status, "")
    told = [parse(line) for line in (seen + ended.stdout.encode()).splitlines()]
    assert [event["ts"] for event in told] == sorted(event["ts"] for event in told)
    texts = [event["text"] for event in told if event["event"] == "message"]
    for count in range(10):
        assert texts.count(f"followed {number} {count}") == 1


def test_chat_log_follows(lab):
    child = lab.begin("chat", "log", "-f", "--json")
    read_until(child.stdout, b'"kind":"open"')
    lab.ok("chat", "send", "alice", "while you watch")
    read_until(child.stdout, b'"text":"while you watch"}\n')
    end_group(child, signal.SIGINT)
    assert finish(child, 10).returncode == 130


@pytest.fixture(scope="module")
def long_lab(lab):
    """More in its journal than a pipe holds, so that whoever writes it all meets a pipe that was closed."""
    for _ in range(4):
        lab.ok("chat", "send", "alice", "-", input="x" * 60_000)
    return lab


@pytest.mark.parametrize("command", ["logs", "logs --json", "chat log", "logs -f"])
def test_reader_that_has_enough_is_no_error(long_lab, command):
    script = f'set -o pipefail; labctl {command} | head -n 1; exit "${{PIPESTATUS[0]}}"'
    got = subprocess.run(
        ["bash", "-c", script], capture_output=True, timeout=60, env=environment(LABCTL_LAB=long_lab.name), check=False
    )
    assert got.stdout.count(b"\n") == 1
    assert got.stderr == b""
    assert got.returncode == 128 + signal.SIGPIPE


def test_doctor_finds_this_machine_fit(lab, engine):
    told = lab.json("doctor")
    assert told["ok"] is True
    found = {finding["check"]: finding for finding in told["findings"]}
    assert f"Docker {engine.version()['Version']} " in found["engine"]["what"]
    compose = subprocess.run(["docker", "compose", "version", "--short"], capture_output=True, timeout=30, check=True)
    assert compose.stdout.decode().lstrip("v").startswith(found["compose"]["what"].removeprefix("Compose ") + ".")
    assert found["kernel"]["what"] == f"Linux {engine.info()['KernelVersion']}"
    assert found["base image"]["level"] == "ok"
    assert {finding["level"] for finding in told["findings"]} <= {"ok", "note"}
    left = engine.containers.list(all=True, filters={"label": "dev.labctl.lab=labctl-doctor"}, ignore_removed=True)
    assert left == [], "what it tried the kernel with is gone"


def test_doctor_finds_what_a_killed_engine_has_left():
    """In a network namespace of the test's own: a rule for a bridge that is gone, one for a bridge that is there."""
    rule = "POSTROUTING -s 10.99.{}.0/24 ! -o {} -j MASQUERADE"
    gone, there = rule.format(0, "br-0123456789ab"), rule.format(1, "br-0123456789ac")
    add = " && ".join(f"iptables -t nat -A {one}" for one in (gone, there))
    made = f"ip link add br-0123456789ac type bridge && {add}"
    alone = ["unshare", "--net", *([] if os.getuid() == 0 else ["--map-root-user"]), "sh", "-c"]
    told = run_command([*alone, f"{made} && {LABCTL} doctor --json"])
    findings = {finding["check"]: finding for finding in json.loads(told.stdout)["findings"]}
    assert told.returncode == 0
    assert (findings["nat"]["level"], findings["nat"]["mend"]) == ("note", f"`iptables -t nat -D {gone}`")
    assert "(10.99.0.0/24)" in findings["nat"]["what"]
    mended = f"{made} && iptables -t nat -D {gone} && {LABCTL} doctor --json"
    told = run_command([*alone, mended])
    assert "nat" not in {finding["check"] for finding in json.loads(told.stdout)["findings"]}


def test_doctor_says_what_is_missing(lab):
    told = lab.run("doctor", "--json", DOCKER_HOST="unix:///nowhere/docker.sock")
    assert told.returncode == 1
    document = json.loads(told.stdout)
    assert document["ok"] is False
    found = {finding["check"]: finding for finding in document["findings"]}
    assert found["endpoint"]["what"] == "unix:///nowhere/docker.sock (DOCKER_HOST)"
    assert found["engine"]["level"] == "bad"
    assert "make lab-up" in found["engine"]["mend"]
    assert found["compose"]["level"] == "ok"


def test_version(lab):
    assert lab.run("--version") == (0, f"labctl {importlib.metadata.version('wirelab')}\n", "")
    as_module = subprocess.run(
        [LABCTL.replace("bin/labctl", "bin/python"), "-m", "labctl", "--version"],
        capture_output=True,
        timeout=30,
        check=True,
    )
    assert as_module.stdout.decode() == lab.run("--version").stdout
