"""Whole labs on the engine in memory: what brings labs up, changes them and takes them down, without Docker."""

import doctest
import json
import time
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

import labctl
from labctl.engine.compose.command import Compose
from labctl.engine.docker import DockerEngine
from labctl.engine.docker.endpoint import Endpoint
from labctl.engine.memory import engine as module
from labctl.engine.memory.programs import PROGRAMS
from labctl.engine.model import COMPOSE_HASH, LABEL_LAB, LABEL_NODE, LABEL_ROLE, Network
from labctl.errors import LabError, LineRefused, NotConfirmed, TopologyInvalid
from labctl.lab.keyboard.send import send
from labctl.lab.life.change import change
from labctl.lab.life.down import down
from labctl.lab.life.plan import plan
from labctl.lab.life.status import ps
from labctl.lab.life.up import Request, up
from labctl.lab.model import find
from labctl.lab.roles import chat, echo, udp
from labctl.topology import builtin
from labctl.topology.normalised import load

SCHEMA = Draft202012Validator(json.loads((Path(module.__file__).parents[2] / "events" / "schema.json").read_text()))


PAGE = Path(__file__).parents[2] / "docs" / "engine.md"


def quiet(line: str) -> None:
    pass


@pytest.fixture
def bring_up(engine):
    """Brings a topology up, or makes a lab be as it says now."""
    return lambda name, /, **options: up(engine, Request(str(name), **options), quiet)


def journal(engine, lab) -> list[dict]:
    """All that the nodes have printed."""
    out = []
    for node in lab.nodes:
        stream = engine.logs(node.container.id)
        out += [json.loads(seen.line.text) for seen in engine.wait([stream], None) if seen.line]
    return out


def planned(engine, name, **options) -> dict[str, str]:
    found = plan(engine, str(name), **options)
    return {node.name: node.change for node in found.nodes} | {net.name: net.change for net in found.networks}


@pytest.mark.parametrize("name", [*builtin.names(), "line:3", "star:4", "udp-mesh:5"])
def test_every_built_in_lab_comes_up_stays_as_it_is_and_goes(engine, name):
    expected = planned(engine, name)
    assert set(expected.values()) == {"create"}
    lab = up(engine, Request(name), quiet)
    assert {node.container.labels[LABEL_NODE] for node in lab.nodes} | {net.name for net in engine.networks()} == set(
        expected
    )
    plain = {"alice", "bob", "client", "udp1", "udp2", "web"} if name == "tutorial" else set()  # a beginner's programs
    assert all(node.is_running and node.addresses for node in lab.nodes)
    assert {node.name for node in lab.nodes if not node.role} == plain
    assert {event["node"] for event in journal(engine, lab) if event["event"] == "ready"} == {
        node.container.labels[LABEL_NODE] for node in lab.nodes if node.role
    }
    before = {node.container.id for node in lab.nodes}
    assert not plan(engine, name).changes
    assert {node.container.id for node in up(engine, Request(name), quiet).nodes} == before
    removed = down(engine, lab.name, quiet)
    assert removed.containers == len(before)
    assert (engine.containers(), engine.networks(), engine.volumes([LABEL_LAB])) == ([], [], [])


def test_what_is_said_arrives(engine, bring_up):
    lab = bring_up("hello")
    sent = chat.send(engine, lab, "alice", "hi")
    assert (sent.receiver, sent.local, sent.bytes, sent.offset) == ("bob", ("10.77.0.5", 12345), 3, 0)
    assert chat.send(engine, lab, "alice", "wörld").offset == 3
    assert chat.send(engine, lab, "bob", "ho").peer == sent.local
    assert echo.send(engine, lab, "client", "ä b").answer == "ä b"
    assert udp.send(engine, lab, "udp1", "udp2", "x").peer == ("10.77.0.8", 5005)
    train = udp.send_train(engine, lab, "udp2", "udp1", "", count=9, size=100, rate=0, timeout=1)
    assert (train.sent, train.received, train.lost) == (9, 9, 0)
    assert send(engine, lab, "client", "again").events[-1].name == "send"
    with pytest.raises(LineRefused, match="nobody listens at echo:8"):
        echo.send(engine, lab, "client", "hi", to="echo:8")
    with pytest.raises(LineRefused, match="no address is known for nobody"):
        echo.send(engine, lab, "client", "hi", to="nobody:7")
    for event in journal(engine, lab):
        SCHEMA.validate(event)


def test_it_goes_over_routers_by_the_nodes_routes(engine, bring_up):
    lab = bring_up("two-subnets")
    sent = udp.send(engine, lab, "udp1", "udp2", "hi")
    assert (sent.local[0], sent.peer[0]) == ("10.78.1.7", "10.78.2.8")
    assert echo.send(engine, lab, "client", "hi").peer == ("10.78.2.3", 7)
    assert {lab_node for lab_node, _ in engine.probes} == {
        node.container.id for node in lab.nodes if node.role != "router"
    }


def test_a_chat_goes_on_where_its_partner_was_away(engine, bring_up):
    lab = bring_up("hello")
    chat.send(engine, lab, "alice", "hi")
    change(engine, lab, "stop", "bob", timeout=5)
    lab = find(engine, "hello")
    assert (lab.node("bob").container.state, lab.node("bob").addresses) == ("exited", [])
    with pytest.raises(LabError, match="nobody has called yet"):
        chat.send(engine, lab, "alice", "are you there?")
    change(engine, lab, "start", "bob", timeout=5)
    lab = find(engine, "hello")
    assert lab.node("bob").addresses == ["10.77.0.6"]
    heard = [event["text"] for event in journal(engine, lab) if event["event"] == "message"]
    assert heard == ["hi", "are you there?"]
    assert chat.send(engine, lab, "bob", "byebye").receiver == "alice"
    assert chat.send(engine, lab, "bob", "again").offset == 0  # a conversation of its own


@pytest.mark.parametrize("verb", ["stop", "kill", "restart", "pause"])
def test_a_node_is_changed_as_on_any_engine(engine, bring_up, verb):
    lab = bring_up("hello")
    change(engine, lab, verb, "echo", timeout=5)
    lab = find(engine, "hello")
    states = {"restart": "ready", "pause": "paused"}
    assert {item.node.name: item.state for item in ps(engine, lab)}["echo"] == states.get(verb, "exited")
    if verb in ("stop", "kill"):
        assert planned(engine, "hello")["echo"] == "start"
        with pytest.raises(LineRefused):
            echo.send(engine, lab, "client", "hi")
        lab = bring_up("hello")
    elif verb == "pause":
        change(engine, lab, "unpause", "echo", timeout=5)
    assert echo.send(engine, lab, "client", "hi").answer == "hi"


FILE = """
name: lab
services:
  a: {{image: somebody/a, healthcheck: {{test: [CMD, x]}}, environment: {{X: {x}}}, networks: [one, two]}}
  b: {{image: somebody/b, healthcheck: {{test: [CMD, x]}}, scale: {count}, depends_on: [a], networks: [one]}}
networks: {{one: {{}}, two: {{internal: true}}}}
volumes: {{kept: {{}}}}
"""


def test_only_what_differs_is_made_anew(engine, bring_up, tmp_path):
    file = tmp_path / "compose.yaml"
    file.write_text(FILE.format(x=1, count=2))
    before = {node.name: node.container for node in bring_up(file).nodes}
    assert sorted(before) == ["a", "b-1", "b-2"]
    assert before["a"].addresses == {"lab_one": ("172.16.0.2",), "lab_two": ("172.17.0.2",)}
    assert [net.internal for net in engine.networks()] == [False, True]
    assert [volume.name for volume in engine.volumes([LABEL_LAB])] == ["lab_kept"]
    file.write_text(FILE.format(x=2, count=3))
    assert planned(engine, file) == {"a": "recreate", "b": "create", "lab_one": "keep", "lab_two": "keep"}
    after = {node.name: node.container for node in bring_up(file).nodes}
    assert sorted(after) == ["a", "b-1", "b-2", "b-3"]
    assert after["a"].id != before["a"].id
    assert after["b-2"].id == before["b-2"].id
    file.write_text(FILE.format(x=2, count=1).replace(", two]", "]").replace("two: {internal: true}", ""))
    last = {node.name: node.container for node in bring_up(file).nodes}
    assert (sorted(last), [net.name for net in engine.networks()]) == (["a", "b"], ["lab_one"])
    assert last["a"].labels[COMPOSE_HASH] != after["a"].labels[COMPOSE_HASH]


def test_what_can_not_be_made_is_taken_back(engine, bring_up, tmp_path, monkeypatch):
    file = tmp_path / "compose.yaml"
    text = "networks: {n: {ipam: {config: [{subnet: 10.9.0.0/24}]}}}"
    file.write_text(f"name: lab\nservices: {{a: {{image: x, networks: [n]}}}}\n{text}\n")

    def refuse(verb, container, **options):
        raise LabError("engine-refused", action="start the container", why="exec: no such file")

    monkeypatch.setattr(engine, "change", refuse)
    with pytest.raises(LabError, match="no such file"):
        bring_up(file)
    assert (engine.containers(), engine.networks()) == ([], [])


def test_two_labs_have_nothing_in_common(engine, bring_up):
    one, two = bring_up("hello"), bring_up("hello", name="other")
    assert {net.subnets for net in engine.networks()} == {("10.77.0.0/24",), ("10.77.1.0/24",)}
    assert chat.send(engine, two, "alice", "hi").peer[0] == "10.77.1.6"
    down(engine, one.name, quiet)
    assert chat.send(engine, find(engine, "other"), "bob", "ho").offset == 0


def test_a_place_that_is_taken_at_the_same_moment_is_left_to_who_has_it(engine, monkeypatch):
    make, told = engine.bring_up, []

    def overtaken(source, config, *args, **options):
        if not engine.networks():
            subnet = config["networks"]["lab"]["ipam"]["config"][0]["subnet"]
            engine._networks["theirs"] = Network("theirs", "theirs", {}, (subnet,))
        make(source, config, *args, **options)

    monkeypatch.setattr(engine, "bring_up", overtaken)
    lab = up(engine, Request("hello"), told.append)
    assert "another lab took that place at the same moment; trying the next" in told
    assert lab.node("web").addresses != ["10.77.0.2"]
    assert len({net.subnets for net in engine.networks()}) == 2


def test_nobody_hears_what_is_said_to_a_node_that_stopped(engine, bring_up):
    lab = bring_up("hello")
    change(engine, lab, "kill", "udp2", timeout=5)
    with pytest.raises(LabError, match="udp2"):
        udp.send(engine, find(engine, "hello"), "udp1", "udp2", "x")
    change(engine, find(engine, "hello"), "start", "udp2", timeout=5)
    change(engine, find(engine, "hello"), "pause", "udp2", timeout=5)
    with pytest.raises((NotConfirmed, LabError)):
        udp.send(engine, find(engine, "hello"), "udp1", "udp2", "x")


# Reading


@pytest.mark.parametrize("name", [*builtin.names(), "line:5", "star:3", "udp-mesh:7"])
def test_it_reads_as_compose_does(engine, name):
    """Compose itself is the measure; extensions beside services stand nowhere that labctl reads."""
    source = builtin.find(name)
    with_compose = DockerEngine(Endpoint("unix:///nowhere", "a test"))
    ours, theirs = (load(one.read(source).text) for one in (engine, with_compose))
    for config in (ours, theirs):
        for key in [key for key in config if key.startswith("x-") and key != "x-labctl"]:
            del config[key]
    assert ours == theirs


MORE = """
services:
  a:
    image: x:${TAG-1}
    command: sh -c "echo 'a b'"
    environment: ["A=1", "B=$$x", "${C:+never}D=d"]
    labels: [l=1]
    ports: ["8080:80", "127.0.0.1::53/udp", "[::1]:90:91", "7"]
    volumes: [".:/here:ro", "kept:/there"]
    extra_hosts: {h: 10.0.0.1}
    depends_on: [b]
  b: {extends: a, image: !!str 1, profiles: [off]}
  c: {network_mode: "service:a", image: y, build: .}
volumes: {kept: }
"""


def test_it_knows_the_other_forms_as_well(engine, tmp_path):
    file = tmp_path / "compose.yaml"
    file.write_text(MORE.replace("    depends_on: [b]\n", ""))
    over = tmp_path / "over.yaml"
    over.write_text("services: {a: {environment: {A: 2}, ports: ['81:81']}}")
    source = builtin.Source(file, more=(over,))
    ours = load(engine.read(source, name="lab").text)
    theirs = load(Compose(Endpoint("unix:///nowhere", "a test")).config(file, more=[over], name="lab").text)
    for config in (ours, theirs):
        for mount in config["services"]["a"]["volumes"]:
            mount.pop("bind", None)
            mount.pop("volume", None)
    assert ours == theirs


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("include: [x.yaml]\nservices: {a: {image: x}}", "reads no `include`"),
        ("services: {a: {image: 'x:${A:-${B}}'}}", "no variable in another"),
        (
            "services: {a: {image: 'x:${NO_ONE?give it}'}}",
            "required variable NO_ONE is missing a value: give it",
        ),
        ("services: {a: {extends: b}, b: {extends: a}}", "extends itself"),
        ("services: {a: {extends: {file: nope.yaml, service: a}}}", "nope.yaml: no such file"),
        ("services: {a: {extends: b}}", "service not found"),
        ("services: {a: {image: x, networks: [n]}}", "undefined network n"),
        ("services: {a: {image: x, depends_on: [n]}}", "depends on undefined service 'n'"),
        ("services: {a: {}}", "neither an image nor a build context"),
        ("services: {a: {image: x, ports: ['a-b']}}", "invalid port"),
        ("services: {a: {image: x, mem_limit: many}}", "invalid size"),
        ("services: [a]", "must be a mapping"),
        ("services: {a: !reset }", "could not determine a constructor"),
    ],
)
def test_what_it_can_not_read_is_named(engine, tmp_path, text, why):
    (tmp_path / "compose.yaml").write_text(text)
    with pytest.raises(TopologyInvalid, match=why):
        engine.read(builtin.Source(tmp_path / "compose.yaml"))


def test_variables_that_are_not_set_are_told(engine, tmp_path, monkeypatch):
    (tmp_path / "compose.yaml").write_text("services: {a: {image: 'x:$ONE-${TWO}${THREE}'}}")
    (tmp_path / ".env").write_text("# a comment\nexport TWO='two'\n")
    monkeypatch.setenv("THREE", "3")
    found = engine.read(builtin.Source(tmp_path / "compose.yaml"))
    assert (load(found.text)["services"]["a"]["image"], found.unset) == ("x:-two3", ("ONE",))


def test_every_role_has_a_program():
    """Those that the images of services/ have."""
    from labctl.topology import dockerfile, shipped

    text = (shipped.root() / "services" / "Dockerfile").read_text()
    stages = [line.split()[3] for line in text.splitlines() if line.startswith("FROM ")]
    roles = {dockerfile.labels(text, stage).get(LABEL_ROLE) for stage in stages} - {None}
    assert roles == set(PROGRAMS)


def test_the_examples_are_true():
    for found in (doctest.testmod(module), doctest.testfile(str(PAGE), module_relative=False)):
        assert (found.failed, found.attempted > 2) == (0, True)


def test_what_runs_in_nodes_is_what_their_images_and_the_file_say(engine, tmp_path):
    lab = labctl.up("hello", engine=engine)
    programs = {one.node: [process.command for process in one.processes] for one in lab.top()}
    assert (programs["alice"], programs["web"]) == (
        ["python3 /opt/node/chat_server.py"],
        ["python3 /opt/node/http_hello.py"],
    )
    (first,) = lab.node("alice").processes()
    assert (first.user, first.parent, first.cpu, first.elapsed[:4]) == ("10001", 0, None, "00:0")
    assert first.pid == engine.details(lab.node("alice")._found.container.id).pid
    lab.node("alice").restart()
    assert lab.node("alice").processes()[0].pid != first.pid
    lab.node("alice").pause()
    assert lab.node("alice").processes()[0].command == first.command
    lab.node("alice").stop()
    with pytest.raises(labctl.NotRunning):
        lab.node("alice").processes()
    assert "alice" not in {one.node for one in lab.top()}
    (tmp_path / "compose.yaml").write_text(
        "name: own\nservices: {a: {image: x, entrypoint: [run], command: [it], user: me}, b: {image: x}}"
    )
    own = labctl.up(tmp_path / "compose.yaml", engine=engine)
    assert [(one.user, one.command) for one in own.node("a").processes()] == [("me", "run it")]
    with pytest.raises(LabError, match="knows of no command"):
        own.node("b").processes()
    with pytest.raises(LabError, match="it is exited"):
        engine.top(lab.node("alice")._found.container.id)


def test_how_long_a_process_runs_is_told_as_ps_has_it(engine):
    made = engine.add("lab", "a")
    made.record = made.record._replace(command="x")
    now = time.time()
    for ago, shown in ((65, "01:05"), (3700, "01:01:40"), (90_000, "1-01:00:00")):
        made.started = time.strftime("%Y-%m-%dT%H:%M:%S.000000000Z", time.gmtime(now - ago - 1))
        assert engine.top(made.record.id)[0].elapsed[:-1] == shown[:-1]


def test_what_an_engine_in_memory_can_not_do_is_refused(engine):
    lab = labctl.up("hello", engine=engine)
    alice, web = lab.node("alice"), lab.node("web")
    for act in (lab.sockets, lambda: alice.ping("bob"), alice.routes, lambda: alice.dns("bob"), lab.record):
        with pytest.raises(labctl.EngineRefused, match="has no packets and no kernel"):
            act()
    for act in (lambda: alice.exec("cat"), alice.shell):
        with pytest.raises(labctl.EngineRefused, match="in hello-alice-1: an engine in memory runs no commands"):
            act()
    with pytest.raises(labctl.NotRecorded):
        next(alice.follow_syscalls())
    # Not a server of this machine that happens to have the port.
    for act in (lambda: web.get("/"), lambda: lab.wait_for_answer("web:8080", timeout=5)):
        with pytest.raises(labctl.ReachError, match="web publishes its port 8080 by name only"):
            act()


def test_what_the_doctor_says_of_an_engine_in_memory():
    found = {one.check: one for one in labctl.doctor(engine=labctl.MemoryEngine())}
    assert {check: one.level for check, one in found.items() if check != "command"} == {
        "endpoint": "ok",
        "engine": "ok",
        "compose": "ok",
        "limits": "note",
        "kernel": "note",
    }
    assert "no packets" in found["kernel"].what
    assert "Docker engine" in found["kernel"].mend
    assert not [one.what for one in found.values() if "None" in one.what]


@pytest.mark.parametrize("options", [{"record": True}, {"links": "x-labctl: {links: [a-b delay 10ms]}"}])
def test_what_needs_packets_is_refused_by_name(engine, bring_up, tmp_path, options):
    service = "{image: x, labels: {dev.labctl.role: udp}}"
    file = tmp_path / "compose.yaml"
    file.write_text(f"name: lab\nservices: {{a: {service}, b: {service}}}\n{options.pop('links', '')}\n")
    with pytest.raises(LabError, match="has no packets"):
        bring_up(file, **options)
    assert engine.containers() == []
