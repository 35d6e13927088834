"""Every built-in topology, proven by the traffic that it is for."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import docker
import pytest
from outside import finish, read_until, until

import labctl
from labctl.topology import builtin, generate

pytestmark = pytest.mark.turn(3)

TOPOLOGIES = Path(__file__).parents[2] / "topologies"


@pytest.fixture
def started(spare):
    """`started("nat")` brings a built-in topology up."""

    def start(name: str):
        lab = spare(name.replace(":", "-"))
        result = lab.run("up", name, "--lab", lab.name, timeout=280)
        assert result.returncode == 0, result
        return lab

    return start


def networks_of(lab, node: str) -> dict[str, tuple[str, str]]:
    """The node's addresses of both families by network, as Docker has them."""
    found = lab.container(node).attrs["NetworkSettings"]["Networks"]
    return {name.split("_")[-1]: (net["IPAddress"], net["GlobalIPv6Address"]) for name, net in found.items()}


@pytest.mark.turn(1)
def test_two_subnets_are_joined_by_a_router_that_takes_one_from_every_ttl(started):
    lab = started("two-subnets")
    assert set(networks_of(lab, "client")) == set(networks_of(lab, "udp1")) == {"left"}
    assert set(networks_of(lab, "echo")) == set(networks_of(lab, "udp2")) == {"right"}
    echoed = lab.json("echo", "send", "client", "over there?")
    assert echoed["answer"] == "over there?"
    assert echoed["local"][0] == networks_of(lab, "client")["left"][0]
    assert echoed["peer"] == [networks_of(lab, "echo")["right"][0], 7]
    assert lab.json("udp", "send", "udp1", "udp2", "hop")["peer"][0] == networks_of(lab, "udp2")["right"][0]
    assert lab.events("udp2", "recv", text="hop")[0]["ttl"] == 63
    # Without a router between, nothing is taken.
    lab.ok("exec", "udp2", "--", "python3", "-c", to_itself(5005))
    with lab.journal("udp2", whole=True) as journal:
        assert journal.wait("udp2", "recv", text="to myself")["ttl"] == 64
    # A node that starts again has a network namespace without routes; it gets them anew.
    lab.ok("restart", "client")
    assert lab.json("echo", "send", "client", "and now?")["answer"] == "and now?"


def to_itself(port: int) -> str:
    return (
        "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); "
        f"s.sendto(b'to myself', (socket.gethostbyname(socket.gethostname()), {port}))"
    )


def test_behind_nat_the_server_sees_the_router_and_a_rewritten_port(started):
    lab = started("nat")
    echoed = lab.json("echo", "send", "client", "who am I?")
    seen = lab.events("echo", "accept")[0]["peer"]
    assert seen[0] == networks_of(lab, "router")["outside"][0] != echoed["local"][0]
    assert 20000 <= seen[1] <= 29999
    assert seen[1] != echoed["local"][1]
    sent = lab.json("udp", "send", "udp1", "udp2", "a datagram, too")
    assert sent["seen_from"] == lab.events("udp2", "recv", text="a datagram, too")[0]["peer"]
    assert sent["seen_from"][0] == networks_of(lab, "router")["outside"][0]
    routers = {node["node"]: node["masquerades"] for node in lab.json("graph")["nodes"] if node["role"] == "router"}
    assert routers == {"router": "outside"}
    # From outside there is no way in.
    inside = networks_of(lab, "udp1")["inside"][0]
    before = len(lab.events("udp1", "recv"))
    knock = f"import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'knock', ('{inside}', 5005))"
    lab.ok("exec", "udp2", "--", "python3", "-c", knock)
    assert lab.json("udp", "send", "udp1", "udp2", "still there")["bytes"] == 11
    assert len(lab.events("udp1", "recv")) == before
    # Both sides of the router are matched, packet by packet, with what it made of the addresses.
    arrows = traced(lab, "client", "web", "http", "get", "web", "/", "--from", "client")
    assert {"SYN", "SYN, ACK", "PSH, ACK", "FIN, ACK"} <= {arrow["head"] for arrow in arrows}
    outside, behind = networks_of(lab, "router")["outside"][0], networks_of(lab, "client")["inside"][0]
    for arrow in arrows:
        assert arrow["fate"] == "delivered"
        assert arrow["rewritten"]["source" if arrow["from"] == "client" else "new_target"][0] == behind
        assert arrow["rewritten"]["new_source" if arrow["from"] == "client" else "target"][0] == outside
    # The same as it happens, whichever recorder tells first.
    assert set(followed(lab, "http", "get", "web", "/", "--from", "client")) == {("client", "web", "delivered")}


def followed(lab, *command: str) -> list[tuple[str, str, str]]:
    """The ends and the fate of each segment that comes while a command runs, until a connection's last."""
    stop, ready, found = labctl.Cancel(), threading.Event(), []

    def follow() -> None:
        for ladder in labctl.find(lab.name).follow(until=stop, ready=ready.set):
            drawn = ladder.drawn
            found.extend((drawn.left.name, drawn.right.name, one) for one in ladder.arrows if one.segment)

    with ThreadPoolExecutor(1) as pool:
        following = pool.submit(follow)
        try:
            assert ready.wait(60)
            lab.ok(*command)
            until(lambda: sum("FIN" in one.label.head for *_, one in found) >= 2, "both have closed")
        finally:
            stop.cancel()
        following.result(60)
    return [(left, right, one.fate) for left, right, one in found]


def traced(lab, a: str, b: str, *command: str) -> list[dict]:
    """The arrows between two nodes that a command causes, but for ARP and its like in IPv6."""
    [ladder] = lab.json("trace", "--node", a, "--node", b, "--", *command)["ladders"]
    assert {ladder["left"]["node"], ladder["right"]["node"]} == {a, b}
    return [arrow for arrow in ladder["arrows"] if arrow["packet"]["protocol"] not in ("arp", "icmp6")]


def test_dual_stack_hosts_are_reached_by_either_family(started):
    lab = started("dual-stack")
    ipv4, ipv6 = networks_of(lab, "echo")["lab"]
    for address, host in ((ipv4, ipv4), (ipv6, f"[{ipv6}]")):
        echoed = lab.json("echo", "send", "client", f"to {address}", "--to", f"{host}:7")
        assert echoed["peer"] == [address, 7]
        assert echoed["local"][0] == networks_of(lab, "client")["lab"][":" in address]
    assert lab.json("chat", "send", "alice", "hi")["to"] == "bob"
    page = lab.json("http", "get", "web", "--from", "client")
    assert page["status"] == 200


def test_ipv6_only_hosts_have_no_ipv4(started):
    lab = started("ipv6-only")
    for node in lab.json("ps")["nodes"]:
        assert all(":" in address for found in node["networks"].values() for address in found), node
    assert ":" in lab.json("echo", "send", "client", "six")["peer"][0]
    assert ":" in lab.json("udp", "send", "udp1", "udp2", "six")["local"][0]
    gateway = lab.container("client").attrs["NetworkSettings"]["Networks"][f"{lab.name}_lab"]["Gateway"]
    connect = f"import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).connect(('{gateway}', 9))"
    assert "Network is unreachable" in lab.run("exec", "client", "--", "python3", "-c", connect).stderr
    lab.ok("restart", "client")
    assert "Network is unreachable" in lab.run("exec", "client", "--", "python3", "-c", connect).stderr
    lab.ok("echo", "send", "client", "again")
    lab.ok("fault", "drop", "client:echo", "tcp data 1")
    lost, again, *_ = traced(lab, "client", "echo", "echo", "send", "client", "six and lost")
    assert (lost["fate"], lost["faults"][0]["action"], lost["text"]) == ("lost", "drop", "six and lost\n")
    assert (again["fate"], again["text"]) == ("delivered", "six and lost\n")
    assert "retransmission" in {mark["word"] for mark in again["marks"]}
    assert lost["packet"]["ip_version"] == again["packet"]["ip_version"] == 6


def test_one_datagram_to_a_group_reaches_all_who_joined_and_nobody_else(started):
    lab = started("multicast")
    with lab.journal("udp2", "udp3", "udp4") as journal:
        lab.ok("send", "udp1", "to all")
        for node in ("udp2", "udp3"):
            found = journal.wait(node, "recv", text="to all")
            assert found["peer"] == [networks_of(lab, "udp1")["lab"][0], 5005]
            assert found["local"] == ["239.77.7.7", 5005]
        # udp4 gets what is for itself, sent later over the same bridge, and so had every chance to get the other.
        lab.ok("udp", "send", "udp1", "udp4", "to you")
        journal.wait("udp4", "recv", text="to you")
        assert [event["text"] for event in journal.events("udp4", "recv")] == ["to you"]


def test_one_name_leads_to_several_hosts_and_several_names_to_one(started):
    lab = started("dns")
    addresses = {networks_of(lab, f"echo{number}")["lab"][0] for number in (1, 2, 3)}
    resolve = "import socket; print(*sorted({a[4][0] for a in socket.getaddrinfo('pool', 7)}))"
    assert set(lab.ok("exec", "client", "--", "python3", "-c", resolve).stdout.split()) == addresses
    assert lab.json("echo", "send", "client", "any of you")["peer"][0] in addresses
    assert lab.json("echo", "send", "client", "you", "--to", "oldest:7")["to"] == "echo1"
    assert lab.events("client", "connect", name="oldest:7")[0]["peer"][0] == networks_of(lab, "echo1")["lab"][0]
    assert "EAI_NONAME" in lab.refused("echo", "send", "client", "x", "--to", "nobody:7")


def test_isolated_networks_time_out_and_closed_ports_refuse(started):
    lab = started("isolated")
    assert "ETIMEDOUT" in lab.refused("echo", "send", "client", "hello?", "--timeout", "30")
    own = networks_of(lab, "client")["here"][0]
    assert "ECONNREFUSED" in lab.refused("echo", "send", "client", "hello?", "--to", f"{own}:9")
    assert lab.events("echo", "accept") == []
    for command in ("ladder", "xray"):
        assert "they share no network" in lab.refused(command, "client", "echo")
    assert "they share no network" in lab.refused("capture", "client-echo")


def test_a_line_of_n_networks_takes_n_minus_one_hops(started):
    lab = started("line:5")
    assert lab.json("echo", "send", "client", "from end to end")["answer"] == "from end to end"
    assert len(lab.networks()) == 5
    assert sum(node["role"] == "router" for node in lab.json("ps")["nodes"]) == 4
    # The TTL of what arrives, by the socket option of a receiver of our own at the far end.
    program = (
        "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(60); s.bind(('', 9)); "
        "s.setsockopt(0, 12, 1); print('bound', flush=True); print(s.recvmsg(99, 99)[1][0][2][0])"
    )
    far = lab.begin("exec", "echo", "--", "python3", "-c", program)
    read_until(far.stdout, b"bound")
    send = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('echo', 9))"
    lab.ok("exec", "client", "--", "python3", "-c", send)
    assert finish(far).stdout.strip() == str(64 - 4)


def test_a_star_connects_every_two_hosts(started):
    lab = started("star")
    for source, target in (("h1", "h2"), ("h2", "h3"), ("h4", "h1")):
        lab.ok("udp", "send", source, target, f"{source} to {target}")
        assert lab.events(target, "recv", text=f"{source} to {target}")[0]["ttl"] == 63


def test_in_a_mesh_every_peer_talks_to_all(started):
    lab = started("udp-mesh:6")
    names = [node["node"] for node in lab.json("ps")["nodes"]]
    assert names == [f"peer-{number}" for number in range(1, 7)]
    for source in names[:2]:
        for target in names:
            if source != target:
                assert lab.json("udp", "send", source, target, "hi")["to"] == target


@pytest.mark.turn(1)
@pytest.mark.parametrize("name", builtin.names())
def test_every_topology_has_its_address_plan_in_its_first_comment(name):
    first = builtin.locate(name).read_text().split("name:")[0]
    assert first.startswith("# ")
    assert "10." in first or "fd77:" in first


@pytest.mark.turn(1)
def test_the_files_of_line_and_star_are_what_is_generated():
    assert (TOPOLOGIES / "line.yaml").read_text() == generate.line(3)
    assert (TOPOLOGIES / "star.yaml").read_text() == generate.star(4)


@pytest.mark.turn(1)
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("udp-mesh:0", "there is no udp-mesh:0: it takes at least 2"),
        ("udp-mesh:10000", "udp-mesh:10000 would take some 176 GiB of memory"),
        ("nat:3", "there is no nat:3: only line, star, udp-mesh come in sizes"),
        ("two-subnet", "there is no topology two-subnet; did you mean two-subnets?"),
    ],
)
def test_a_size_or_name_that_is_none_is_refused(spare, name, message):
    lab = spare("none")
    assert lab.refused("up", name, "--lab", lab.name).startswith(message)
    assert lab.labelled() == []


def test_a_network_that_is_taken_is_told_with_its_owner(started, spare, engine):
    first = started("line")
    lab = spare("line-again")
    result = lab.run("up", "line", "--lab", lab.name, "--json", timeout=120)
    assert result.returncode == 1, result
    error = json.loads(result.stdout)["error"]
    assert error["code"] == "subnet-taken"
    assert f"overlaps with the network {first.name}_net" in error["message"]
    assert "taking back" not in result.stderr
    assert lab.labelled() == []


def test_eight_labs_that_start_at_the_same_moment_all_find_a_place(spare):
    labs = [spare(f"crowd{number}") for number in range(8)]
    starting = [lab.begin("up", "isolated", "--lab", lab.name, "--timeout", "200") for lab in labs]
    results = [finish(child, timeout=280) for child in starting]
    refused = [f"{result.returncode}:\n{result.stderr}" for result in results if result.returncode]
    assert not refused, "\n".join(refused)
    subnets = [net.attrs["IPAM"]["Config"][0]["Subnet"] for lab in labs for net in lab.networks()]
    assert len(set(subnets)) == len(subnets) == 16
    for lab in labs:
        # In each, the hosts have kept their place within their subnets.
        last = {node: networks_of(lab, node).popitem()[1][0].split(".")[-1] for node in ("client", "echo")}
        assert last == {"client": "4", "echo": "3"}


@pytest.mark.alone  # it plans with the subnets that are free then
def test_plan_tells_what_up_would_do_and_does_nothing(spare, tmp_path):
    lab = spare("plan")
    text = (TOPOLOGIES / "isolated.yaml").read_text().replace("../services", str(TOPOLOGIES.parent / "services"))
    file = tmp_path / "lab.yaml"
    file.write_text(text)
    planned = lab.json("plan", str(file), "--lab", lab.name)
    assert {node["change"] for node in planned["nodes"]} == {"create"}
    assert lab.labelled() == []
    lab.ok("up", str(file), "--lab", lab.name, timeout=120)
    for node in planned["nodes"]:
        addresses = [address for found in node["addresses"].values() for address in found]
        assert addresses == [networks_of(lab, node["node"])[key][0] for key in networks_of(lab, node["node"])]
    assert {node["change"] for node in lab.json("plan", str(file), "--lab", lab.name)["nodes"]} == {"keep"}
    kept = lab.container("echo")
    file.write_text(text.replace('{TARGET: "echo:7"}', '{TARGET: "echo:9"}'))
    changes = {node["node"]: node["change"] for node in lab.json("plan", str(file), "--lab", lab.name)["nodes"]}
    assert changes == {"client": "recreate", "echo": "keep"}
    before = lab.container("client").id
    lab.ok("up", str(file), "--lab", lab.name, timeout=120)
    assert lab.container("client").id != before
    assert lab.container("echo").id == kept.id
    assert lab.container("echo").attrs["State"]["StartedAt"] == kept.attrs["State"]["StartedAt"]
    # A node that the file has no more is removed.
    head, _, rest = text.partition("  echo:\n")
    file.write_text(head + rest[rest.index("\nnetworks:") :])
    changes = {node["node"]: node["change"] for node in lab.json("plan", str(file), "--lab", lab.name)["nodes"]}
    assert changes["echo"] == "remove"
    lab.ok("up", str(file), "--lab", lab.name, timeout=120)
    assert set(lab.containers()) == {"client"}
    with pytest.raises(docker.errors.NotFound):
        kept.reload()
