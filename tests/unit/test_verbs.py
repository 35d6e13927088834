"""Several nodes at once, wait and inspect, on the in-memory engine; and what a measurement of speed counts."""

import contextlib
import json
import socket
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from memory_lab import event

from labctl import signals
from labctl.engine.docker.made import settings
from labctl.engine.memory import MemoryEngine
from labctl.engine.model import LABEL_ROUTES, Port
from labctl.engine.settings import Mount
from labctl.errors import LabError
from labctl.events.codec import decode
from labctl.lab.life import several, waiting
from labctl.lab.life.change import change
from labctl.lab.life.inspecting import inspect
from labctl.lab.life.up import _start_made
from labctl.lab.model import find
from labctl.lab.reach.datagram import host_and_port
from labctl.lab.reach.probe import Target
from labctl.lab.reach.speed import Asked, Measured, check, document
from labctl.render.inside import inspected as inspected_render
from labctl.render.reach import speed as render

PROBE = Path(__file__).parents[2] / "services" / "probe" / "reach_probe.py"


@pytest.fixture
def three(engine, lab_of):
    for name, state in (("a", "running"), ("b", "paused"), ("c", "exited")):
        engine.add("lab", name, state=state, addresses={"net": (f"10.0.0.{ord(name)}",)})
    return engine, lab_of


def outcomes(three, verb: str, *names: str, **options) -> list:
    engine, lab_of = three
    lab, told = lab_of(), []
    found = several.change_all(engine, lab, verb, [lab.node(name) for name in names], told.append, timeout=5, **options)
    assert sorted(told, key=lambda one: one.node) == sorted(found, key=lambda one: one.node)
    return [(one.node, one.problem and one.problem.code) for one in found]


def test_one_failure_hides_nothing_of_the_others(three):
    assert outcomes(three, "pause", "c", "a", "b") == [("c", "not-running"), ("a", None), ("b", "not-running")]
    assert {node.name: node.container.state for node in three[1]().nodes} == {
        "a": "paused",
        "b": "paused",
        "c": "exited",
    }


def test_all_leaves_alone_what_the_verb_is_not_for(three):
    names = {
        verb: [node.name for node in several.fitting(verb, three[1]().nodes)[0]]
        for verb in ("start", "stop", "restart", "kill", "pause", "unpause")
    }
    assert names == {
        "start": ["a", "c"],
        "stop": ["a", "b", "c"],
        "restart": ["a", "c"],
        "kill": ["a", "b"],
        "pause": ["a"],
        "unpause": ["b"],
    }


def test_kill_sends_the_signal_that_was_named(three):
    outcomes(three, "kill", "a", signal=signals.named("hup"))
    outcomes(three, "kill", "b")
    assert three[0].changes == [("kill", "lab-a-1", "SIGHUP"), ("kill", "lab-b-1", None)]


def test_what_shares_a_network_is_told_a_signal_once_and_by_itself(engine, lab_of):
    owner = engine.add("lab", "a", addresses={"net": ("10.0.0.1",)})
    engine.add("lab", "b", network_of=owner.record.id)
    nodes = list(lab_of().nodes)
    several.change_all(engine, lab_of(), "kill", nodes, lambda outcome: None, timeout=5, signal="SIGHUP")
    assert sorted(engine.changes) == [("kill", "lab-a-1", "SIGHUP"), ("kill", "lab-b-1", "SIGHUP")]
    for node in nodes:
        engine.change("start", node.container.id)
    engine.changes.clear()
    several.change_all(engine, lab_of(), "kill", list(lab_of().nodes), lambda outcome: None, timeout=5)
    assert sorted(change[:2] for change in engine.changes) == [("kill", "lab-a-1"), ("kill", "lab-b-1")]


@pytest.mark.parametrize("text", ["HUP", "sighup", "SIGHUP", "1"])
def test_signals_by_any_name(text):
    assert signals.named(text) == "SIGHUP"


@pytest.mark.parametrize("text", ["", "NOPE", "0", "999", "-1"])
def test_what_is_no_signal(text):
    with pytest.raises(LabError, match="is no signal"):
        signals.named(text)


# wait


def test_wait_for_states(three):
    engine, lab_of = three
    lab = lab_of()
    for name, state in (("a", "running"), ("b", "paused"), ("c", "exited")):
        (found,) = waiting.for_state(engine, lab, [lab.node(name)], state, timeout=1)
        assert (found.node, found.exit_code) == (name, 0 if state == "exited" else None)
    with pytest.raises(LabError, match=r"not within 0.01 s: paused: a is running, c is exited"):
        waiting.for_state(engine, lab, list(lab.nodes), "paused", timeout=0.01)
    with pytest.raises(LabError, match="c is exited, so it won't get ready"):
        waiting.for_state(engine, lab, [lab.node("c")], "ready", timeout=1)


@pytest.mark.parametrize(
    ("state", "health", "why"),
    [("running", None, "it has no healthcheck"), ("exited", None, "it is exited"), ("running", "healthy", None)],
)
def test_wait_for_health_says_at_once_where_it_is_in_vain(engine, lab_of, state, health, why):
    made = engine.add("lab", "a", state=state)
    made.record = made.record._replace(health=health)
    begun = time.monotonic()
    with pytest.raises(LabError, match=why) if why else contextlib.nullcontext():
        waiting.for_state(engine, lab_of(), list(lab_of().nodes), "healthy", timeout=20)
    assert time.monotonic() - begun < 10


LINE = {
    "ts": "2026-01-01T00:00:00.000000000Z",
    "node": "x",
    "event": "message",
    "text": "why hi there",
    "bytes": 12,
    "peer": ["fd00::1", 7],
}


@pytest.mark.parametrize(
    ("text", "matches"),
    [
        ("message", True),
        ("mess*", True),
        ("*", True),
        ("recv", False),
        ('message "hi th"', True),
        ("message hi there", True),
        ('message "hi" "no"', False),
        ("message bytes=12", True),
        ("message bytes=1", False),
        ("message peer=[[]fd00::1]:7", True),
        ("message peer=*:7 node=b*", True),
        ("message node=alice", False),
        ("message error=*", True),
        ('message "a=b"', False),
    ],
)
def test_an_event_is_named_by_what_it_holds(text, matches):
    found = decode(json.dumps(LINE).encode(), node="bob")
    assert waiting.event_filter(text).matches(found) is matches


@pytest.mark.parametrize("text", ["", '"open', "  "])
def test_what_names_no_event(text):
    with pytest.raises(LabError, match="is no event"):
        waiting.event_filter(text)


def test_wait_for_an_event(engine, lab_of):
    a, b = engine.add("lab", "a"), engine.add("lab", "b")
    event(a, "message", text="before")
    engine.later(lambda: event(b, "message", text="after"))
    lab = lab_of()
    options = {"since": None, "timeout": 5, "begun": lambda: None}
    assert waiting.for_event(engine, lab, lab.nodes, waiting.event_filter("message"), **options).get("text") == "after"
    found = waiting.for_event(engine, lab, lab.nodes, waiting.event_filter("message"), **{**options, "since": "2026"})
    assert (found.node, found.get("text")) == ("a", "before")
    engine.later(lambda: (a.end(), b.end()))
    with pytest.raises(LabError, match="a, b stopped while labctl waited"):
        waiting.for_event(engine, lab, lab.nodes, waiting.event_filter("nosuch"), **options)


@pytest.mark.parametrize(
    ("text", "found"),
    [("a:7", ("a", 7)), ("[::1]:65535", ("::1", 65535)), ("10.0.0.1:1", ("10.0.0.1", 1)), ("[a]:7", ("a", 7))],
)
def test_hosts_and_ports(text, found):
    assert host_and_port(text, "TO") == found


@pytest.mark.parametrize("text", ["a", "a:", ":7", "a:0", "a:65536", "a:x", "::1:7", "[]:7", "a:\u0667", "a:-1", ""])
def test_what_is_no_host_and_port(text):
    with pytest.raises(LabError) as caught:
        host_and_port(text, "TO")
    assert caught.value.code == "bad-option"


def test_a_name_that_cannot_be_one_is_refused(engine, lab_of):
    engine.add("lab", "a")
    with pytest.raises(LabError, match=r"--answers: 'a\.\.b' is no name of a host"):
        waiting.for_answer(engine, lab_of(), "a..b:80", None, timeout=5)


# inspect

DOCKER = {
    "Created": "2026-01-01T00:00:00Z",
    "Path": "sh",
    "Args": ["-c", "exit 3"],
    "RestartCount": 4,
    "Config": {"Env": ["A=b=c"], "User": "", "Hostname": "h", "StopSignal": None},
    "HostConfig": {
        "ReadonlyRootfs": True,
        "CapDrop": ["ALL"],
        "CapAdd": ["NET_ADMIN"],
        "Memory": 64 << 20,
        "NanoCpus": 0,
        "CpuQuota": 50_000,
        "CpuPeriod": 100_000,
        "RestartPolicy": {"Name": "always"},
        "Tmpfs": {"/tmp": "ro,size=1m"},
    },
    "Mounts": [
        {"Type": "volume", "Name": "data", "Source": "/var/x", "Destination": "/data", "RW": True},
        {"Type": "bind", "Source": "/etc/y", "Destination": "/y", "RW": False},
    ],
    "NetworkSettings": {"Networks": {"net": {"MacAddress": "02:00:00:00:00:01"}}},
}


def test_how_a_container_was_made():
    made = settings(DOCKER)
    assert (made.command, made.environment, made.user) == (("sh", "-c", "exit 3"), {"A": "b=c"}, "0")
    assert (made.memory, made.cpus, made.restart) == (64 << 20, 0.5, "always")
    assert made.mounts == (
        Mount("volume", "data", "/data", True),
        Mount("bind", "/etc/y", "/y", False),
        Mount("tmpfs", "", "/tmp", False),
    )


def test_summary_of_a_node(engine, lab_of):
    made = engine.add("lab", "a", addresses={"net": ("10.0.0.2", "fd00::2")})
    made.record.labels[LABEL_ROUTES] = '["default via r"]'
    made.end(3)
    made.made_as, made.finished = settings(DOCKER), "2026-01-02T03:04:05Z"
    made.restarts = 4
    (found,) = inspect(engine, lab_of(), ["a"])
    text = inspected_render.node(found, colour=False).splitlines()
    assert text[0] == "a  exited (3) at 2026-01-02 03:04:05 UTC"
    facts = [tuple(line.split(None, 1)) for line in text[1:]]
    assert {
        ("program", "sh -c 'exit 3'  as user 0"),
        ("restarts", "4 so far; policy always"),
        ("address", "10.0.0.2, fd00::2  on net  02:00:00:00:00:01"),
        ("route", "default via r"),
        ("limits", "memory 64 MiB, processors 0.5"),
        ("rights", "read-only root, no capability but NET_ADMIN"),
        ("files", "volume data at /data"),
        ("files", "bind /etc/y at /y, read-only"),
        ("files", "tmpfs /tmp, read-only"),
    } <= set(facts)
    said = found.as_json()
    assert (said["exit_code"], said["restarts"], said["capabilities"]["added"]) == (3, 4, ["NET_ADMIN"])
    json.dumps(said)


# speed: the two programs themselves, over this machine's loopback


def measured(address: str, **options) -> dict[str, dict]:
    """What the client says, and the server's own end."""
    token = "00112233aabbccdd"
    serving = {"do": "speed-server", "name": "x", "address": address, "token": token, "limit": 30}
    with subprocess.Popen([sys.executable, PROBE, json.dumps(serving)], stdout=subprocess.PIPE) as server:
        listening = json.loads(server.stdout.readline())
        order = {"do": "speed-client", "name": "x", "address": address, "token": token, **options}
        order |= {key: listening[key] for key in ("port", "datagrams")}
        order = {"protocol": "tcp", "seconds": 0.5, "most": 0, "rate": 0, "size": 1000, **order}
        done = subprocess.run(
            [sys.executable, PROBE, json.dumps(order)], capture_output=True, text=True, timeout=60, check=True
        )
        assert server.wait(20) == 0
    said = {item["event"]: item for item in map(json.loads, done.stdout.splitlines())}
    assert "refused" not in said, said
    return said


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_speed_of_tcp_counts_what_arrived(address):
    said = measured(address, most=3_000_000, seconds=20)
    assert (said["measured"]["bytes"], said["measured"]["sent"]) == (3_000_000, 3_000_000)
    assert 0 < said["measured"]["timed"] < 3_000_000
    assert len(said["echoes"]["rtts_ns"]) == 10
    assert min(said["echoes"]["rtts_ns"]) > 0


def best(key: str, **options) -> dict:
    """Of three measurements that with the least: what else this machine does makes some longer, and none shorter."""
    return min((measured("127.0.0.1", **options)["measured"] for _ in range(3)), key=lambda said: said[key])


def test_speed_of_tcp_ends_when_the_time_is_over():
    said = best("ns", seconds=0.5)
    assert 0.1e9 < said["ns"] < 2e9
    assert said["bytes"] > 1_000_000


def test_speed_at_a_rate_of_tcp():
    said = best("bytes", seconds=1, rate=8_000_000)
    assert said["bytes"] < 2_500_000, "8 Mbit/s for a second is a megabyte, and some of it at once"


def test_speed_of_datagrams_counts_each_of_them():
    said = measured("127.0.0.1", protocol="udp", seconds=1, rate=4_000_000)["measured"]
    assert (said["received"], said["duplicates"], said["reordered"]) == (said["sent"], 0, 0)
    assert said["bytes"] == said["sent"] * 1000
    assert said["sent"] <= 501
    few = measured("127.0.0.1", protocol="udp", most=5000, seconds=20)["measured"]
    assert (few["sent"], few["received"], few["bytes"]) == (5, 5, 5000)


@pytest.mark.parametrize("size", [24, 1000, 40_000])
def test_speed_without_a_limit_of_datagrams_knows_where_each_went(size):
    """Handed over many at once, but for the largest; what is not there found the receiver's own queue full."""
    said = measured("::1", protocol="udp", seconds=0.3, size=size)["measured"]
    assert said["sent"] > 100
    assert said["received"] + said["overflowed"] == said["sent"]
    assert (said["bytes"], said["duplicates"], said["reordered"]) == (said["received"] * size, 0, 0)


ASKED = Asked("a", Target("b", "10.0.0.2", "b"), "udp", 3, 0, 1e7, 1448)
SEEN = Measured(
    ("10.0.0.1", 1),
    ("10.0.0.2", 2),
    1_000_000,
    999_000,
    2_000_000_000,
    1000,
    25,
    (40_000, 60_000),
    None,
    1,
    2,
    20,
    5000,
    9e6,
)


def test_speed_as_text():
    assert render.asked_line(ASKED) == "a -> b (10.0.0.2)  UDP for 3 s, datagrams of 1448 B, 10 Mbit/s"
    assert render.measured_line(ASKED, SEEN).splitlines() == [
        "throughput  4 Mbit/s  1000000 B in 2.00 s  (10.0.0.1:1 -> 10.0.0.2:2)",
        "lost        25 of 1000 datagrams (2.5%), duplicated 1, reordered 2; 20 found the receiver's own queue full",
        "round trip  min 0.040, avg 0.050, max 0.060 ms before; jitter 0.005 ms",
        "sender      came to 9 Mbit/s only: the helper is not faster on this machine",
    ]
    tcp = replace(SEEN, loaded_rtt=2_000_000, jitter=None, lost=0, sent_rate=None)
    assert render.measured_line(replace(ASKED, protocol="tcp"), tcp).splitlines()[1:] == [
        "lost        0 of 1000 segments were sent again (0%)",
        "round trip  min 0.040, avg 0.050, max 0.060 ms before; 2.000 ms meanwhile",
    ]


def test_nothing_that_arrived_is_an_error(engine, lab_of):
    engine.add("lab", "a")
    with pytest.raises(LabError, match=r"b \(10.0.0.2\) did not answer within 3 s"):
        check(ASKED, replace(SEEN, arrived=0, took=0))
    said = document(lab_of(), ASKED, SEEN)
    assert (said["bits_per_second"], said["lost"], said["protocol"]) == (3_996_000, 25, "udp")


class Slow(MemoryEngine):
    """An engine that does nothing in time."""

    def change(self, verb, container, **options):
        raise LabError("engine-timeout", seconds=3, action=f"POST /containers/{container}/{verb}")


@pytest.mark.parametrize("verb", ["stop", "kill", "pause", "restart"])
def test_an_engine_that_is_too_slow_is_told_of_with_the_nodes_name(verb):
    engine = Slow()
    engine.add("lab", "alice", addresses={"net": ("10.0.0.2",)})
    lab = find(engine, "lab")
    with pytest.raises(LabError, match=rf"did not answer within 3 s \({verb} alice\)"):
        change(engine, lab, verb, "alice", timeout=1)


class Unwilling(MemoryEngine):
    """An engine that can't start a container."""

    def change(self, verb, container, **options):
        raise LabError("engine-refused", action=f"{verb} the container", why='exec: "nosuch": not found')


def test_an_engine_that_would_not_is_told_of_with_the_nodes_name():
    engine = Unwilling()
    engine.add("lab", "alice", state="exited")
    with pytest.raises(LabError) as caught:
        change(engine, find(engine, "lab"), "start", "alice", timeout=1)
    assert caught.value.message == 'the Docker engine would not start alice: exec: "nosuch": not found'
    with pytest.raises(LabError, match='would not start lab-alice-1: exec: "nosuch": not found'):
        _start_made(engine, "lab", lambda line: None, {"services": {"alice": {}}})


def test_what_is_published_of_a_network_answers_for_all_on_it(engine, lab_of):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        ports, engine.publishes = (Port("tcp", 8080, "0.0.0.0", port),), True
        app = engine.add("lab", "app", addresses={"net": ("10.77.0.2",)}, ports=ports)
        engine.add("lab", "side", network_of=app.record.id)
        found = waiting.for_answer(engine, lab_of(), "side:8080", None, timeout=10)
    assert found.peer == ("127.0.0.1", port)
