"""Two nodes with one network, on a real engine: one host with two programs."""

import pytest
from outside import json_lines, read_until

pytestmark = pytest.mark.turn(2)

FILE = """
services:
  web:
    image: labctl/http-hello
    stdin_open: true
    networks: {lab: {}}
  beside:
    image: labctl/echo-server
    stdin_open: true
    network_mode: service:web
  client:
    image: labctl/echo-client
    stdin_open: true
    environment: {TARGET: "web:7"}
    networks: {lab: {}}
networks: {lab: {}}
"""


@pytest.fixture(scope="module")
def shared(spare_for_all, tmp_path_factory):
    file = tmp_path_factory.mktemp("shared") / "compose.yaml"
    file.write_text(FILE)
    lab = spare_for_all("shared")
    lab.file = file
    lab.ok("up", str(file), "--lab", lab.name, timeout=280)
    return lab


CONNECT = "import socket; s = socket.create_connection(('web', 7)); s.send(b'x'); s.recv(1); s.close()"


def ask(lab):
    return lab.json("echo", "send", "client", "hi", "--to", "web:7")


def test_one_host_with_two_programs(shared):
    nodes = {node["node"]: node for node in shared.json("ps")["nodes"]}
    assert nodes["beside"]["networks"] == nodes["web"]["networks"]
    assert nodes["beside"]["network_of"] == "web"
    drawn = shared.json("graph")["nodes"]
    assert [node["node"] for node in drawn] == ["client", "web+beside"] or [node["node"] for node in drawn][::-1]
    assert {node["node"]: node.get("members") for node in drawn} == {"client": None, "web+beside": ["web", "beside"]}
    planned = shared.json("plan", str(shared.file), "--lab", shared.name)
    assert {node["change"] for node in planned["nodes"]} == {"keep"}
    done = shared.json("trace", "--json", "--", "echo", "send", "client", "hi", "--to", "web:7", timeout=280)
    assert [{ladder["left"]["node"], ladder["right"]["node"]} for ladder in done["ladders"]] == [
        {"client", "web+beside"}
    ]
    assert "have one network" in shared.refused("ladder", "web", "beside")


def test_each_socket_is_shown_once_where_its_program_is(shared):
    ask(shared)
    found = shared.json("sockets", timeout=280)["sockets"]
    listening = {(item["local"][1], item["node"]) for item in found if item["state"] == "LISTEN" and item["pid"]}
    assert {(7, "beside"), (8080, "web")} <= listening
    ends = [(item["proto"], item["state"], *item["local"], *(item["peer"] or ())) for item in found]
    assert len(ends) == len(set(ends)), "no socket is there twice"
    assert {item["node"] for item in shared.json("sockets", "beside")["sockets"]} == {"beside"}


def test_who_comes_later_has_sockets_of_its_own(shared):
    """Its network's owner is recorded already, and goes on to be."""
    shared.run("syscalls", "client", timeout=280)  # the first time is an error: nothing was recorded until then
    late = "  late:\n    image: labctl/udp-peer\n    stdin_open: true\n    network_mode: service:client\n"
    shared.file.write_text(FILE.replace("\nnetworks: {lab", f"\n{late}networks: {{lab", 1))
    try:
        shared.ok("up", str(shared.file), "--lab", shared.name, timeout=280)
        found = [item for item in shared.json("sockets", timeout=280)["sockets"] if item["local"][1] == 5005]
        assert {item["node"] for item in found} == {"late"}
        shared.ok("syscalls", "client")
    finally:
        shared.file.write_text(FILE)
        told = shared.ok("up", str(shared.file), "--lab", shared.name, timeout=280).stderr
    assert "note: late is removed: the topology has it no more" in told


def test_one_rule_for_both(shared):
    done = shared.json("fault", "add", "beside:client", "--loss", "100%", timeout=280)
    assert done["links"] == ["web+beside:client"]
    shared.ok("fault", "add", "web", "--delay", "1ms")
    assert {rule["state"] for rule in shared.json("fault", "ls")["faults"]} == {"in force"}
    assert shared.run("ping", "web", "client", "--count", "1", "--timeout", "0.5").returncode == 1
    shared.ok("fault", "clear", "beside:client")
    shared.ok("ping", "beside", "client", "--count", "1")
    shared.ok("fault", "clear", "--all")


def test_a_new_network_is_one_for_both(shared):
    told = shared.ok("restart", "web").stderr
    assert "web is ready, and so is beside, on its network" in told
    shared.ok("exec", "client", "--", "python3", "-c", CONNECT)
    assert "beside" in shared.ok("stop", "web").stderr
    assert {node["state"] for node in shared.json("ps")["nodes"] if node["node"] != "client"} == {"exited"}
    assert "so labctl can't start beside, which has its network" in shared.refused("start", "beside")
    shared.ok("start", "web")
    shared.ok("exec", "client", "--", "python3", "-c", CONNECT)


def test_what_follows_says_when_it_has_begun(shared):
    """Whatever happens after the line is seen: there is no moment to wait for."""
    for command in (
        ["capture", "client"],
        ["ladder", "-f", "client", "beside"],
        ["sockets", "client", "--watch"],
        ["logs", "-f", "client"],
    ):
        child = shared.begin(*command, "--json", "--ready-fd", "2")
        read_until(child.stderr, b'"event": "ready"', 280)
        shared.ok("exec", "client", "--", "python3", "-c", CONNECT)
        shared.run("echo", "send", "client", "hi", "--to", "web:7")  # over an older connection, or not
        assert json_lines(read_until(child.stdout, b"\n").decode()), command
        child.terminate()
        child.wait(60)
