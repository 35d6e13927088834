"""Nodes hold no privileges: asked of Docker, of each node's own kernel, and tried."""

import http.client
import json
import shutil
import socket
from pathlib import Path

import pytest
from executing import execute
from outside import ROOT, Lab, begin_command, read_until, run_command

NODES = ("alice", "bob", "client", "echo", "udp1", "udp2", "web")


def inside(container, *command: str) -> tuple[int, str]:
    done = execute(container.id, *command)
    return done.status, done.out + done.err


@pytest.fixture(params=NODES)
def node(lab, request):
    return lab.container(request.param)


def status_of(node) -> dict[str, str]:
    """/proc/1/status of the node's program (proc(5))."""
    status, said = inside(node, "cat", "/proc/1/status")
    assert status == 0, said
    return dict(line.split(":\t", 1) for line in said.splitlines())


def test_program_is_not_root_and_has_no_capabilities(node):
    found = status_of(node)
    # Real, effective, saved and filesystem user; the same of groups.
    assert set(found["Uid"].split()) == {"10001"}
    assert set(found["Gid"].split()) == {"10001"}
    for capabilities in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(found[capabilities], 16) == 0, capabilities
    assert found["NoNewPrivs"] == "1"
    assert found["Seccomp"] == "2", "a filter of system calls is in force"


def test_root_filesystem_is_read_only(node):
    for place in ("/x", "/opt/x", "/opt/node/x", "/tmp/x", "/etc/x", "/var/x"):
        status, said = inside(node, "touch", place)
        assert status != 0
        assert "Read-only file system" in said, said
    node.reload()
    mounts = Path(f"/proc/{node.attrs['State']['Pid']}/mounts").read_text().splitlines()
    root = next(line.split() for line in mounts if line.split()[1] == "/")
    assert "ro" in root[3].split(",")
    assert inside(node, "touch", "/dev/shm/x")[0] == 0, "the one place that it may write to"


def test_not_even_root_gets_anywhere(node):
    """`docker exec -u 0` is a root without capabilities, on the same read-only system."""
    status, text, _ = execute(node.id, "sh", "-c", "exec 2>&1; id -u; touch /x; mount -t tmpfs x /mnt", user="0")
    assert status != 0
    assert text.startswith("0\n"), (status, text)
    assert "Read-only file system" in text
    assert "permission denied" in text.lower() or "must be superuser" in text.lower(), text


def test_engine_was_asked_for_no_privileges(node):
    host = node.attrs["HostConfig"]
    assert host["Privileged"] is False
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert host["ReadonlyRootfs"] is True
    assert any(option.startswith("no-new-privileges") for option in host["SecurityOpt"])
    for namespace in ("NetworkMode", "PidMode", "IpcMode", "UTSMode", "UsernsMode"):
        assert not host[namespace].startswith(("host", "container:")), namespace
    assert not host["Devices"]
    assert not host["Binds"]
    assert node.attrs["Mounts"] == [], "no Docker socket, and nothing else of this machine"


def test_limits_are_in_force(node):
    host = node.attrs["HostConfig"]
    assert 0 < host["Memory"] <= 128 << 20
    assert host["PidsLimit"] == 64
    # What the kernel has made of it, in either version of control groups.
    script = "cat /sys/fs/cgroup/pids.max 2>/dev/null || cat /sys/fs/cgroup/pids/pids.max"
    assert inside(node, "sh", "-c", script) == (0, "64\n")
    script = "cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes"
    assert inside(node, "sh", "-c", script) == (0, f"{host['Memory']}\n")


def test_docker_socket_is_not_there(node):
    status, said = inside(node, "find", "/run", "/var/run/", "-name", "docker*")
    assert said == "", f"{status}: {said}"


def test_ports_are_published_on_loopback_only(lab):
    published = {
        (name, port): [found["HostIp"] for found in bound]
        for name, container in lab.containers().items()
        for port, bound in container.attrs["NetworkSettings"]["Ports"].items()
        if bound
    }
    assert published == {("web", "8080/tcp"): ["127.0.0.1"]}
    port = lab.published("web", 8080)[1]
    with socket.socket() as elsewhere:
        # Whoever listens on all addresses would hold this one as well.
        elsewhere.bind(("127.0.0.2", port))


FORK = """
import os, sys
children = []
read, write = os.pipe()
try:
    while len(children) < 500:
        child = os.fork()
        if child == 0:
            os.close(write)
            os.read(read, 1)
            os._exit(0)
        children.append(child)
except BlockingIOError:
    pass
print(len(children))
os.close(write)
for child in children:
    os.waitpid(child, 0)
"""


def test_processes_are_limited_and_the_node_survives(lab):
    made = int(lab.ok("exec", "udp2", "--", "python3", "-c", FORK).stdout)
    assert 10 < made < 64
    lab.ok("udp", "send", "udp1", "udp2", "still here")


def test_memory_is_limited_and_the_node_survives(lab):
    """The kernel ends the greedy process and not the node's program, which is far smaller."""
    greedy = lab.run("exec", "udp1", "--", "python3", "-c", "x = bytearray(200 << 20); print(len(x))")
    assert (greedy.returncode, greedy.stdout) == (137, ""), greedy
    lab.ok("udp", "send", "udp2", "udp1", "still here")
    assert {node["node"] for node in lab.json("ps")["nodes"] if node["out_of_memory"]} == {"udp1"}
    lab.ok("restart", "udp1")
    assert not any(node["out_of_memory"] for node in lab.json("ps")["nodes"])


def test_helpers_leave_nothing_privileged_behind(own_lab, engine):
    """Only probes and routers may hold more, and the default lab has neither."""
    mine = engine.containers.list(all=True, filters={"label": f"dev.labctl.lab={own_lab.name}"}, ignore_removed=True)
    assert sorted(own_lab.containers()) == sorted(NODES)
    assert len(mine) == len(NODES)


@pytest.fixture
def plain(engine, spare, debian):
    """The default lab by plain `docker compose`, without labctl, where the other one leaves room."""
    lab = spare("plain")
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    taken = {
        pool["Subnet"] for network in engine.networks.list() for pool in network.attrs["IPAM"]["Config"] or [] if pool
    }
    net = next(f"10.78.{number}" for number in range(256) if f"10.78.{number}.0/24" not in taken)
    variables = {"LABCTL_DEBIAN": debian, "LABCTL_NET": net, "LABCTL_PORT": str(port)}
    compose = [shutil.which("docker") or "docker", "compose", "-f", str(ROOT / "compose.yaml"), "-p", lab.name]
    up = run_command([*compose, "up", "-d", "--wait"], timeout=280, **variables)
    try:
        assert up.returncode == 0, up
        yield lab, net, port
    finally:
        down = run_command([*compose, "down", "-v"], timeout=120, **variables)
        assert down.returncode == 0, down


def test_plain_compose_brings_the_default_lab_up(plain):
    lab, net, port = plain
    containers = lab.containers()
    assert sorted(containers) == sorted(NODES)
    for name, container in containers.items():
        assert container.attrs["State"]["Health"]["Status"] == "healthy", name
        assert "dev.labctl.lab" not in container.labels
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", "/")
    assert connection.getresponse().read() == b"Hello World, Michael!\n"
    connection.close()
    assert lab.address("bob") == f"{net}.6"
    assert_chat_by_docker_attach(lab)
    # labctl works on it, as on any Compose project, though it did not make it; `down` is not its business.
    said = lab.json("chat", "send", "bob", "through labctl")
    assert (said["from"], said["to"], said["local"][0]) == ("bob", "alice", f"{net}.6")
    assert {node["state"] for node in lab.json("ps")["nodes"]} == {"ready"}
    lab.refused("down")
    assert sorted(lab.containers()) == sorted(NODES)


def assert_chat_by_docker_attach(lab: Lab) -> None:
    with lab.journal("alice", "bob") as journal:
        person = begin_command(["docker", "attach", "--sig-proxy=false", lab.container("bob").id])
        person.stdin.write(b"hello, Alice\n")
        person.stdin.flush()
        assert journal.wait("alice", "message")["text"] == "hello, Alice"
        read_until(person.stdout, b'"text":"hello, Alice"')
        person.kill()
        person.wait(10)


@pytest.fixture(scope="module")
def host_lab(spare_for_all, tmp_path_factory):
    """Somebody's Compose file with nodes on the machine's own network and process table, and one beside."""
    lab, file = spare_for_all("host"), tmp_path_factory.mktemp("host") / "compose.yaml"
    plain = {"image": "labctl/udp-peer", "stdin_open": True}
    services = {"a": plain | {"network_mode": "host", "environment": {"PORT": "45005"}}, "b": plain | {"pid": "host"}}
    file.write_text(json.dumps({"services": services | {"c": plain}}))
    lab.ok("up", str(file), "--lab", lab.name)
    return lab


@pytest.mark.parametrize(
    "words", [("capture", "a", "--last", "1s"), ("ping", "a", "127.0.0.1"), ("sockets", "a"), ("route", "a")]
)
def test_nothing_is_done_to_the_machines_own_network(host_lab, words):
    assert host_lab.refused(*words) == "a has no network of its own, but this machine's (network_mode: host)"


def test_no_process_of_the_machine_is_traced(host_lab):
    said = host_lab.refused("syscalls", "b")
    assert said == "b has no process table of its own, but this machine's (pid: host)"


def test_all_nodes_are_those_with_a_network_of_their_own(host_lab):
    host_lab.ok("capture", "--last", "1s")
    helpers = sorted(name for name in host_lab.labelled() if name.endswith(("-capture", "-processes")))
    assert helpers == [f"{host_lab.name}-b-capture", f"{host_lab.name}-c-capture"]
