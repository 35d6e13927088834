"""Nodes that share one network are one host with several programs: one set of addresses, one recorder, one probe of
faults, both names shown."""

import pytest
from memory_lab import event
from test_faults_lab import LOSS, Probes

from labctl.engine.memory import Execution, MemoryEngine
from labctl.engine.model import LABEL_PROBE, LABEL_PROBED, LABEL_TARGET, Line
from labctl.errors import LabError
from labctl.lab import links, probes
from labctl.lab.drawing import picture
from labctl.lab.faults import rules
from labctl.lab.journal import read
from labctl.lab.life.change import change
from labctl.lab.life.status import ps
from labctl.lab.model import find
from labctl.lab.processes import programs
from labctl.lab.reach.probe import target
from labctl.lab.recording import capture
from labctl.lab.recording.ladder import ends
from labctl.topology.model import parse


@pytest.fixture
def lab(engine: MemoryEngine):
    a = engine.add("lab", "a", addresses={"net": ("10.77.0.2", "fd00::2")})
    engine.add("lab", "s", network_of=a.record.id)
    engine.add("lab", "b", addresses={"net": ("10.77.0.3", "fd00::3")})
    return lambda: find(engine, "lab")


@pytest.fixture
def fakes(engine):
    return Probes(engine)


def test_one_set_of_addresses(engine, lab):
    assert lab().node("s").addresses == ["10.77.0.2", "fd00::2"]
    assert [host.name for host in lab().hosts] == ["a+s", "b"]
    assert lab().owner("10.77.0.2").name == lab().owner("fd00::2").name == "a+s"
    assert [other.name for other in lab().neighbours(lab().node("s"))] == ["b"]
    assert [other.name for other in lab().neighbours(lab().node("b"))] == ["a+s"]
    assert ps(engine, lab())[2].as_json()["network_of"] == "a"


def test_who_of_them_is_meant(engine, lab):
    echo = engine.add("lab", "e", role="echo", network_of=lab().node("a").container.id)
    assert lab().partner("10.77.0.2", "echo").name == echo.record.name.split("-")[1]
    assert lab().partner("10.77.0.2", "chat").name == "a+e+s"
    assert lab().partner("10.77.0.3", "chat").name == "b"
    assert lab().partner("10.77.0.9", "chat") is None


def test_the_network_of_a_container_elsewhere(engine):
    other = engine.add("other", "db", addresses={"theirs": ("10.99.0.2",)})
    for name in ("one", "two"):
        engine.add("lab", name, network_of=other.record.name)
    found = find(engine, "lab")
    assert [host.name for host in found.hosts] == ["one+two"]
    assert found.node("two").addresses == ["10.99.0.2"]


def test_a_network_whose_owner_has_ended(engine, lab):
    engine.change("stop", lab().node("a").container.id)
    with pytest.raises(LabError) as found:
        lab().networked("s", "it has no sockets")
    assert found.value.code == "not-running"
    assert "its network is that of a" in found.value.message


@pytest.mark.parametrize("name", ["a:b", "s:b", "a+s:b"])
def test_one_probe_of_faults(engine, lab, fakes, name):
    done = rules.add(engine, lab(), links.ways(lab(), name), LOSS)
    assert done.links == ("a+s:b",)
    rules.add(engine, lab(), links.ways(lab(), "s"), LOSS)
    [mine] = [probe for probe in probes.all_of(engine, "lab").values() if probe.labels[LABEL_PROBED] != "b"]
    assert mine.labels[LABEL_TARGET] == lab().node("a").container.id
    assert mine.name == "lab-a-faults"
    with pytest.raises(LabError, match="has that rule already") as found:
        rules.add(engine, lab(), links.ways(lab(), "a:b" if name == "s:b" else "s:b"), LOSS)
    assert found.value.code == "fault-twice"
    listed = rules.listing(engine, lab())
    assert {(one.id, one.node, one.link) for one in listed} >= {("f1", "a+s", "a+s:b"), ("f2", "b", "b:a+s")}
    assert [one.id for one in rules.pick(lab(), listed, "s:b", False)] == ["f1"]
    rules.clear(engine, lab(), listed)
    assert rules.listing(engine, lab()) == []


def test_the_name_under_which_it_is_shown_means_it(engine, lab, fakes):
    assert links.ways(lab(), "a+s") == links.ways(lab(), "a")
    rules.add(engine, lab(), links.ways(lab(), "a+s"), LOSS)
    found = rules.pick(lab(), rules.listing(engine, lab()), "a+s", False)
    assert [one.link for one in found] == ["a+s:*", "b:a+s"]


@pytest.mark.parametrize("both", ["a:s", "s-a"])
def test_no_link_inside_one_host(lab, both):
    for ask in (lambda: links.ways(lab(), both), lambda: ends(lab(), *both.replace("-", ":").split(":"))):
        with pytest.raises(LabError) as found:
            ask()
        assert "have one network: what they say to each other never leaves it" in found.value.message
    with pytest.raises(LabError) as found:
        links.between(lab(), "a", "s,b")
    assert "a+s can't be on both sides" in found.value.message


def test_one_recorder(lab):
    assert [node.name for node in capture.place(lab(), []).nodes] == ["a+s", "b"]
    assert [node.name for node in capture.place(lab(), ["s", "a"]).nodes] == ["a+s"]
    assert [node.name for node in capture.place(lab(), ["s-b"]).nodes] == ["a+s", "b"]
    order = probes.order(lab(), lab().host(lab().node("s")), probes.CAPTURE)
    assert (order.name, order.target) == ("lab-a-capture", lab().node("a").container.id)


def test_processes_are_each_nodes_own(lab):
    mine = [probes.order(lab(), lab().node(name), probes.PROCESSES) for name in ("a", "s", "b")]
    assert [order.target for order in mine] == [lab().node(name).container.id for name in ("a", "s", "b")]
    assert [order.environment.get("LABCTL_SHARES") for order in mine] == ["first", "other", None]


def test_a_probe_that_was_there_first_learns_of_who_comes_later(engine):
    """It may be recording: it can't be made anew for that."""
    asked = []

    def commands(order):
        def run(command):
            asked.append((order.labels[LABEL_PROBED], *command[2:]))
            return Execution([Line(b'{"ts":"2026-11-22T14:04:20.1Z","event":"complete"}')])

        return run

    engine.probe_program, engine.probe_commands = lambda order: lambda container, line: None, commands
    first = engine.add("lab", "a", addresses={"net": ("10.77.0.2",)})

    def ensure(*names: str) -> list[tuple]:
        asked.clear()
        there = find(engine, "lab")
        programs.ensure(engine, there, [there.node(name) for name in names])
        return list(asked)

    assert ensure("a") == [], "it is alone"
    engine.add("lab", "s", network_of=first.record.id)
    assert ensure("a") == [("a", "shares", "first")]
    assert ensure("s") == [("a", "shares", "first")], "also where nobody asks the first one"
    assert ensure("a", "s") == [("a", "shares", "first")]
    [mine] = [probe for probe in engine.containers([LABEL_PROBE]) if probe.labels[LABEL_PROBED] == "a"]
    engine.remove_container(mine.id)
    assert ensure("a", "s") == [], "one that is made now knows it"
    engine.remove_container(find(engine, "lab").node("s").container.id)
    assert ensure("a") == [("a", "shares", "")], "it is alone again"


def test_its_probe_speaks_of_it_once(engine, lab, fakes):
    rules.add(engine, lab(), links.ways(lab(), "a:b"), LOSS)
    [probe] = engine.containers([LABEL_PROBE])
    event(engine._get(probe.id), "fault", rule="f1", action="drop")
    told = [(one.node, one.name) for one in read(engine, lab(), ["a", "s"]) if one.name == "fault"]
    assert told == [("a+s", "fault")]


@pytest.mark.parametrize(
    ("verb", "before", "after", "others"),
    [
        ("restart", "running", "running", ["s"]),
        ("stop", "running", "exited", ["s"]),
        ("kill", "running", "exited", ["s"]),
        ("start", "exited", "running", ["s"]),
        ("restart", "exited", "exited", []),  # it did not run before either
        ("pause", "running", "running", []),
    ],
)
def test_what_renews_a_network_is_done_to_all_on_it(engine, lab, verb, before, after, others):
    sharing = engine._get(lab().node("s").container.id)
    if before == "exited":
        sharing.end()
    if verb == "start":
        engine._get(lab().node("a").container.id).end()
    started = sharing.started
    assert change(engine, lab(), verb, "a", timeout=5) == others
    assert lab().node("s").container.state == after
    assert (sharing.started != started) == (verb in ("restart", "start") and after == "running")


def test_nothing_starts_in_a_network_that_is_not_there(engine, lab):
    for name in ("s", "a"):
        engine._get(lab().node(name).container.id).end()
    with pytest.raises(LabError) as found:
        change(engine, lab(), "start", "s", timeout=5)
    assert (found.value.code, found.value.values["node"]) == ("not-running", "a")


def test_one_box(engine, lab):
    drawn = picture.of_lab(engine, lab())
    assert [(node.name, node.members) for node in drawn.nodes] == [("a+s", ("a", "s")), ("b", ())]
    engine._get(lab().node("s").container.id).end()
    assert picture.of_lab(engine, lab()).nodes[0].note == "s exited"


FILE = """
name: lab
services:
  a: {image: x, networks: {net: {ipv4_address: 10.77.0.2}}, ports: [{target: 80, protocol: tcp}]}
  s: {image: y, network_mode: "service:a", x-labctl: {routes: [default via b]}}
  t: {image: y, network_mode: "service:s"}
  b: {image: x, networks: {net: null}}
networks: {net: {name: lab_net, ipam: {config: [{subnet: 10.77.0.0/24}]}}}
"""


def test_one_box_of_a_file(tmp_path):
    found = parse(FILE, tmp_path / "x.yaml")
    assert [(member.owner, member.networks) for member in found.members] == [
        (None, ("net",)),
        ("a", ("net",)),
        ("a", ("net",)),
        (None, ("net",)),
    ]
    roles = {"a": "http", "s": "echo"}
    drawn = picture.of_topology(found, lambda member: roles.get(member.name))
    assert [(node.name, node.role) for node in drawn.nodes] == [("a+s+t", "http+echo"), ("b", None)]
    assert [(one.node, one.addresses) for one in drawn.attachments] == [("a+s+t", ("10.77.0.2",)), ("b", ())]
    assert [route.node for route in drawn.routes] == ["a+s+t"]


def test_names_of_a_host_at_the_end_of_a_path(lab):
    assert target(lab(), lab().node("b"), "s", 4).shown == "s (10.77.0.2)"
    assert target(lab(), lab().node("b"), "10.77.0.2", None).owner == "a+s"
