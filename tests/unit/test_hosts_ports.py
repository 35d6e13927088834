"""What passes between machines: the probe on real sockets, and what is made of what it says, on machines in memory."""

import json
import selectors
import socket
import threading

import pytest
from labmachine.listening import Listeners
from labmachine.trying import Trial
from labmachine.watching import Watch
from test_hosts_swarm import join, made, of

from labctl.engine.memory import MemoryEngine
from labctl.engine.model import LABEL_PROBE, LABEL_SOURCE, PROBE_IMAGE, Image
from labctl.errors import LabError
from labctl.lab.images import needed
from labctl.lab.machines.check import check

HERE, FAR = "127.0.0.1", "192.0.2.7"


def free(kind):
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind((HERE, 0))
        return sock.getsockname()[1]


@pytest.fixture
def machine():
    """A machine of which two ports are listened on, and the selector that serves them until the end of the test."""
    selector, running = selectors.DefaultSelector(), threading.Event()
    ports = [("tcp", free(socket.SOCK_STREAM)), ("udp", free(socket.SOCK_DGRAM))]
    listeners = Listeners(selector, ports)

    def serve():
        while not running.is_set():
            for key, _ in selector.select(0.05):
                key.data()

    thread = threading.Thread(target=serve)
    thread.start()
    yield ports, listeners
    running.set()
    thread.join()
    for key in list(selector.get_map().values()):
        key.fileobj.close()


def tried(ports, *, silent=(), seconds=5.0):
    selector = selectors.DefaultSelector()
    names = {"b": [f"{proto}/{port}" for proto, port in silent]}
    return list(Trial(selector, {"b": HERE}, ports, names, Watch(selector, {}, [])).run(seconds)["b"].values())


def test_ports_that_are_listened_on_are_open(machine):
    ports, listeners = machine
    assert listeners.held == []
    assert tried(ports) == ["open", "open"]


def test_a_port_where_nobody_is_refuses_and_a_datagram_gets_no_answer():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind((HERE, 0))
        held = [("udp", deaf.getsockname()[1])]
        assert tried([("tcp", free(socket.SOCK_STREAM)), *held], silent=held) == ["refused", "silent"]
        deaf.setblocking(False)
        with pytest.raises(BlockingIOError):  # somebody else's program is not bothered
            deaf.recv(1)
        assert tried(held, seconds=0.3) == ["silent"]
        assert deaf.recv(100).startswith(b"labctl ")


def test_a_port_that_somebody_else_has_is_told(machine):
    ports, _ = machine
    selector = selectors.DefaultSelector()
    assert Listeners(selector, ports).held == ports


def datagram(source, target, *, fragment=0, port=7946):
    head = bytes([0x45, 0, 0, 28, 0, 0, 0x40 | fragment, 0, 64, 17, 0, 0])
    ends = port.to_bytes(2, "big") * 2
    return head + socket.inet_aton(source) + socket.inet_aton(target) + ends + bytes(4)


def test_an_answer_right_behind_what_came_shows_that_it_was_taken():
    watch = Watch(selectors.DefaultSelector(), {"b": FAR}, [7946])
    seen = watch.found["b"]["7946"]
    watch.see(datagram(HERE, FAR), True, 1.0)
    assert seen == {"came": False, "taken": False}
    watch.see(datagram(FAR, HERE), False, 2.0)
    watch.see(datagram(HERE, FAR), True, 2.5)
    assert (seen, watch.is_done) == ({"came": True, "taken": False}, False)
    watch.see(datagram(FAR, HERE), False, 3.0)
    watch.see(datagram(HERE, FAR), True, 3.001)
    assert (seen, watch.is_done) == ({"came": True, "taken": True}, True)


@pytest.mark.parametrize(
    "packet", [b"", datagram(FAR, HERE)[:24], datagram(FAR, HERE, fragment=1), datagram(FAR, HERE, port=53)]
)
def test_what_is_no_datagram_of_the_swarm_is_left_alone(packet):
    watch = Watch(selectors.DefaultSelector(), {"b": FAR}, [7946])
    watch.see(packet, False, 1.0)
    assert watch.found["b"]["7946"] == {"came": False, "taken": False}


@pytest.fixture
def between(monkeypatch):
    """`between(held, state, watched)`: what is found of two machines whose helpers say so; by default all is open."""
    monkeypatch.setattr(needed, "ensure_probe", lambda *rest: None)
    source = MemoryEngine()
    source.images[PROBE_IMAGE] = Image("sha256:1", {LABEL_SOURCE: "x"}, names=(PROBE_IMAGE,))

    def look(held=(), state=lambda sender, receiver, port: "open", watched=None, *, joined=False, sent=True):
        engines = made("a", "b")
        if joined:
            join(engines)
        for name, engine in engines.items():
            # What a look that was killed has left.
            engine.add("labctl-check-1", "left", state="exited", labels={LABEL_PROBE: "machines"})

            def program(order, name=name):
                def typed(node, line):
                    given = json.loads(line)
                    said = {"event": "told", "held": list(held), "address": HERE}
                    if given["do"] == "try":
                        ports = order.command[-1].split(",")
                        found = {to: {port: state(name, to, port) for port in ports} for to in given["peers"]}
                        seen = {other: {"7946": watched} for other in given["watched"]}
                        said = {"event": "tried", "found": found, "watched": seen}
                    node.print(json.dumps(said))

                return typed

            engine.probe_program = program
        addresses = {"a": "192.0.2.1", "b": "192.0.2.2"}
        found = list(check(engines, source, lambda text: None, addresses=addresses))
        if sent:
            assert all(engine.containers() == [] for engine in engines.values())
            assert all(engine.image(PROBE_IMAGE).id == "sha256:1" for engine in engines.values())
        return [one for one in found if one.check == "ports"]

    return look


def test_all_open(between):
    found = between()
    assert [one.level for one in found] == ["ok", "ok"]
    assert of(found, "a", "ports").what == "2377/tcp, 7946/tcp, 7946/udp, 4789/udp reached from b"
    assert len(of(found, "a", "ports").as_json()["ports"]) == 4


def test_where_nothing_can_be_sent_from_those_that_have_the_image_are_looked_at(between, monkeypatch):
    def fail(*rest):
        raise LabError("engine-unreachable", endpoint="here", why="Connection refused")

    monkeypatch.setattr(needed, "ensure_probe", fail)
    found = between(sent=False)
    assert [(one.host, one.level) for one in found] == [("a", "note"), ("b", "note")]
    assert "it has no image of labctl's, and no Docker engine answers" in found[0].what
    monkeypatch.setattr(MemoryEngine, "image", lambda self, name: Image("sha256:1", {}))
    assert [one.level for one in between()] == ["ok", "ok"]


def test_a_port_that_is_closed_one_way(between):
    found = between(state=lambda sender, receiver, port: "silent" if (receiver, port) == ("b", "udp/4789") else "open")
    bad = [one for one in found if one.level == "bad"]
    assert [(one.host, one.what) for one in bad] == [("b", "4789/udp from a: closed (nothing comes back)")]
    found = between(state=lambda sender, receiver, port: "refused" if port == "tcp/2377" else "open")
    assert {one.what for one in found if one.level == "bad"} == {
        "2377/tcp from a: closed (refused)",
        "2377/tcp from b: closed (refused)",
    }


def test_a_port_that_another_program_has(between):
    found = between(held=["tcp/7946"])
    assert "7946/tcp is taken there by another program" in next(one.what for one in found if one.level == "bad")


def test_what_the_swarm_has_is_open_where_that_was_seen_and_unknown_elsewhere(between):
    def state(sender, receiver, port):
        return "silent" if port.startswith("udp") else "open"

    held = ["udp/7946", "udp/4789"]
    found = between(held, state, {"came": True, "taken": True}, joined=True)
    assert "7946/udp" in found[0].what
    assert found[1].what == "4789/udp from b: unknown (the swarm has it, and nothing was seen there)"
    assert (found[1].level, found[1].mend) == ("note", "")
    found = between(held, state, {"came": True, "taken": False}, joined=True)
    assert "7946/udp from b: unknown (the swarm's datagrams come, and no answer to them was seen)" in [
        one.what for one in found
    ]
