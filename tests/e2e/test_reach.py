"""ping, route and dns from outside, against what Docker, the kernel's counters and the nodes' own resolver say."""

import json
import signal
import socket
import struct

import pytest
from executing import execute
from outside import end_group, finish, read_until

pytestmark = pytest.mark.turn(2)


def inside(lab, node: str, *command: str) -> str:
    done = execute(lab.container(node).id, *command)
    assert done.status == 0, done
    return done.out


def echo_requests(lab, node: str) -> int:
    """How many the node's kernel has received: the `Icmp` lines of /proc/net/snmp."""
    names, values = (
        line.split() for line in inside(lab, node, "cat", "/proc/net/snmp").splitlines() if "Icmp:" in line
    )
    return int(values[names.index("InEchos")])


def address_of(lab, node: str, network: str) -> str:
    return lab.container(node).attrs["NetworkSettings"]["Networks"][f"{lab.name}_{network}"]["IPAddress"]


def probes_of(lab) -> list:
    filters = {"label": [f"dev.labctl.lab={lab.name}", "dev.labctl.probe=reach"]}
    return lab.engine.containers.list(all=True, ignore_removed=True, filters=filters)


def test_each_request_reaches_the_other_kernel(lab):
    before = echo_requests(lab, "bob")
    found = lab.json("ping", "alice", "bob", "--count", "4", "--interval", "20ms", "--size", "1000")
    assert echo_requests(lab, "bob") == before + 4
    assert (found["node"], found["address"], found["owner"]) == ("alice", lab.address("bob"), "bob")
    assert [(item["seq"], item["kind"], item["from"], item["ttl"], item["bytes"]) for item in found["answers"]] == [
        (number, "reply", lab.address("bob"), 64, 1008) for number in (1, 2, 3, 4)
    ]
    summary, times = found["summary"], [item["rtt_ns"] for item in found["answers"]]
    assert (summary["sent"], summary["received"], summary["lost"]) == (4, 4, 0)
    assert (summary["min_ns"], summary["max_ns"]) == (min(times), max(times))
    assert min(times) > 0
    assert probes_of(lab) == []


def test_faults_show_in_a_ping(lab):
    lab.ok("fault", "add", "alice:bob", "--delay", "80ms")
    try:
        found = lab.json("ping", "alice", "bob", "--count", "2", "--interval", "10ms")
        assert all(80_000_000 <= item["rtt_ns"] < 200_000_000 for item in found["answers"])
        assert 70 < float(lab.ok("ping", "alice", "bob", "-c", "1").stdout.splitlines()[1].split()[1]) < 200
        lab.ok("fault", "clear", "--all")
        lab.ok("fault", "add", "alice:bob", "--loss", "100%")
        result = lab.run("ping", "alice", "bob", "-c", "2", "-i", "10ms", "--timeout", "0.3", "--json")
        seen = json.loads(result.stdout)
        assert (result.returncode, seen["error"]["code"]) == (1, "no-answer")
        assert [item["kind"] for item in seen["answers"]] == ["lost", "lost"]
        assert seen["summary"]["lost"] == 2
    finally:
        lab.ok("fault", "clear", "--all")


def test_a_name_leads_where_the_nodes_own_resolver_says(lab):
    own = inside(lab, "alice", "python3", "-c", "import socket; print(socket.gethostbyname('bob'))").strip()
    found = lab.json("dns", "alice", "bob", "--type", "a")
    (question,) = found["questions"]
    assert (question["rcode"], question["transport"], found["hosts"]) == ("NOERROR", "udp", [])
    assert [(item["value"], item["owner"]) for item in question["answers"]] == [(own, "bob")]
    assert own == lab.address("bob")
    shown = lab.ok("dns", "alice", own).stdout
    assert f"-bob-1.{lab.name}_lab" in shown
    assert shown.rstrip().endswith("  bob")


def test_refusals_name_what_is_wrong(lab):
    assert lab.refused("ping", "alise", "bob") == (f"there is no node alise in the lab {lab.name}; did you mean alice?")
    assert lab.refused("ping", "alice", "bob", "-6") == f"bob has no IPv6 address (it has: {lab.address('bob')})"
    assert lab.refused("route", "alice", "").startswith("TARGET: it is empty")
    assert lab.refused("ping", "alice", "a..b").startswith("alice can't resolve a..b: ")
    refused = lab.refused("dns", "alice", "echo", "--server", "bob", "--timeout", "1")
    assert refused == f"no name server answered alice about echo ({lab.address('bob')}: Connection refused)"
    assert lab.refused("dns", "alice", "bob", "--type", "MX") == "bob is there, and has no record of the type MX"
    assert (
        lab.refused("ping", "alice", "fd99::1")
        == "alice can't reach fd99::1: no route of alice leads there (ENETUNREACH)"
    )
    assert "no route of alice leads there" in lab.refused("route", "alice", "fd99::1")


def test_the_way_over_a_router(two_subnets):
    lab = two_subnets
    near, far = address_of(lab, "router", "left"), address_of(lab, "udp2", "right")
    found = lab.json("route", "client", "udp2")
    assert (found["address"], found["route"]["via"], found["route"]["owner"]) == (far, near, "router")
    assert [(hop["hop"], hop["from"], hop["owner"], hop["reached"]) for hop in found["hops"]] == [
        (1, near, "router", False),
        (2, far, "udp2", True),
    ]
    assert lab.json("ping", "client", "udp2", "-c", "1")["answers"][0]["ttl"] == 63
    told = lab.refused("ping", "client", "udp2", "-c", "1", "--ttl", "1")
    assert told == f"client can't reach udp2 ({far}): router ({near}) says: time exceeded: hops used up"


def test_the_routing_table_is_the_kernels(two_subnets):
    lines = [line.split() for line in inside(two_subnets, "client", "cat", "/proc/net/route").splitlines()[1:]]
    gateways = {socket.inet_ntoa(struct.pack("=I", int(line[2], 16))) for line in lines if line[1] == "00000000"}
    routes = [route for route in two_subnets.json("route", "client")["routes"] if route["family"] == 4]
    assert len(routes) == len(lines)
    assert {route["via"] for route in routes if route["destination"] == "default"} == gateways
    assert gateways == {address_of(two_subnets, "router", "left")}


def test_a_hop_that_says_nothing_is_a_star(two_subnets):
    two_subnets.ok("fault", "add", "router", "--loss", "100%")
    try:
        result = two_subnets.run("route", "client", "udp2", "--timeout", "0.1")
    finally:
        two_subnets.ok("fault", "clear", "--all")
    hops = [line.split()[:2] for line in result.stdout.splitlines()[2:]]
    assert hops == [[str(number), "*"] for number in range(1, 17)]
    assert result.returncode == 1


def test_the_hosts_file_comes_before_dns(two_subnets):
    """Docker's name server does not know echo there; what its file says does not hang on whether it answers."""
    found = two_subnets.json("dns", "client", "echo", "--type", "A", "--timeout", "0.5")
    address = address_of(two_subnets, "echo", "right")
    assert [(line["address"], line["owner"]) for line in found["hosts"]] == [(address, "echo")]
    assert "/etc/hosts, which comes before DNS" in two_subnets.ok("dns", "client", address, "--timeout", "0.5").stdout


def test_a_node_that_is_stopped(two_subnets):
    two_subnets.ok("stop", "udp1")
    try:
        for look in (
            ("ping", "udp1", "client"),
            ("route", "udp1"),
            ("dns", "udp1", "client"),
            ("ping", "client", "udp1"),
        ):
            assert two_subnets.refused(*look).startswith("udp1 exited (0) ")
    finally:
        two_subnets.ok("start", "udp1")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_ending_it_half_way(two_subnets, number, status):
    """A killed labctl can take nothing back; the helper carries the lab's label, so `down` does (see the fixture)."""
    child = two_subnets.begin("ping", "client", "router", "--count", "600", "--interval", "1s", "--timeout", "1")
    read_until(child.stdout, b"\n   1  ")
    assert len(probes_of(two_subnets)) == 1
    end_group(child, number)
    result = finish(child)
    assert result.returncode == status
    if number != signal.SIGKILL:
        assert probes_of(two_subnets) == []
        assert result.stdout.splitlines()[-1].startswith("sent 1, received 1, lost 0")
