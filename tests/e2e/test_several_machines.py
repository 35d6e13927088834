"""One lab over three machines: everything works as on one, and a machine that is gone is named."""

import json
import os
import subprocess

import pytest
from outside import run, until

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
def lab(hosts):
    found = There(hosts)
    found.ok("up", "hello", "--hosts", "a,b,c", "--place", "alice=a", "--place", "bob=b", "--place", "client=c")
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


def test_what_cannot_be_over_machines_is_refused(hosts):
    other = There({**hosts, "LABCTL_LAB": "other"})
    assert "can't have IPv6 over several machines" in other.run("up", "dual-stack", "--hosts", "a,b").stderr
    assert "there is no machine d" in other.run("up", "--hosts", "a,d").stderr
    assert "alicf" in other.run("up", "--hosts", "a,b", "--place", "alicf=a").stderr
    assert other.run("ps").returncode == 1
    assert os.environ.get("LABCTL_HOSTS") is None
