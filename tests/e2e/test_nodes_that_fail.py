"""Programs that crash, and what `up`, `ps` and later commands say of them; what others wait for in vain; builds."""

import json
import os
import re
import signal
from pathlib import Path

import pytest
from outside import Lab, finish, until

pytestmark = pytest.mark.turn(2)

# A dollar is doubled for Compose.
SERVER = """
use IO::Socket::INET;
$$| = 1;
my @open = map { IO::Socket::INET->new(LocalAddr => $$_, Listen => 1) } "0.0.0.0:5000", "127.0.0.1:6000";
my $$udp = IO::Socket::INET->new(LocalAddr => "0.0.0.0:7000", Proto => "udp");
print "open\\n";
sleep 1000;
"""
EATER = "sleep 4; my $$n = 200_000_000; my $$x = q(x) x $$n; sleep 1000"


def topology(folder: Path, **services: dict) -> str:
    file = folder / "compose.yaml"
    file.write_text(json.dumps({"services": services}))
    return str(file)


@pytest.fixture
def service(debian):
    """`service("exit 3")` is a service that runs a shell's command."""
    return lambda script, **more: {"image": debian, "command": ["sh", "-c", script], **more}


def test_what_nodes_really_do(spare, tmp_path, debian, service):
    """One lab for all that takes seconds to be seen: a program that dies after two of them is one."""
    lab = spare("crash")
    file = topology(
        tmp_path,
        server={"image": debian, "init": True, "command": ["perl", "-e", SERVER]},
        idle=service("exec sleep 1000", init=True, expose=["8123"]),
        job=service("echo done"),
        loop=service("sleep 4; exit 4", restart="always"),
        eater={
            "image": debian,
            "init": True,
            "command": ["perl", "-e", EATER],
            "mem_limit": "20m",
            "memswap_limit": "20m",
        },
        mine=service("echo 'SyntaxError: invalid syntax' >&2; sleep 2; exit 3"),
    )
    said = lab.run("up", file, "--lab", lab.name)
    assert (said.returncode, said.stdout) == (1, "")
    first = r"labctl: mine failed: it ended with exit status 3; its last lines:\n    SyntaxError: invalid syntax\n"
    other = r"labctl: \w+ failed: .*^mine exited \(3\) .+ ago as well$"  # on a machine that was slow to start them
    assert re.search(rf"{first}|{other}", said.stderr, re.M | re.S), said
    until(lambda: lab.container("eater").status == "exited", "the kernel has killed it")
    until(lambda: lab.container("loop").attrs["RestartCount"], "the engine has started it again")
    nodes = {node["node"]: node for node in lab.json("ps")["nodes"]}
    assert [(item["proto"], item["address"], item["port"]) for item in nodes["server"]["listening"]] == [
        ("tcp", "0.0.0.0", 5000),
        ("tcp", "127.0.0.1", 6000),
        ("udp", "0.0.0.0", 7000),
    ]
    assert nodes["idle"]["listening"] == [], "what is exposed need not listen"
    assert (nodes["job"]["state"], nodes["job"]["exit_code"]) == ("exited", 0)
    assert lab.container("job").logs() == b"done\n", "it is done once"
    assert nodes["loop"]["restarts"] >= 1
    mine = lab.container("mine").attrs["State"]
    rows = dict(re.findall(r"^(\S+) +- +(.*)$", lab.ok("ps").stdout, re.M))
    assert re.match(r"exited \(3\) .+ ago  ", rows["mine"])
    assert re.match(r"(restarting \(4\) .+ ago|running), restarted \d+ times?", rows["loop"])
    assert rows["eater"].startswith("exited (137, out of memory) ")
    assert (nodes["eater"]["exit_code"], nodes["eater"]["out_of_memory"]) == (137, True)
    assert "  5000/tcp 127.0.0.1:6000/tcp 7000/udp  -" in rows["server"]
    ended = {node["node"]: node for node in lab.json("ps")["nodes"]}["mine"]
    assert (ended["exit_code"], ended["since"][:23]) == (3, mine["FinishedAt"][:23])
    for command in (("ping", "server", "mine"), ("dns", "server", "mine")):
        got = lab.run(*command, timeout=120)
        assert got.returncode == 1
        # The image of the helpers may have to be built first, which is told as well.
        assert re.search(r"^labctl: mine exited \(3\) .+ ago[,;] ", got.stderr, re.M), got
        assert "`labctl logs mine` shows its last lines" in got.stderr
    assert "SyntaxError" in lab.ok("logs", "-f", "mine").stdout


@pytest.mark.parametrize(
    ("script", "condition", "why"),
    [
        ("echo no disk; exit 7", "service_healthy", "it ended with exit status 7"),
        ("echo no disk; sleep 1000", "service_healthy", "its healthcheck calls it unhealthy (it is ill)"),
        ("echo no disk; exit 7", "service_completed_successfully", "it ended with exit status 7"),
    ],
)
def test_what_others_wait_for_in_vain_keeps_its_evidence(spare, tmp_path, service, script, condition, why):
    lab = spare("in-vain")
    check = {"test": ["CMD-SHELL", "echo it is ill; exit 1"], "interval": "200ms", "retries": 2}
    db = service(script, healthcheck=check, stop_grace_period="0s")
    web = service("exec sleep 1000", depends_on={"db": {"condition": condition}})
    said = lab.run("up", topology(tmp_path, db=db, web=web), "--lab", lab.name)
    assert (said.returncode, said.stdout) == (1, "")
    assert f"labctl: db failed: {why}; its last lines:\n    no disk\n" in said.stderr
    assert "taking back" not in said.stderr
    assert "no disk" in lab.ok("logs", "db").stdout
    states = {node["node"]: node["state"] for node in lab.json("ps")["nodes"]}
    assert states["web"] == "created"
    assert lab.ok("down").stderr.startswith(f"{lab.name} is down: removed 2 containers")


def test_build_that_fails_shows_its_step(spare, tmp_path, debian):
    lab = spare("no-build")
    script = "echo compiling; echo 'main.c:1: no such thing' >&2; exit 9"
    (tmp_path / "Dockerfile").write_text(f"FROM {debian}\nRUN {script}\n")
    said = lab.run("up", topology(tmp_path, app={"build": "."}), "--lab", lab.name, timeout=120)
    assert said.returncode == 1
    lines = said.stderr.splitlines()
    at = next(number for number, line in enumerate(lines) if line.startswith("labctl: building app failed: "))
    assert "exit code: 9; the step and its last lines:" in lines[at]
    assert f"RUN {script}" in lines[at + 1]
    printed = {re.sub(r"^ +[\d.]* ?", "", line) for line in lines[at + 2 : at + 4]}
    assert printed == {"compiling", "main.c:1: no such thing"}
    assert lab.labelled() == []


def test_compose_that_is_killed_is_told_so(spare, tmp_path, service):
    lab = spare("no-compose")
    check = {"test": ["CMD", "true"], "interval": "60s"}
    db = service("exec sleep 1000", healthcheck=check, stop_grace_period="0s")
    # labctl leaves `volumes_from` to Compose
    web = service("exec sleep 1000", depends_on={"db": {"condition": "service_healthy"}}, volumes_from=["db"])
    child = lab.begin("up", topology(tmp_path, db=db, web=web), "--lab", lab.name)
    until(lambda: lab.labelled() and lab.containers().get("db") and lab.container("db").status == "running", "db runs")
    for pid in _composes(lab):
        os.kill(pid, signal.SIGKILL)
    said = finish(child)
    assert said.returncode == 1
    assert (
        "note: `docker compose` makes this lab: labctl doesn't make all of it (services.web.volumes_from)"
        in said.stderr
    )
    assert "labctl: `docker compose up` was killed by SIGKILL before it had done its work\n" in said.stderr
    assert lab.labelled() == []


def _composes(lab: Lab) -> list[int]:
    """The processes of Compose, the plugin, that bring this lab up."""
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                words = (place / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if words[0].endswith(b"docker-compose") and lab.name.encode() in words:
                found.append(int(place.name))
    assert found
    return found
