"""Faults on links, measured from outside: by ping, by the kernels' own counters, by programs that others wrote."""

import hashlib
import math
import re
import statistics
import time

import pytest
import sampling
from executing import execute
from outside import PATIENCE, Lab, finish, json_lines, read_until, run

pytestmark = pytest.mark.turn(3)

ROUND_TRIP = 0.01  # seconds between two pings
COUNTED = re.compile(r"packets \d+ bytes \d+")  # in each of the engine's own rules for its resolver


@pytest.fixture
def links(own_lab):
    """A default lab, with all links whole. Not the one that other tests use: rules leave their events in its journal,
    and their probes beside its nodes."""
    own_lab.ok("fault", "clear", "--all")
    own_lab.heal()
    return own_lab


@pytest.fixture(scope="module")
def inside(engine, clients, own_lab):
    """`inside(node, command)` runs one in a node's network namespace, in an image of clients or of the probe; without
    `wait`, in a container of its own, which is given."""
    hosts = {}
    own_lab.ok("fault", "add", "alice:bob", "--loss", "1%", timeout=300)  # the first rule builds the probe's image

    def begun(node: str, image: str, *command: str, stdin: bool = False):
        return engine.containers.run(
            image,
            list(command),
            detach=True,
            init=True,
            stdin_open=stdin,
            user="0",
            cap_add=["NET_RAW", "NET_ADMIN"],
            network_mode=f"container:{own_lab.container(node).id}",
            labels=clients.container.labels,
        )

    def go(node: str, *command: str, image: str = "labctl/test-clients", wait: bool = True, stdin: bool = False):
        if not wait:
            return begun(node, image, *command, stdin=stdin)
        there = own_lab.container(node)
        network = (image, there.id, there.attrs["State"]["StartedAt"])
        if network not in hosts:
            hosts[network] = begun(node, image, "sleep", "infinity")
        return execute(hosts[network].id, *command, user="0")

    yield go
    for host in hosts.values():
        host.remove(force=True)


def faults(lab: Lab, **fields) -> list[dict]:
    """The verdicts in the lab's journal, as `labctl logs` tells them."""
    events = json_lines(lab.ok("logs", "--json").stdout)
    return [event for event in events if event["event"] == "fault" and fields.items() <= event.items()]


def ping(inside, node: str, address: str, count: int = 20, interval: float = 0.05) -> list[float]:
    """Round trips in milliseconds, as ping(8) measures them; those that never came are left out."""
    command = ["ping", "-n", "-c", str(count), "-i", str(interval), "-W", "2", address]
    _, out, _ = inside(node, *command, image="labctl/probe")
    return [float(line.partition("time=")[2].split()[0]) for line in out.splitlines() if "time=" in line]


def of_kernel(lab: Lab, node: str, table: str) -> str:
    """What a node's kernel says of its network (proc(5): /proc/net)."""
    return execute(lab.container(node).id, "cat", f"/proc/net/{table}").out


def counters(lab: Lab, node: str, family: str) -> dict[str, int]:
    """A node's own counters of a protocol."""
    out = of_kernel(lab, node, "snmp")
    names, values = (line.split()[1:] for line in out.splitlines() if line.startswith(f"{family}: "))
    return dict(zip(names, map(int, values), strict=True))


def add(lab: Lab, *args: str) -> dict:
    return lab.json("fault", "add", *args)


def rules(lab: Lab) -> list[dict]:
    return lab.json("fault", "ls")["faults"]


def wait_for(condition, within: float = PATIENCE) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"


# -- what is measured


@pytest.mark.alone
def test_delay(links, inside):
    address = links.address("bob")
    plain = statistics.median(ping(inside, "alice", address))
    add(links, "alice:bob", "--delay", "100ms")
    slow = ping(inside, "alice", address)
    assert len(slow) == 20
    assert abs(statistics.median(slow) - plain - 100) <= 5
    assert min(slow) >= 100
    # The other links of alice, and the same link the other way, are as they were.
    assert statistics.median(ping(inside, "alice", links.address("web"))) < 10


@pytest.mark.alone
def test_jitter(links, inside):
    add(links, "alice:bob", "--delay", "50ms", "--jitter", "20ms")
    found = ping(inside, "alice", links.address("bob"), count=60)
    assert min(found) >= 30
    assert sorted(found)[-3] <= 75  # beside 70 ms of the rule, what a busy machine adds
    assert max(found) - min(found) > 15


@pytest.mark.alone
def test_first_segment_with_data_is_lost_once(links):
    links.ok("chat", "send", "alice", "before")
    before = counters(links, "alice", "Tcp")["RetransSegs"]
    links.ok("fault", "drop", "alice:bob", "tcp data 1")
    sent = links.json("chat", "send", "alice", "lost once")
    assert counters(links, "alice", "Tcp")["RetransSegs"] - before == 1
    assert sent["delivered_ms"] > 100
    [verdict] = [event for event in faults(links, action="drop") if event["node"] == "alice"][-1:]
    assert verdict["length"] == len("lost once\n")
    assert "psh" in verdict["flags"]
    links.ok("chat", "send", "alice", "after")
    assert rules(links)[0]["state"] == "done"
    # In its place among the node's own events: after the send, before the peer's recv.
    names = [event["event"] for event in json_lines(links.ok("logs", "alice", "bob", "--json").stdout)]
    at = len(names) - 1 - names[::-1].index("fault")
    assert "send" in names[max(0, at - 3) : at]


@pytest.mark.turn(1)
def test_thirty_percent(links):
    add(links, "udp1:udp2", "--loss", "30%", "--seed", "7")
    found = links.json("udp", "send", "udp1", "udp2", "--count", "5000", "--rate", "2500", "--timeout", "20")
    assert found["sent"] == 5000
    assert abs(found["lost"] - 1500) <= 3 * math.sqrt(5000 * 0.3 * 0.7)
    # To the datagram: what didn't arrive is what the journal says was dropped.
    [rule] = rules(links)
    assert rule["matched"] == 5000
    assert found["received"] + rule["done"]["drop"] == 5000
    mine = [event for event in faults(links, rule=rule["id"]) if event["action"] == "drop"]
    assert len(mine) == rule["done"]["drop"]


def test_same_seed_same_run(links):
    lost = []
    for seed in ("7", "7", "8"):
        rule = add(links, "udp1:udp2", "--loss", "20%", "--seed", seed)
        assert rule["seed"] == int(seed)
        found = links.json("udp", "send", "udp1", "udp2", "--count", "200", "--rate", "500")
        train = links.events("udp2", "train", state="received")[-1]["train"]
        lost.append(set(range(200)) - {event["seq"] for event in links.events("udp2", "recv", train=train)})
        assert len(lost[-1]) == found["lost"]
        links.ok("fault", "clear", rule["id"])
    assert lost[0] == lost[1]
    assert lost[0] != lost[2]
    assert lost[0]


def test_duplicates_and_reordering_are_counted_by_the_peer(links):
    """With seeds, of which neither touches the last datagram: with that one a train ends, and its copy is late."""
    rule = add(links, "udp1:udp2", "--duplicate", "10%", "--seed", "1")
    found = links.json("udp", "send", "udp1", "udp2", "--count", "300", "--rate", "500")
    assert found["duplicated"] == rules(links)[0]["done"]["duplicate"] > 0
    assert (found["lost"], found["reordered"]) == (0, 0)
    links.ok("fault", "clear", rule["id"])
    links.ok("fault", "duplicate", "udp1:udp2", "datagram 3")
    assert links.json("udp", "send", "udp1", "udp2", "--count", "10")["duplicated"] == 1
    links.ok("fault", "clear", "--all")
    add(links, "udp1:udp2", "--reorder", "10%", "--seed", "1")
    found = links.json("udp", "send", "udp1", "udp2", "--count", "300", "--rate", "500")
    # Those that the next one overtook; the last of a train waits in vain.
    assert found["reordered"] == rules(links)[0]["done"]["reorder"] > 0
    assert (found["lost"], found["duplicated"]) == (0, 0)


@pytest.mark.alone
def test_picked_datagram_is_held(links):
    links.ok("fault", "delay", "udp1:udp2", 'udp contains "late"', "--by", "300ms")
    assert links.json("udp", "send", "udp1", "udp2", "in time")["delivered_ms"] < 200
    assert 300 <= links.json("udp", "send", "udp1", "udp2", "too late")["delivered_ms"] < 500


@pytest.mark.alone
def test_rate(links, inside):
    server = inside("bob", "iperf3", "--server", "--one-off", "--forceflush", wait=False)
    try:
        wait_for(lambda: b"listening" in server.logs())
        add(links, "alice:bob", "--rate", "20mbit")
        status, out, err = inside("alice", "iperf3", "-c", links.address("bob"), "-t", "4", "-O", "1", "-f", "k")
        assert status == 0, out + err
        [line] = [line for line in out.splitlines() if line.rstrip().endswith("receiver")]
        assert abs(float(line.split("Kbits/sec")[0].split()[-1]) - 20_000) <= 2_000, line
    finally:
        server.remove(force=True)


def test_corruption_is_found_by_the_receiver(links):
    before = counters(links, "udp2", "Udp")["InCsumErrors"]
    links.ok("fault", "corrupt", "udp1:udp2", "datagram 2", "--seed", "1")
    found = links.json("udp", "send", "udp1", "udp2", "--count", "5")
    assert found["lost"] == 1
    assert counters(links, "udp2", "Udp")["InCsumErrors"] - before == 1
    before = counters(links, "bob", "Tcp")["InCsumErrors"]
    links.ok("fault", "corrupt", "alice:bob", "tcp data 1")
    links.ok("chat", "send", "alice", "it comes a second time")
    assert counters(links, "bob", "Tcp")["InCsumErrors"] - before == 1


def test_corruption_that_reaches_the_program(links):
    links.ok("fault", "corrupt", "udp1:udp2", 'udp contains "whole"', "--fix-checksum", "--seed", "3")
    assert "did not show it" in links.refused("udp", "send", "udp1", "udp2", "a whole text")
    arrived = links.events("udp2", "recv")[-1]
    assert arrived["bytes"] == len("a whole text")
    assert arrived.get("text") != "a whole text"


def test_reset(links):
    links.ok("chat", "send", "alice", "before")
    with links.journal("alice", "bob") as journal:
        links.ok("fault", "reset", "alice:bob", 'tcp contains "cut here"')
        links.run("chat", "send", "alice", "cut here", "--timeout", "2")
        ended = journal.wait("bob", "session", state="ended")
        assert ended["reason"] == "reset"
    links.ok("chat", "send", "alice", "and on we go", "--timeout", "20")


HEARS = "import socket; s = socket.create_server(('', 9001)); print('listens', flush=True); c, _ = s.accept(); "
HEARS += "print(c.recv(100).decode(), flush=True)"
SAYS = "import socket; s = socket.create_connection(('alice', 9001)); print('connected', flush=True); "
SAYS += "s.send(input().encode()); s.recv(1)"


@pytest.mark.turn(1)
def test_partition(links, inside):
    links.ok("chat", "send", "alice", "before")
    hears = links.begin("exec", "alice", "--", "python3", "-c", HEARS)
    read_until(hears.stdout, b"listens")
    says = links.begin("exec", "bob", "--", "python3", "-c", SAYS)
    read_until(says.stdout, b"connected")
    links.ok("partition", "alice,web", "bob,udp1")
    assert {rule["link"] for rule in rules(links)} == {
        f"{a}:{b}"
        for one, other in (("alice", "bob"), ("alice", "udp1"), ("web", "bob"), ("web", "udp1"))
        for a, b in ((one, other), (other, one))
    }
    # An established connection hangs, and a new one times out; who is on the same side talks on.
    assert "sent, not confirmed" in links.refused("chat", "send", "alice", "held up", "--timeout", "1")
    says.stdin.write(b"held up\n")
    says.stdin.flush()
    status, _, err = inside("bob", "curl", "-sS", "--max-time", "2", f"http://{links.address('web')}:8080/")
    assert status == 28, err
    status, out, _ = inside("alice", "curl", "-sS", "--max-time", "30", f"http://{links.address('web')}:8080/")
    assert (status, "Hello" in out) == (0, True)
    assert hears.poll() is None
    links.ok("heal")
    assert rules(links) == []
    # How long that took doesn't matter: unlike those of the chat, these two do not give each other up.
    assert finish(hears).stdout.endswith("held up\n")
    finish(says)
    status, out, _ = inside("bob", "curl", "-sS", "--max-time", "30", f"http://{links.address('web')}:8080/")
    assert status == 0


CONDITIONS = {
    "delay": ["--delay", "20ms", "--jitter", "10ms"],
    "loss": ["--loss", "1%"],
    "duplicate": ["--duplicate", "5%"],
    "reorder": ["--reorder", "5%"],
    "corrupt": ["--corrupt", "1%"],
    "rate": ["--rate", "40mbit"],
}
ALONE = sampling.share(list(CONDITIONS), 3, sampling.seed())
CONDITIONS["all at once"] = ["--delay", "5ms", "--jitter", "2ms", "--loss", "0.5%", "--duplicate", "1%"]
CONDITIONS["all at once"] += ["--reorder", "1%", "--corrupt", "0.5%", "--rate", "50mbit"]


@pytest.mark.parametrize("name", [*ALONE, "all at once"])
def test_ten_megabytes_arrive_as_they_were(links, inside, name):
    add(links, "alice-bob", *CONDITIONS[name], "--seed", "11")
    wanted = hashlib.sha256(bytes(range(250)) * 40_000).hexdigest()
    take = "socat -u TCP-LISTEN:9000,reuseaddr - | sha256sum"
    give = "python3 -c 'import sys; sys.stdout.buffer.write(bytes(range(250)) * 40000)'"
    server = inside("bob", "sh", "-c", take, wait=False)
    try:
        wait_for(lambda: ":2328" in of_kernel(links, "bob", "tcp"))
        status, _, err = inside("alice", "sh", "-c", f"{give} | socat -u - TCP:{links.address('bob')}:9000")
        assert status == 0, err
        assert server.wait(timeout=60)["StatusCode"] == 0
        assert server.logs(stderr=False).decode().split()[0] == wanted
    finally:
        server.remove(force=True)
    done = rules(links)[0]["done"]
    assert all(done.get(action, 0) > 0 for action in {"loss": "drop"}.get(name, name).split() if action in done), done
    assert done


# -- when a rule ends


def probe_of(links: Lab, node: str):
    labels = [f"dev.labctl.lab={links.name}", "dev.labctl.probe=faults", f"dev.labctl.probed={node}"]
    [found] = links.engine.containers.list(all=True, filters={"label": labels}, ignore_removed=True)
    return found


@pytest.mark.alone
def test_rule_ends_by_itself(links):
    begun = time.monotonic()
    links.ok("fault", "add", "udp1:udp2", "--loss", "100%", "--for", "2s")
    assert "did not show it" in links.refused("udp", "send", "udp1", "udp2", "lost", "--timeout", "0.3")
    wait_for(lambda: rules(links) == [])
    assert 2 <= time.monotonic() - begun < 5
    links.ok("udp", "send", "udp1", "udp2", "through")


@pytest.mark.alone
@pytest.mark.parametrize(("end", "state"), [("kill", "gone"), ("stop", "gone"), ("pause", "out of force")])
def test_links_heal_when_the_probe_does_not_live(links, end, state):
    links.ok("fault", "add", "udp1:udp2", "--loss", "100%")
    assert "did not show it" in links.refused("udp", "send", "udp1", "udp2", "lost", "--timeout", "0.3")
    probe = probe_of(links, "udp1")
    getattr(probe, end)()
    ended = time.monotonic()
    while links.run("udp", "send", "udp1", "udp2", "again", "--timeout", "0.2").returncode:
        assert time.monotonic() - ended < 5
    # The last try took its time, too: it began within a second of the probe's end.
    assert time.monotonic() - ended < 2
    assert [rule["state"] for rule in rules(links)] == [state]
    if end == "pause":
        probe.unpause()
        wait_for(lambda: [rule["state"] for rule in rules(links)] == ["in force"])
        assert "did not show it" in links.refused("udp", "send", "udp1", "udp2", "lost", "--timeout", "0.3")
    links.ok("fault", "clear", "--all")
    assert rules(links) == []
    links.ok("udp", "send", "udp1", "udp2", "through")


def test_the_kernel_says_whether_a_rule_is_in_force(links, inside):
    """Others in the node's network may flush its tables: then no rule is told to be in force, until one is added."""
    add(links, "alice:bob", "--loss", "100%")
    assert rules(links)[0]["state"] == "in force"
    for command in (
        ["nft", "flush", "chain", "inet", "labctl_faults", "links"],
        ["nft", "flush", "ruleset"],
    ):
        assert inside("alice", *command, image="labctl/probe")[0] == 0
        assert len(ping(inside, "alice", links.address("bob"), count=2)) == 2
        assert {(rule["state"], rule["reason"].endswith("by some other program")) for rule in rules(links)} == {
            ("out of force", True)
        }
        added = add(links, "alice-web", "--delay", "1ms")
        assert {rule["state"] for rule in rules(links)} == {"in force"}
        assert ping(inside, "alice", links.address("bob"), count=1) == []
        links.ok("fault", "clear", added["id"])


TAKEN = """
import sys
sys.path[:0] = ["/opt", "/opt/probe"]
from labfault import tables
from labfault.nfqueue import Queue
taken = [Queue([number]) for number in tables.NUMBERS[{first}:]]
print("taken", flush=True)
sys.stdin.read()
"""


def test_what_cannot_be_set_leaves_what_was_there(links, inside, engine):
    """Somebody else has all queues of the node's network, or another probe stands in it: a rule is refused and isn't
    there; one that was there goes on."""
    for first, refused in ((1, False), (0, True)):
        other = inside(
            "alice", "python3", "-c", TAKEN.format(first=first), image="labctl/probe", wait=False, stdin=True
        )
        wait_for(lambda other=other: b"taken" in other.logs())
        done = run("fault", "add", "alice:bob", "--loss", "100%", "--lab", links.name)
        assert (done.returncode != 0) == refused, done
        assert [rule["state"] for rule in rules(links)] == ([] if refused else ["in force"])
        assert len(ping(inside, "alice", links.address("bob"), count=1)) == (1 if refused else 0)
        other.remove(force=True)
        links.ok("fault", "clear", "--all")
    assert "are all taken by other programs in this network" in done.stderr
    add(links, "alice:bob", "--loss", "100%")
    second = inside("alice", "python3", "/opt/probe/fault_probe.py", image="labctl/probe", wait=False, stdin=True)
    wait_for(lambda: b'"ready"' in second.logs())
    assert rules(links)[0]["state"] == "in force"
    assert ping(inside, "alice", links.address("bob"), count=1) == []
    second.remove(force=True)


def test_a_second_rule_leaves_no_gap_in_the_first_one(links, inside):
    """What shows that the probe lives is renewed in turns, which a change must not upset."""
    for rest in ("20%", "40%"):  # the changes come at different moments of a turn
        add(links, "alice:bob", "--loss", "100%")
        add(links, "alice:web", "--loss", rest)
        assert ping(inside, "alice", links.address("bob"), count=100, interval=0.02) == []
        links.ok("fault", "clear", "--all")


def test_no_program_of_a_node_keeps_a_rule_away(links):
    """The abstract sockets of a network namespace are everybody's; nothing depends on one."""
    bind = (
        "import socket, time; s = socket.socket(socket.AF_UNIX); s.bind('\\0labctl-faults'); s.listen(); time.sleep(9)"
    )
    links.container("alice").exec_run(["python3", "-c", bind], detach=True)
    wait_for(lambda: "@labctl-faults" in of_kernel(links, "alice", "unix"))
    add(links, "alice:bob", "--loss", "1%")
    assert rules(links)[0]["state"] == "in force"


def test_probe_holds_what_the_node_must_not_and_no_more(links):
    links.ok("fault", "add", "alice:bob", "--loss", "1%")
    host = probe_of(links, "alice").attrs["HostConfig"]
    # Docker gives them back with or without their prefix.
    assert {name.removeprefix("CAP_") for name in host["CapAdd"]} == {"NET_ADMIN", "NET_RAW"}
    assert host["CapDrop"] == ["ALL"]
    assert not host["Privileged"]
    assert host["ReadonlyRootfs"]
    assert host["SecurityOpt"] == ["no-new-privileges:true"]
    assert not host["Binds"]
    assert not host["PidMode"]
    assert not host["PortBindings"]
    assert [mount["Type"] for mount in host["Mounts"]] == ["volume"]
    assert host["NetworkMode"] == f"container:{links.container('alice').id}"
    node = links.container("alice").attrs["HostConfig"]
    assert not node["CapAdd"]


def test_nothing_is_left_in_the_namespace(links, inside):
    def ruleset():
        done = inside("alice", "nft", "list", "ruleset", image="labctl/probe")
        assert done.status == 0, done
        return COUNTED.sub("", done.out)

    plain = ruleset()
    links.ok("fault", "add", "alice-bob", "--delay", "1ms")
    assert "labctl_faults" in ruleset()
    links.ok("fault", "clear", "--all")
    assert ruleset() == plain
    links.ok("partition", "alice", "bob")
    links.ok("heal")
    assert ruleset() == plain


def test_from_the_first_packet_on(links):
    """Both SYNs of bob's first call are lost, and bob says ready only when the rule is there."""
    links.ok("fault", "drop", "bob:alice", "tcp syn", "--times", "2", "--on-start", "bob")
    assert [rule["state"] for rule in rules(links)] == ["waiting"]
    links.ok("restart", "bob")
    ready = links.events("bob", "ready")[-1]
    wait_for(lambda: [event for event in links.events("bob", "connect") if event["ts"] > ready["ts"]])
    connect = next(event for event in links.events("bob", "connect") if event["ts"] > ready["ts"])
    lost = [event for event in faults(links, action="drop") if event["node"] == "bob" and event["ts"] > ready["ts"]]
    assert [event["flags"] for event in lost] == ["syn", "syn"]
    assert lost[1]["ts"] < connect["ts"]
    events = json_lines(links.ok("logs", "bob", "--json").stdout)
    rule_set = [event for event in events if event["event"] == "rule" and event["state"] == "set"][-1]
    assert rule_set["ts"] < ready["ts"]
    assert seconds(connect) - seconds(lost[0]) > 1.9
    links.ok("fault", "clear", "--all")
    assert rules(links) == []


def seconds(event: dict) -> float:
    """Within its hour."""
    minutes, rest = event["ts"][14:16], event["ts"][17:29]
    return int(minutes) * 60 + float(rest)


def test_rules_of_a_topology(spare, tmp_path):
    file = tmp_path / "compose.yaml"
    file.write_text(
        "x-labctl: {links: ['bob:alice delay 250ms', 'alice:bob loss 0%']}\n"
        "services:\n"
        "  alice: {image: labctl/chat-server, hostname: alice, init: true, stdin_open: true}\n"
        "  bob: {image: labctl/chat-client, hostname: bob, init: true, stdin_open: true,"
        " environment: {TARGET: 'alice:12345'}}\n"
    )
    lab = spare("standing")
    lab.ok("up", str(file), "--lab", lab.name, timeout=120)
    [rule] = rules(lab)
    assert (rule["link"], rule["what"], rule["kind"]) == ("bob:alice", "delay 250ms", "standing")
    first = next(event for event in faults(lab) if event["flags"] == "syn")
    assert first["ts"] > lab.events("bob", "ready")[0]["ts"]
    events = json_lines(lab.ok("logs", "--json").stdout)
    assert next(event for event in events if event["event"] == "rule")["ts"] < lab.events("bob", "ready")[0]["ts"]
    # Again: nothing is set twice. And after a restart the rule is there before the node is.
    lab.ok("up", str(file), "--lab", lab.name, timeout=120)
    assert len(rules(lab)) == 1
    lab.ok("restart", "bob")
    assert [rule["state"] for rule in rules(lab)] == ["in force"]
    assert not [event for event in lab.events("bob", "error") if event["error"] == "ETIMEDOUT"]
    lab.ok("down")
    assert lab.labelled() == []


def test_bad_input(links):
    assert links.refused("fault", "add", "alice:bo", "--loss", "1%").startswith("there is no node bo in ")
    assert links.refused("fault", "add", "alice:bob", "--loss", "130%") == "loss 130% is no share"
    assert "did you mean tcp?" in links.refused("fault", "drop", "alice:bob", "tpc data 1")
    assert links.refused("fault", "clear", "f999") == "there is no rule f999"
    assert links.run("fault", "add", "alice:bob").returncode == 2
    links.ok("fault", "add", "alice:bob", "--loss", "1%")
    [rule] = rules(links)
    twice = links.refused("fault", "add", "alice-bob", "--loss", "1%")
    assert twice == f"alice:bob has that rule already: {rule['id']}, drop 1%"
    assert len(rules(links)) == 1, "nothing of it is set"
    links.ok("stop", "udp2")
    assert "udp2 exited (0) " in links.refused("fault", "add", "udp1:udp2", "--loss", "1%")


def test_what_goes_through_a_router_is_on_the_link_to_it(spare):
    lab = spare("routed")
    assert run("up", "two-subnets", "--lab", lab.name, timeout=120).returncode == 0
    lab.ok("udp", "send", "udp1", "udp2", "across")
    lab.ok("fault", "add", "udp1:router", "--loss", "100%", timeout=300)
    assert "did not show it" in lab.refused("udp", "send", "udp1", "udp2", "lost", "--timeout", "0.5")
    lab.ok("udp", "send", "udp2", "udp1", "the other way is another link")
    lab.ok("fault", "clear", "--all")
    # The router's own side of it: what it passes on.
    lab.ok("fault", "drop", "router:udp2", "datagram 1")
    assert "did not show it" in lab.refused("udp", "send", "udp1", "udp2", "lost", "--timeout", "0.5")
    [verdict] = faults(lab)[-1:]
    assert (verdict["node"], verdict["action"]) == ("router", "drop")
    lab.ok("udp", "send", "udp1", "udp2", "across again")
    lab.ok("fault", "add", "router:udp2", "--delay", "100ms")
    assert lab.json("udp", "send", "udp1", "udp2", "late")["delivered_ms"] >= 100


def test_ipv6(spare):
    lab = spare("six")
    assert run("up", "ipv6-only", "--lab", lab.name, timeout=120).returncode == 0
    a, b = [node["node"] for node in lab.json("ps")["nodes"] if node["role"] == "udp"][:2]
    lab.ok("fault", "add", f"{a}:{b}", "--loss", "30%", "--duplicate", "10%", "--delay", "20ms", timeout=300)
    found = lab.json("udp", "send", a, b, "--count", "300", "--rate", "500")
    [rule] = rules(lab)
    assert rule["matched"] >= 300  # neighbour discovery may be among them
    assert found["lost"] == len([event for event in faults(lab, action="drop") if event["proto"] == "udp"]) > 0
    copies = [event for event in faults(lab, action="duplicate") if event["proto"] == "udp"]
    assert found["duplicated"] == len(copies) > 0
    lab.ok("fault", "clear", "--all")
    lab.ok("fault", "corrupt", f"{a}:{b}", "datagram 1")
    assert lab.json("udp", "send", a, b, "--count", "5")["lost"] == 1


def test_datagram_that_takes_several_fragments(links):
    text = "x" * 20_000
    links.ok("fault", "add", "udp1:udp2", "--delay", "50ms")
    assert links.json("udp", "send", "udp1", "udp2", text)["delivered_ms"] >= 50
    links.ok("fault", "clear", "--all")
    links.ok("fault", "drop", "udp1:udp2", "datagram 1")
    assert "did not show it" in links.refused("udp", "send", "udp1", "udp2", text, "--timeout", "0.5")
    [verdict] = faults(links)[-1:]
    assert verdict["length"] == 20_000


def test_all_traffic_of_a_node(links, inside):
    links.ok("fault", "add", "web", "--loss", "100%")
    node = links.address("web")
    for other in ("alice", "client"):
        status, _, _ = inside(other, "curl", "-sS", "--max-time", "1", f"http://{node}:8080/")
        assert status == 28
    links.ok("fault", "clear", "--all")
    status, out, _ = inside("client", "curl", "-sS", "--max-time", "30", f"http://{node}:8080/")
    assert (status, "Hello" in out) == (0, True)


def test_logs_follow_a_probe_that_comes_later(links):
    child = links.begin("logs", "-f", "--tail", "1")
    try:
        read_until(child.stdout, b"\n")  # it follows
        links.ok("fault", "drop", "udp1:udp2", "datagram 1")
        links.run("udp", "send", "udp1", "udp2", "lost", "--timeout", "0.5")
        read_until(child.stdout, b"action=drop")
    finally:
        child.terminate()
        finish(child)
