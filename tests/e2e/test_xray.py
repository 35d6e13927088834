"""System calls, states and packets on one axis: each in its place, and all of them there."""

import xml.etree.ElementTree as ET
from itertools import pairwise

import pytest
from outside import finish, read_until, run

pytestmark = pytest.mark.turn(2)

SENDS, RECEIVES = ("send(", "sendto(", "sendmsg(", "write("), ("recv(", "recvfrom(", "recvmsg(", "read(")


# One socket of IPv6 for both families, as most servers of today have it: it speaks IPv4 with its client.
DUAL_STACK = """
import socket
server = socket.create_server(("", 9300), family=socket.AF_INET6, dualstack_ipv6=True)
print("there", flush=True)
accepted, (address, *_) = server.accept()
assert address.startswith("::ffff:"), address
accepted.sendall(accepted.recv(100))
accepted.close()
"""
CLIENT = """
import socket
client = socket.create_connection(("{}", 9300))
client.sendall(b"both")
while client.recv(100): pass
"""


def labctl(lab, *words, timeout=90, **more):
    return run(*words, "--lab", lab.name, timeout=timeout, **more)


def moments(document, node, kind):
    return [found for found in document["moments"] if found["node"] == node and found["kind"] == kind]


def states(document, node):
    return [found["text"].split("  ")[0] for found in moments(document, node, "state")]


@pytest.fixture(scope="module")
def exchange(own_lab):
    """One request of `client` to `web` as `xray` tells it, in JSON; what came before it was not recorded."""
    first = labctl(own_lab, "xray", "client", "web")
    assert first.returncode == 1
    assert "from now on" in first.stderr
    got = labctl(own_lab, "http", "get", "web", "/", "--from", "client")
    assert got.returncode == 0, got
    return own_lab.json("xray", "client", "web", "--port", "8080")


@pytest.mark.turn(1)
def test_every_step_of_an_exchange_stands_between_what_causes_it_and_what_it_causes(exchange):
    calls = {name: [m["text"].partition("(")[0] for m in moments(exchange, name, "call")] for name in ("client", "web")}
    assert calls["client"][0] == "socket"
    assert [name for name in calls["client"] if name in ("socket", "connect", "close")] == [
        "socket",
        "connect",
        "close",
    ]
    assert calls["web"][0].startswith("accept")
    assert [name for name in calls["web"] if name in ("shutdown", "close")] == ["shutdown", "close"]
    arrows = exchange["arrows"]
    syn = next(arrow for arrow in arrows if arrow["head"] == "SYN")
    connect = next(m for m in moments(exchange, "client", "call") if m["text"].startswith("connect("))
    accept = next(m for m in moments(exchange, "web", "call") if m["text"].startswith("accept"))
    request, response = (arrow for arrow in arrows if arrow["segment"] and arrow["segment"]["length"])
    wrote, read = _calls(exchange, "client", SENDS)[0], _calls(exchange, "web", RECEIVES)[0]
    answered, had = _calls(exchange, "web", SENDS)[0], _calls(exchange, "client", RECEIVES)[0]
    # The kernel's clock for packets, strace's for calls: one clock, so cause comes before effect.
    times = [connect["at_ns"], syn["sent_ns"], syn["arrived_ns"], accept["at_ns"]]
    assert times == sorted(times)
    times = [wrote["at_ns"], request["sent_ns"], request["arrived_ns"], read["at_ns"], answered["at_ns"]]
    assert times == sorted(times)
    times = [answered["at_ns"], response["sent_ns"], response["arrived_ns"], had["at_ns"]]
    assert times == sorted(times)


def _calls(document, node, names):
    return [found for found in moments(document, node, "call") if found["text"].startswith(names)]


def test_states_go_the_ways_of_the_diagram_and_come_with_their_packets(exchange):
    client, web = states(exchange, "client"), states(exchange, "web")
    assert client[:2] == ["CLOSED -> SYN-SENT", "SYN-SENT -> ESTABLISHED"]
    assert web[:2] == ["LISTEN -> SYN-RECEIVED", "SYN-RECEIVED -> ESTABLISHED"]
    for found in (client, web):
        assert all(one.split(" -> ")[1] == other.split(" -> ")[0] for one, other in pairwise(found))
    ends = {found[-1].split(" -> ")[1] for found in (client, web)}
    if ends == {"TIME-WAIT"}:  # both closed before either heard of it (RFC 9293, section 3.6), and so both wait
        assert "FIN-WAIT-1 -> CLOSING" in client
        assert "FIN-WAIT-1 -> CLOSING" in web
    else:
        assert ends == {"TIME-WAIT", "CLOSED"}  # who closed first waits
    seen = {moment for arrow in exchange["arrows"] for moment in (arrow["sent_ns"], arrow["arrived_ns"])}
    for found in moments(exchange, "client", "state") + moments(exchange, "web", "state"):
        assert found["at_ns"] - 1 in seen


def test_a_dual_stack_server_is_seen_as_any_other(own_lab, exchange):
    server = own_lab.begin("exec", "web", "--", "python3", "-c", DUAL_STACK)
    read_until(server.stdout, b"there")
    own_lab.ok("exec", "client", "--", "python3", "-c", CLIENT.format(own_lab.address("web")))
    assert finish(server).returncode == 0
    document = own_lab.json("xray", "client", "web", "--port", "9300")
    # One that took long stands a second time, where it returned.
    made = [found["text"] for found in moments(document, "web", "call") if "(" in found["text"]]
    calls = [text.partition("(")[0] for text in made]
    assert calls[0] == "socket"
    assert [name for name in calls if name.startswith(("listen", "accept", "recv", "send"))] == [
        "listen",
        "accept4",
        "recvfrom",
        "sendto",
    ]
    assert "close" in calls
    way = states(document, "web")
    # Each state once, by its packet: what the kernel's table told of the same, in addresses of IPv6, is not told again.
    assert way[:2] == ["LISTEN -> SYN-RECEIVED", "SYN-RECEIVED -> ESTABLISHED"]
    assert len(way) == len(set(way))
    assert all(one.split(" -> ")[1] == other.split(" -> ")[0] for one, other in pairwise(way))
    assert not any("::ffff:" in found["text"] for found in moments(document, "web", "state"))
    # The kernel's own words stay where they are asked for.
    accepted = [line for line in labctl(own_lab, "syscalls", "web").stdout.splitlines() if "accept4(" in line]
    assert "::ffff:" in accepted[-1]


def test_the_pictures_show_the_same(own_lab, exchange):
    document = own_lab.json("xray", "client", "web", "--last", "5m")
    assert len(document["moments"]) >= len(exchange["moments"])
    shown = labctl(own_lab, "xray", "client", "web", "--last", "5m", NO_COLOR="1").stdout
    assert max(map(len, shown.splitlines())) <= 100
    for word in ("● socket(AF_INET", "● connect(", "SYN-SENT -> ESTABLISHED", " ■", " ●", "FIN, ACK"):
        assert word in shown
    drawn = labctl(own_lab, "xray", "client", "web", "--last", "5m", "--format", "svg").stdout
    assert len([item for item in ET.fromstring(drawn).iter() if "dot" in item.get("class", "")]) == len(
        document["moments"]
    )
    assert "Note left of A" in labctl(own_lab, "xray", "client", "web", "--last", "5m", "--format", "mermaid").stdout


def test_a_trace_with_calls_records_them_for_its_own_time_alone(own_lab):
    found = own_lab.json("trace", "--xray", "--json", "--", "chat", "send", "alice", "hi")
    [ladder] = found["ladders"]
    said = {m["node"]: m["text"] for m in ladder["moments"] if '"hi\\n"' in m["text"]}
    assert said["alice"].startswith(SENDS)
    assert said["bob"].startswith(RECEIVES)
    assert found["status"] == 0
    after = labctl(own_lab, "syscalls", "alice")
    assert after.returncode == 1, "somebody still traces alice"
    assert "from now on" in after.stderr


def test_a_trace_of_a_start_has_the_first_call_and_the_first_segment(own_lab):
    """What the textbook says of a client, from socket(2) on."""
    found = own_lab.json("trace", "--xray", "--json", "--node", "alice", "--node", "bob", "--", "restart", "bob")
    [ladder] = found["ladders"]
    calls = [m for m in ladder["moments"] if (m["node"], m["kind"]) == ("bob", "call")]
    names = [call["text"].partition("(")[0] for call in calls]
    assert names[0] == "socket"
    assert "connect" in names
    connect = calls[names.index("connect")]
    syn = next(arrow for arrow in ladder["arrows"] if arrow["head"] == "SYN")
    assert connect["at_ns"] < syn["sent_ns"]
    assert labctl(own_lab, "syscalls", "bob").returncode == 1, "somebody still traces bob"


def test_who_has_no_link_is_not_looked_at(own_lab):
    wrong = labctl(own_lab, "xray", "client", "client")
    assert wrong.returncode == 1
    assert "itself" in wrong.stderr
    unknown = labctl(own_lab, "xray", "client", "wbe")
    assert "did you mean web?" in unknown.stderr
