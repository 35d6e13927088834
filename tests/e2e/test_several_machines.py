"""One lab over three machines: everything works as on one, and a machine that is gone is named."""

import contextlib
import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from outside import begin, finish, read_until, run, until

pytestmark = [pytest.mark.machines, pytest.mark.turn(2)]
LAB = "apart"


@pytest.fixture(scope="module")
def hosts(machines, tmp_path_factory):
    """Three machines in one swarm that labctl knows, by the variables that it has to be run with."""
    machines.apart()
    config = tmp_path_factory.mktemp("config")
    variables = {"XDG_CONFIG_HOME": str(config), "LABCTL_LAB": LAB}
    for name, machine in zip("abc", machines, strict=True):
        assert run("hosts", "add", name, machine.plain, **variables).returncode == 0
    joined = run("hosts", "join", "a", "b", "c", **variables)
    assert joined.returncode == 0, joined
    yield variables
    machines.apart()


class There:
    """The lab."""

    def __init__(self, variables):
        self.variables = variables

    def run(self, *arguments, **more):
        return run(*arguments, **{**self.variables, **more})

    def ok(self, *arguments, **more):
        done = self.run(*arguments, **more)
        assert done.returncode == 0, f"labctl {arguments}: {done}"
        return done.stdout

    def json(self, *arguments):
        end = arguments.index("--") if "--" in arguments else len(arguments)
        return json.loads(self.ok(*arguments[:end], "--json", *arguments[end:]))

    @property
    def places(self):
        return {node["node"]: node["machine"] for node in self.json("ps")["nodes"]}


@pytest.fixture(scope="module")
def lab(hosts, machines):
    found = There(hosts)
    up = found.run("up", "hello", "--hosts", "a,b,c", "--place", "alice=a", "--place", "bob=b", "--place", "client=c")
    assert up.returncode == 0, f"{up}\n{machines.facts()}"
    yield found
    assert found.run("down").returncode == 0


def leftovers(machine):
    """What a machine has of the lab."""
    wanted = f"label=dev.labctl.lab={LAB}"
    kinds = (("ps", "--all"), ("network", "ls"), ("volume", "ls"))
    return [machine.docker(*kind, "--quiet", "--filter", wanted) for kind in kinds]


def test_nodes_are_where_they_were_asked_to_be(lab, machines):
    there = lab.places
    assert (there["alice"], there["bob"], there["client"]) == ("a", "b", "c")
    assert {len([1 for place in there.values() if place == name]) for name in "abc"} <= {2, 3}
    for machine, name in zip(machines, "abc", strict=True):
        mine = machine.docker("ps", "--format", "{{.Label `dev.labctl.node`}}").split()
        assert set(mine) == {node for node, place in there.items() if place == name}
    assert {node["state"] for node in lab.json("ps")["nodes"]} == {"ready"}
    assert next(one for one in lab.json("ls")["labs"] if one["lab"] == LAB)["machines"] == ["a", "b", "c"]


def test_what_is_typed_on_one_machine_arrives_on_another(lab):
    sent = lab.json("chat", "send", "alice", "over the underlay")
    assert sent["text"] == "over the underlay"
    assert lab.json("echo", "send", "client", "hello")["answer"] == "hello"
    assert "Hello World" in lab.ok("http", "get", "web", "/", "--from", "client")
    assert "received 3, lost 0" in lab.ok("ping", "alice", "bob")


def test_both_ends_of_a_lost_segment(lab):
    rule = lab.json("fault", "drop", "alice:bob", "tcp data 1")["id"]
    drawn = lab.ok("trace", "--", "chat", "send", "alice", "lost once")
    assert f"lost: dropped by {rule}" in drawn
    assert "retransmission by timeout" in drawn
    assert "a and b are machines with clocks of their own" in drawn
    assert "done" in lab.ok("fault", "ls")
    lab.ok("fault", "clear", "--all")


def test_an_xray_has_both_machines_calls(lab):
    deep = lab.ok("trace", "--xray", "--", "chat", "send", "bob", "deeply")
    assert "sendto(" in deep
    assert "recvfrom(" in deep
    assert deep.index("sendto(") < deep.index("recvfrom(")


def test_a_partition_is_on_both_machines_and_heals(lab):
    lab.ok("partition", "alice", "bob")
    rules = lab.json("fault", "ls")["faults"]
    assert {(rule["link"], rule["state"]) for rule in rules} == {("alice:bob", "in force"), ("bob:alice", "in force")}
    assert lab.run("ping", "alice", "bob", "--count", "1").returncode == 1
    lab.ok("heal")
    assert "lost 0" in lab.ok("ping", "alice", "bob")


def test_journals_are_one_and_say_how_exact_their_order_is(lab):
    done = lab.run("logs")
    assert done.returncode == 0
    assert "a, b, c have clocks of their own" in done.stderr
    assert {"alice", "bob", "client", "web"} <= {line.split()[1] for line in done.stdout.splitlines()}


def test_a_program_is_sent_to_its_machine(lab, tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "server.py").write_text(
        "import socket\n"
        "with socket.create_server(('', 9000)) as server:\n"
        "    while True:\n"
        "        peer, _ = server.accept()\n"
        "        peer.sendall(b'from afar')\n"
        "        peer.close()\n"
    )
    lab.ok("run", "--name", "srv", "--folder", str(tmp_path), "--host", "c", "--", "python3", "server.py")
    assert lab.places["srv"] == "c"
    asked = "import socket; print(socket.create_connection(('srv', 9000)).recv(99))"
    assert "from afar" in lab.ok("exec", "client", "--", "python3", "-c", asked)
    written = lab.run("exec", "srv", "--", "sh", "-c", "echo x > server.py")
    assert written.returncode != 0
    lab.ok("rm", "srv")


def test_a_second_up_changes_nothing_and_another_place_moves_one_node(lab):
    before = {node["node"]: node["container"] for node in lab.json("ps")["nodes"]}
    lab.ok("up", "hello")
    assert {node["node"]: node["container"] for node in lab.json("ps")["nodes"]} == before
    assert not [node for node in lab.json("plan", "hello")["nodes"] if node["change"] != "keep"]
    lab.ok("up", "hello", "--place", "udp1=c", "--hosts", "a,b,c")
    after = {node["node"]: node["container"] for node in lab.json("ps")["nodes"]}
    assert {node for node in after if after[node] != before[node]} <= {"udp1"}
    assert lab.places["udp1"] == "c"


def test_a_machine_that_is_gone_is_named_and_the_next_down_finishes(lab, machines):
    c = machines[2]
    subprocess.run(["docker", "pause", c.name], check=True, timeout=60)
    try:
        seen = lab.run("ps", LABCTL_ENGINE_LIMIT="3")
        assert "warning: c does not answer" in seen.stderr
        assert "alice" in seen.stdout
        refused = lab.run("up", "hello", LABCTL_ENGINE_LIMIT="3")
        assert (refused.returncode, "c does not answer" in refused.stderr) == (1, True)
        down = lab.run("down", LABCTL_ENGINE_LIMIT="3")
        assert down.returncode == 1
        assert f"c did not answer, and may still have a part of {LAB}" in down.stderr
        assert [leftovers(machine)[0] for machine in machines[:2]] == ["", ""]
    finally:
        subprocess.run(["docker", "unpause", c.name], check=True, timeout=60)
    assert leftovers(c)[0]
    until(lambda: lab.run("down", LAB).returncode == 0, "the next one finishes")
    for machine in machines:
        assert leftovers(machine) == ["", "", ""]
    lab.ok("up", "hello", "--hosts", "a,b,c")


@pytest.mark.turn(3)
def test_a_lesson_is_played_on_it(lab):
    played = lab.run("lesson", "run", "layers", "--yes", "--lab", LAB, timeout=200)
    assert (played.returncode, "That was Layers" in played.stdout) == (0, True), played


@contextlib.contextmanager
def page_of(lab):
    """What the page of the lab answers: `ask(path, body)`."""
    child = begin("page", "--json", **lab.variables)
    try:
        address, _, token = json.loads(read_until(child.stdout, b"\n", 60))["url"].partition("#token=")

        def ask(path, body=None):
            headers = {"x-labctl-token": token, "origin": address.rstrip("/"), "content-type": "application/json"}
            given = None if body is None else json.dumps(body).encode()
            request = urllib.request.Request(address.rstrip("/") + path, given, headers)
            return urllib.request.urlopen(request, timeout=60)

        yield ask
    finally:
        child.terminate()
        finish(child)


@pytest.mark.turn(3)
def test_the_page_shows_it_and_types_at_it_and_a_saved_run_knows_the_machines(lab, tmp_path):
    with page_of(lab) as ask, ask("/api/stream") as stream:
        whole = next(line for line in stream if line.startswith(b"data: "))
        there = {node["name"]: node["machine"] for node in json.loads(whole[6:])["topology"]["nodes"]}
        assert there == lab.places
        ask("/api/act/type", {"node": "alice", "text": "typed at a page"}).read()
        # Its packet, and what bob makes of it.
        seen = b""
        for line in stream:
            seen += line
            if b"have clocks of their own" in whole + seen and seen.count(b"typed at a page") > 1 and b'"bob"' in seen:
                break
    lab.ok("save", str(tmp_path / "apart.labrun"))
    saved = There({**lab.variables, "LABCTL_LAB": None})
    graph = saved.json("graph", "--run", str(tmp_path / "apart.labrun"))
    assert {node["node"]: node["machine"] for node in graph["nodes"]} == there
    drawn = saved.json("ladder", "alice", "bob", "--run", str(tmp_path / "apart.labrun"))
    assert drawn["clock_error_ns"] > 0
    assert any("have clocks of their own" in note for note in drawn["notes"])


@pytest.mark.turn(3)
def test_tests_with_pytest_run_on_it(hosts, tmp_path):
    (tmp_path / "two.yaml").write_text(
        "name: two\n"
        "services:\n"
        "  store: {image: labctl/echo-server, networks: [lab]}\n"
        "  asks: {image: labctl/echo-client, networks: [lab], stdin_open: true, environment: {TARGET: 'store:7'}}\n"
        "networks: {lab: }\n"
    )
    (tmp_path / "test_it.py").write_text(
        "import pytest\n\n\n"
        "@pytest.mark.lab('two.yaml', record=True)\n"
        "def test_loss(lab):\n"
        "    assert len({one.container.machine for one in lab.snapshot().nodes}) == 2\n"
        "    with lab.link('asks:store').drop('tcp data 1'):\n"
        "        lab.node('asks').send('hi', timeout=20)\n"
        "    assert (lab.wire('asks', 'store').lost, lab.wire('asks', 'store').retransmissions) == (1, 1)\n"
    )
    variables = {"LABCTL_HOSTS": "a,b", "XDG_CONFIG_HOME": hosts["XDG_CONFIG_HOME"]}
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("PYTEST", "LABCTL"))}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py"],
        cwd=tmp_path,
        env={**environment, **variables},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert (done.returncode, "1 passed" in done.stdout) == (0, True), done


def test_programs_alone_are_on_machines_as_well(hosts, tmp_path):
    tmp_path.chmod(0o755)
    (tmp_path / "far.py").write_text("import signal\nprint('here', flush=True)\nsignal.pause()\n")
    alone = There({**hosts, "LABCTL_LAB": "alone", "LABCTL_HOSTS": "b,c"})
    begun = alone.run("run", "--ready", "here", "--folder", str(tmp_path), "--", "python3", "far.py")
    assert (begun.returncode, "an empty one on b, c" in begun.stderr) == (1, False), begun
    assert "managers" in begun.stderr
    one = There({**hosts, "LABCTL_LAB": "alone"})
    begun = one.run("run", "--host", "b", "--ready", "here", "--folder", str(tmp_path), "--", "python3", "far.py")
    assert (begun.returncode, "an empty one on b" in begun.stderr) == (0, True), begun
    assert one.places == {"far": "b"}
    elsewhere = one.run("run", "--host", "a", "--name", "x", "--folder", str(tmp_path), "--", "python3", "far.py")
    assert (elsewhere.returncode, "the lab is on b" in elsewhere.stderr) == (1, True)
    one.ok("rm", "far")
    assert one.run("ps").returncode == 1


def test_up_looks_at_the_ports_before_anything_starts(hosts, machines):
    """A way that is cut is named; nothing was made, and once it is open again it is looked at anew."""
    (Path(hosts["XDG_CONFIG_HOME"]) / "labctl" / "ports.json").unlink(missing_ok=True)
    other = There({**hosts, "LABCTL_LAB": "closed"})
    cut = ["-p", "udp", "--dport", "4789", "-s", machines[0].address, "-j", "DROP"]
    machines[1].run("iptables", "-I", "INPUT", *cut)
    try:
        refused = other.run("up", "line:2", "--hosts", "a,b", timeout=120)
    finally:
        machines[1].run("iptables", "-D", "INPUT", *cut)
    assert refused.returncode == 1, refused
    # Over a network of the swarm, what is asked and what comes back both pass there.
    assert "no lab over several machines can be on a: 4789/udp to or from b: closed" in refused.stderr
    for machine in machines:
        assert machine.docker("ps", "--all", "--quiet", "--filter", "label=dev.labctl.lab=closed") == ""


def test_what_cannot_be_over_machines_is_refused(hosts):
    other = There({**hosts, "LABCTL_LAB": "other"})
    assert "can't have IPv6 over several machines" in other.run("up", "dual-stack", "--hosts", "a,b").stderr
    assert "there is no machine d" in other.run("up", "--hosts", "a,d").stderr
    assert "alicf" in other.run("up", "--hosts", "a,b", "--place", "alicf=a").stderr
    assert other.run("ps").returncode == 1
    assert os.environ.get("LABCTL_HOSTS") is None
