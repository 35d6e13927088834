"""Several nodes at once, wait, inspect, speed and datagrams to anybody, beside Docker's word and iperf3's."""

import json
from statistics import median

import pytest
from conftest import LABEL, SESSION
from executing import execute
from outside import finish, read_until

WITHIN = 0.10  # of what iperf3 measures


def states(lab) -> dict[str, str]:
    return {node: container.status for node, container in lab.containers().items()}


def test_several_nodes_at_once(fragile):
    nodes = ["client", "udp1", "udp2"]
    said = fragile.ok("stop", *nodes).stderr
    assert sorted(line.split(" is ")[0] for line in said.splitlines()) == nodes
    got = fragile.run("pause", "client", "web", "--json")
    assert got.returncode == 1
    assert [(item["node"], item["done"]) for item in json.loads(got.stdout)["nodes"]] == [
        ("client", False),
        ("web", True),
    ]
    assert "client exited (0) " in got.stderr
    assert "left as they are: alice (running), " in fragile.ok("unpause", "--all").stderr
    fragile.ok("start", "--all")
    assert set(states(fragile).values()) == {"running"}


def test_kill_with_another_signal(fragile):
    assert fragile.ok("kill", "--signal", "TERM", "udp2").stderr.startswith("udp2 is told SIGTERM (")
    waited = fragile.json("wait", "udp2", "--state", "exited")["nodes"]
    assert [(item["node"], item["exit_code"]) for item in waited] == [("udp2", 0)]
    assert fragile.container("udp2").attrs["State"]["ExitCode"] == 0


def test_wait_for_what_comes(lab):
    child = lab.begin("wait", "alice", "bob", "--event", 'message "wait for it"', "--timeout", "50", "--json")
    read_until(child.stderr, b"waiting for message")
    lab.ok("chat", "send", "alice", "wait for it")
    found = json.loads(finish(child).stdout)["event"]
    assert (found["node"], found["event"], found["text"]) == ("bob", "message", "wait for it")
    again = lab.json("wait", "--event", "message wait", "--since", "100s")["event"]
    assert again["text"] == "wait for it"
    missed = lab.run("wait", "--event", "no-such-event", "--timeout", "0.2")
    assert missed.returncode == 1
    assert "labctl: not within 0.2 s: no such event at alice, " in missed.stderr


def test_wait_for_an_answer(lab):
    here = lab.json("wait", "--answers", "web:8080")
    assert here["peer"] == list(lab.published("web", 8080))
    there = lab.json("wait", "--answers", "web:8080", "--from", "client")
    assert (there["local"][0], there["peer"]) == (lab.address("client"), [lab.address("web"), 8080])
    said = lab.refused("wait", "--answers", "web:81", "--from", "client", "--timeout", "0.5")
    assert said == "not within 0.5 s: web:81 does not answer client (Connection refused)"


def test_inspect_is_what_docker_says(lab):
    found = lab.json("inspect", "web")["nodes"][0]
    attrs = lab.container("web").attrs
    assert (found["id"], found["started"], found["created"]) == (
        attrs["Id"],
        attrs["State"]["StartedAt"],
        attrs["Created"],
    )
    assert found["command"] == [attrs["Path"], *attrs["Args"]]
    assert (found["memory"], found["processes"], found["read_only"]) == (128 << 20, 64, True)
    assert found["labels"] == attrs["Config"]["Labels"]
    assert found["macs"] == {f"{lab.name}_lab": attrs["NetworkSettings"]["Networks"][f"{lab.name}_lab"]["MacAddress"]}
    assert (found["state"], found["exit_code"], found["listening"][0]["port"]) == ("ready", None, 8080)
    assert "rights      read-only root, no capability\n" in lab.ok("inspect", "web").stdout


@pytest.mark.parametrize("source", ["udp1", "client"], ids=["its own socket", "a helper's"])
def test_datagram_to_anybody(lab, source):
    found = lab.json("udp", "send", source, "echo:7", "grüße", "--timeout", "20")
    assert (found["peer"], found["answer"]) == ([lab.address("echo"), 7], "grüße")
    assert found["local"][0] == lab.address(source)
    assert lab.events("echo", "recv", proto="udp", peer=found["local"])


def test_datagram_that_nobody_takes(lab):
    said = lab.refused("udp", "send", "client", f"{lab.address('web')}:9999", "x")
    assert said == (
        f"client can't reach web ({lab.address('web')}) port 9999: nothing listens at that port: "
        "its host says port unreachable (ICMP)"
    )
    assert (
        "no datagram came back within 0.2 s"
        in lab.ok("udp", "send", "client", "udp1:5005", "x", "--timeout", "0.2").stdout
    )


# speed, beside iperf3 in the same two network namespaces


@pytest.fixture(scope="module")
def iperf3(lab, clients):
    """`iperf3(*options)`: bits a second that arrive at bob from alice, as iperf3 counts them; or another `value`."""
    made = []
    for node, command in (("bob", ["iperf3", "--server"]), ("alice", ["sleep", "infinity"])):
        place = f"container:{lab.container(node).id}"
        made.append(
            lab.engine.containers.run(
                "labctl/test-clients", command, detach=True, init=True, network_mode=place, labels={LABEL: SESSION}
            )
        )

    def measure(*options: str, value: str = "bits_per_second") -> float:
        command = ["iperf3", "--client", lab.address("bob"), "--json", "--connect-timeout", "5000", *options]
        done = execute(made[1].id, *command)
        end = json.loads(done.out)
        assert done.status == 0, end
        return (end["end"].get("sum_received") or end["end"]["sum"])[value]

    yield measure
    for container in made:
        container.remove(force=True)


def speed(lab, *options: str) -> dict:
    return lab.json("speed", "alice", "bob", *options)


def best_of(count: int, *measures) -> list[float]:
    """Of each the highest, taken in turns: whatever else this machine does only takes from them."""
    return [max(found) for found in zip(*([measure() for measure in measures] for _ in range(count)), strict=True)]


@pytest.mark.turn(2)
@pytest.mark.alone
def test_speed_over_a_link_with_a_rate_is_iperf3s(lab, iperf3):
    lab.ok("fault", "add", "alice:bob", "--rate", "5mbit")
    try:
        ours, theirs = best_of(
            2, lambda: speed(lab, "--seconds", "2")["bits_per_second"], lambda: iperf3("--time", "2")
        )
        assert ours == pytest.approx(theirs, rel=WITHIN)
        assert ours == pytest.approx(5e6 * 1448 / 1514, rel=WITHIN)
        udp = speed(lab, "--udp", "--rate", "3mbit", "--seconds", "2")
        assert udp["bits_per_second"] == pytest.approx(iperf3("--udp", "--bitrate", "3M", "--time", "2"), rel=WITHIN)
        assert udp["lost"] == 0
    finally:
        lab.ok("fault", "clear", "--all")


@pytest.mark.turn(2)
@pytest.mark.alone
@pytest.mark.parametrize("rate", [1, 20, 100])
def test_speed_of_datagrams_at_a_rate_is_iperf3s(lab, iperf3, rate):
    ours = speed(lab, "--udp", "--rate", f"{rate}mbit", "--seconds", "2")
    assert ours["bits_per_second"] == pytest.approx(iperf3("--udp", "--bitrate", f"{rate}M", "--time", "2"), rel=WITHIN)


@pytest.mark.turn(2)
@pytest.mark.alone
def test_speed_tells_of_a_link_that_is_too_slow_what_iperf3_tells(lab, iperf3):
    lab.ok("fault", "add", "alice:bob", "--rate", "4mbit")
    try:
        ours = speed(lab, "--udp", "--rate", "8mbit", "--seconds", "3")
        theirs = iperf3("--udp", "--bitrate", "8M", "--time", "3", value="lost_percent") / 100
    finally:
        lab.ok("fault", "clear", "--all")
    assert ours["lost"] / ours["packets"] == pytest.approx(theirs, rel=WITHIN)


@pytest.mark.turn(2)
@pytest.mark.alone
def test_speed_without_a_limit_is_not_below_iperf3s(lab, iperf3):
    """There the processors are the limit. Single ones differ by a fifth, of either: medians of five, in turns."""
    ours, theirs = [], []
    for _ in range(5):
        ours.append(speed(lab, "--seconds", "1")["bits_per_second"])
        theirs.append(iperf3("--time", "1"))
    assert median(ours) > (1 - WITHIN) * median(theirs)


def test_speed_tells_what_a_link_loses(lab):
    lab.ok("fault", "add", "alice:bob", "--loss", "20%", "--delay", "30ms", "--seed", "5")
    try:
        found = speed(lab, "--udp", "--rate", "2mbit", "--seconds", "2")
    finally:
        lab.ok("fault", "clear", "--all")
    assert found["lost"] / found["packets"] == pytest.approx(0.2, abs=0.08)
    assert 30e6 <= min(found["rtts_ns"]) < 200e6


def test_speed_of_recorded_nodes_is_bounded(lab):
    try:
        got = lab.run(
            "trace", "--node", "alice", "--node", "bob", "--limit", "20", "speed", "alice", "bob", timeout=120
        )
    finally:
        lab.ok("capture", "--stop")
    assert got.returncode == 0, got
    assert "alice and bob are recorded, so it ends after 2097152 B" in got.stderr
    assert "\nCut here: " in got.stdout
