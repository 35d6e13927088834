"""`labctl run`: programs as a beginner writes them, as hosts of an empty lab and of the default one."""

import json
import os
import re
import shutil
import signal
import subprocess

import pytest
from outside import finish, read_until, run_command, until

pytestmark = pytest.mark.turn(3)

PROGRAMS = {
    "server.py": """
import socket
listener = socket.socket()
listener.bind(("", 9000))
listener.listen()
print("the server listens")
while True:
    sock, peer = listener.accept()
    sock.sendall(b"hello " + sock.recv(1024))
    sock.close()
""",
    "client.py": """
import os, socket
sock = socket.socket()
sock.connect(("srv", 9000))
sock.send(b"from the client")
print(sock.recv(1024).decode())
print(os.getuid(), open("/tmp/x", "w").write("x"), os.environ.get("WHO"))
try:
    open("x", "w")
except OSError as problem:
    print(problem.strerror)
""",
    "typed.py": """
import sys
while True:
    line = input()
    print("you typed", line)
    print("to stderr", line, file=sys.stderr)
""",
    "loopback.py": 'import socket; s = socket.create_server(("127.0.0.1", 9000)); s.accept()',
    "twice.py": 'import socket; a, b = socket.socket(), socket.socket(); a.bind(("", 9000)); b.bind(("", 9000))',
    "myself.py": "import socket; socket.create_connection((socket.gethostname(), 9000))",
    "nobody.py": 'import socket; socket.create_connection(("nobody-here", 9000))',
    "memory.py": "x = bytearray(100_000_000)",
    # 100 MB, in lines of 10 kB: the engine's log takes as long to read as it has lines.
    "flood.py": 'for n in range(10_000): print(n, "x" * 10_000)\nprint("flooded")\ninput()',
    "forks.py": """
import os, socket
listener = socket.create_server(("", 9000))
if os.fork() == 0:
    while True:
        sock, peer = listener.accept()
        sock.sendall(b"of a child")
        sock.close()
os.wait()
""",
    "script": "echo hello",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("programs")
    found.chmod(0o755)
    for name, text in PROGRAMS.items():
        (found / name).write_text(text)
    return found


@pytest.fixture(scope="module")
def empty(spare_for_all, folder):
    """A lab that `labctl run` has started: the first program of it is srv."""
    lab = spare_for_all("run")
    got = lab.ok("run", "--name", "srv", "--", "python3", "server.py", cwd=folder, timeout=300)
    assert f"no lab of that name is there: {lab.name} is started, an empty one" in got.stderr
    assert got.stdout.startswith(f"srv  {lab.address('srv')}  listens on 0.0.0.0:9000/tcp (")
    return lab


def failing(lab, folder, *command: str) -> list[str]:
    """What is said, line by line, of a run that must fail."""
    got = lab.run("run", *command, cwd=folder)
    assert (got.returncode, got.stdout) == (1, ""), got
    assert 'Traceback (most recent call last):\n  File "/work' not in got.stderr
    return got.stderr.splitlines()


@pytest.mark.turn(1)
def test_a_client_gets_its_answer_and_is_held_in(empty, folder):
    found = empty.json("run", "--env", "WHO=me", "--memory", "64m", "--", "python3", "client.py", cwd=folder)
    assert (found["node"], found["state"], found["exit_code"]) == ("client", "done", 0)
    assert found["lines"] == ["hello from the client", "10001 1 me", "Read-only file system"]
    made = empty.container("client").attrs
    limits = made["HostConfig"]
    assert (limits["CapDrop"], limits["CapAdd"], limits["Privileged"]) == (["ALL"], None, False)
    assert (limits["ReadonlyRootfs"], limits["Memory"], limits["PidsLimit"]) == (True, 64 << 20, 256)
    assert limits["SecurityOpt"] == ["no-new-privileges:true"]
    assert limits["LogConfig"]["Config"] == {"max-size": "20m", "max-file": "3"}


@pytest.mark.turn(1)
def test_the_keyboard_and_the_journal_of_a_program_without_a_contract(empty, folder):
    empty.ok("run", "--no-wait", "--", "python3", "typed.py", cwd=folder)
    empty.ok("send", "typed", "one")
    empty.ok("attach", "typed", input="two\n")
    until(lambda: "to stderr two" in empty.ok("logs", "typed").stdout, "both lines")
    lines = [line.split(maxsplit=2)[1:] for line in empty.ok("logs", "typed").stdout.splitlines()]
    assert sorted(lines) == [
        ["typed", "log       you typed one"],
        ["typed", "log       you typed two"],
        ["typed", "stderr    to stderr one"],
        ["typed", "stderr    to stderr two"],
    ]


@pytest.mark.turn(1)
@pytest.mark.parametrize(
    ("command", "said", "mend"),
    [
        (["python3", "servr.py"], "servr ended with exit status 2; ", "there is no servr.py in "),
        (["python3", "twice.py"], "twice ended with exit status 1; ", "it binds one port twice"),
        (["python3", "myself.py"], "myself ended with exit status 1; ", "gethostname() are that host itself: name"),
        (["python3", "nobody.py"], "nobody ended with exit status 1; ", "names that are known here: "),
        (["no-such-command"], "no-such-command ended with exit status 127; ", "has no command no-such-command"),
        (
            ["--memory", "32m", "python3", "memory.py"],
            "memory ended with exit status ",
            "it needed more than its 32 MiB",
        ),
        (["./script"], "./script can't run: it is not executable for the host (mode 644)", "chmod a+rx "),
        (["script"], "script can't run: ", "`./script` is the file here"),
        (["--folder", "nowhere", "./script"], "the folder nowhere can't be had: No such file", "--folder names"),
        (["--name", "srv", "python3", "server.py"], "srv is there already: a program that runs", "--replace"),
        (["--name", "S", "python3", "server.py"], "'S' is no name for a host", "--name takes"),
        (["--ready", "x", "--timeout", "0.5", "python3", "server.py"], "server is not ready within 0.5 s", "--timeout"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_what_goes_wrong_is_told_with_what_to_do(empty, folder, command, said, mend):
    first, *rest = failing(empty, folder, *command)
    assert first.startswith(f"labctl: {said}")
    assert mend in rest[-1] if rest else mend in first


def test_who_listens_on_loopback_alone_is_warned(empty, folder):
    got = empty.ok("run", "--listen", "9000", "--", "python3", "loopback.py", cwd=folder)
    assert "note: loopback listens on 127.0.0.1:9000 alone, where nobody outside this host can reach it" in got.stderr


def test_a_flood_leaves_the_newest_lines_and_says_so(empty, folder):
    empty.ok("run", "--ready", "flooded", "--timeout", "60", "--", "python3", "flood.py", cwd=folder, timeout=90)
    first, *_, last = empty.ok("logs", "flood", timeout=90).stdout.splitlines()
    assert "missing   the oldest part of this journal may be gone, and the log keeps 60 MB" in first
    assert last.endswith("flooded")
    empty.ok("rm", "flood")


def test_children_of_a_program_go_with_it(empty, folder):
    empty.ok("run", "--", "python3", "forks.py", cwd=folder)
    code = 'import socket; print(socket.create_connection(("forks", 9000)).recv(100))'
    assert "of a child" in empty.ok("exec", "srv", "python3", "-c", code).stdout
    empty.ok("stop", "forks")
    assert empty.container("forks").attrs["State"]["Pid"] == 0


def test_its_packets_system_calls_and_faults_are_those_of_any_node(empty, folder):
    empty.ok("run", "--name", "caller", "--", "python3", "client.py", cwd=folder)
    for command in (["restart", "caller"], ["run", "--name", "caller", "--", "python3", "client.py"]):
        drawn = empty.ok("trace", "--", *command, cwd=folder, timeout=90).stdout
        assert re.search(r"── SYN  seq 0 .* ms\n", drawn), drawn  # seen at both ends, though the client has ended
        assert '"from the client"' in drawn
        assert '"hello from the client"' in drawn
    assert "9000" in empty.ok("sockets", "srv").stdout
    empty.ok("run", "--no-wait", "--name", "fellow", "--", "python3", "typed.py", cwd=folder)
    empty.ok("fault", "drop", "srv:fellow", "tcp syn")
    assert empty.ok("rm", "fellow").stderr == "fellow is removed\n"
    assert empty.json("fault", "ls")["faults"] == []
    assert "fellow" not in empty.containers()


def test_a_changed_file_starts_it_again_in_its_place(empty, tmp_path):
    tmp_path.chmod(0o755)
    file = tmp_path / "page.py"
    listens = '; import socket; s = socket.create_server(("", {})); s.accept()\n'
    file.write_text('print("first")' + listens.format(8000))
    child = empty.begin("run", "--watch", "--", "python3", "page.py", cwd=tmp_path)
    read_until(child.stderr, b"watching ")
    before = empty.container("page").id, empty.address("page")
    file.write_text('print("second")' + listens.format(8001))
    read_until(child.stderr, b"page.py changed: starting page again\npage runs again (")
    read_until(child.stdout, b"second\n")
    file.write_text("no python\n")
    read_until(child.stderr, b"page ended with exit status 1")
    file.write_text('print("third")' + listens.format(8002))
    read_until(child.stderr, b"page runs again (")
    os.killpg(child.pid, signal.SIGINT)
    got = finish(child)
    assert (got.returncode, got.stdout) == (130, "third\n")
    assert "page goes on, and is watched no more" in got.stderr
    assert (empty.container("page").id, empty.address("page")) == before
    [status] = [node for node in empty.json("ps")["nodes"] if node["node"] == "page"]
    assert [one["port"] for one in status["listening"]] == [8002]


def test_a_compiled_program_of_this_machine_runs(empty, tmp_path):
    tmp_path.chmod(0o755)
    shutil.copy(shutil.which("true") or "/bin/true", tmp_path / "yes")
    (tmp_path / "yes").chmod(0o755)
    assert empty.json("run", "--", "./yes", cwd=tmp_path)["state"] == "done"


def test_the_last_one_takes_an_empty_lab_with_it(spare, folder):
    lab = spare("run-last")
    lab.ok("run", "--no-wait", "--", "python3", "server.py", cwd=folder)
    lab.ok("run", "--no-wait", "--", "python3", "typed.py", cwd=folder)
    assert lab.refused("rm", "server", "nobody") == f"there is no node nobody in the lab {lab.name}"
    said = lab.ok("rm", "server", "typed").stderr
    assert said == f"server, typed are removed; nothing else was in {lab.name}, which is down\n"
    assert lab.labelled() == []


def test_up_and_compose_leave_it_alone(lab, folder):
    lab.ok("run", "--name", "extra", "--", "python3", "server.py", cwd=folder)
    before = lab.container("extra").id
    try:
        code = 'import socket; s = socket.create_connection(("extra", 9000)); s.send(b"alice"); print(s.recv(100))'
        assert lab.ok("exec", "alice", "python3", "-c", code).stdout == "b'hello alice'\n"
        found = {node["node"]: node for node in lab.json("plan")["nodes"]}
        assert (found["extra"]["change"], found["extra"]["why"]) == ("keep", "`labctl run` made it")
        assert "extra" in lab.ok("up", timeout=120).stdout
        assert lab.container("extra").id == before
        refused = lab.refused("run", "--name", "alice", "--", "python3", "server.py", cwd=folder)
        assert refused == "alice is there already: a node of the topology"
        assert lab.refused("rm", "alice") == "alice is a node of the topology, and no program that `labctl run` made"
        assert json.loads(lab.ok("ls", "--json").stdout)
    finally:
        lab.ok("rm", "extra")


def test_a_project_of_plain_compose_can_have_one(spare, folder, tmp_path, empty):
    lab = spare("run-compose")
    (tmp_path / "compose.yaml").write_text(
        "services: {one: {image: labctl/program, command: [sleep, '1000'], init: true}}"
    )
    compose = [shutil.which("docker") or "docker", "compose", "-p", lab.name, "-f", str(tmp_path / "compose.yaml")]

    def plain(*words: str) -> subprocess.CompletedProcess[str]:
        got = run_command([*compose, *words], timeout=100)
        assert got.returncode == 0, got
        return got

    plain("up", "-d")
    try:
        lab.ok("run", "--name", "srv", "--", "python3", "server.py", cwd=folder)
        before = lab.container("srv").id
        plain("up", "-d")
        assert lab.container("srv").id == before
        assert [node["node"] for node in lab.json("ps")["nodes"]] == ["one", "srv"]
        lab.ok("down", lab.name)
        assert list(lab.containers()) == ["one"]
    finally:
        plain("down", "-t", "0")
