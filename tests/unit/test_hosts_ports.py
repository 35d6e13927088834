"""What passes between machines: the probe on real sockets, and what is made of what it says, on machines in memory."""

import json
import selectors
import socket
import threading
import time

import pytest
from labmachine.listening import Listeners
from labmachine.trying import Trial
from labmachine.watching import Watch
from test_hosts_swarm import join, made, of

from labctl.engine.hosts import seen
from labctl.engine.memory import MemoryEngine
from labctl.engine.model import LABEL_PROBE, LABEL_SOURCE, PROBE_IMAGE, Image
from labctl.engine.several.engine import SeveralEngines
from labctl.errors import LabError
from labctl.lab import spanning
from labctl.lab.images import needed
from labctl.lab.machines.check import check
from labctl.lab.machines.fit import refuse_unfit

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


def helped(engines, held=(), state=lambda sender, receiver, port: "open", watched=None):
    """The helpers on these machines say so of what passes between them."""
    for name, engine in engines.items():

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


@pytest.fixture
def source(monkeypatch):
    """The engine that has the helpers' image."""
    monkeypatch.setattr(needed, "ensure_probe", lambda *rest: None)
    engine = MemoryEngine()
    engine.images[PROBE_IMAGE] = Image("sha256:1", {LABEL_SOURCE: "x"}, names=(PROBE_IMAGE,))
    return engine


@pytest.fixture
def between(source):
    """`between(held, state, watched)`: what is found of two machines whose helpers say so; by default all is open."""

    def look(held=(), state=lambda sender, receiver, port: "open", watched=None, *, joined=False, sent=True):
        engines = made("a", "b")
        if joined:
            join(engines)
        for engine in engines.values():
            # What a look that was killed has left.
            engine.add("labctl-check-1", "left", state="exited", labels={LABEL_PROBE: "machines"})
        helped(engines, held, state, watched)
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


@pytest.fixture
def joined(source, tmp_path, monkeypatch):
    """Two machines in one swarm, as `up` looks at them; how often their helpers were asked; and what it said."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    (tmp_path / "labctl").mkdir()
    engines, asked, told = made("a", "b"), [], []
    join(engines)

    def look(**closed):
        def state(sender, receiver, port):
            asked.append((sender, receiver, port))
            return "silent" if closed.get(receiver) == port else "open"

        helped(engines, state=state)
        refuse_unfit(engines, lambda: source, told.append)

    return look, asked, told


def test_up_looks_at_the_ports_once_an_hour(joined, monkeypatch):
    look, asked, _ = joined
    look()
    assert {port for _, _, port in asked} == {"tcp/2377", "tcp/7946", "udp/7946", "udp/4789"}
    asked.clear()
    look()
    assert asked == []
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + seen.HOLDS)
    look()
    assert asked


def test_up_refuses_where_a_port_is_closed_and_looks_again(joined):
    look, asked, _ = joined
    for _ in range(2):
        asked.clear()
        with pytest.raises(LabError, match=r"can be on b: 4789/udp from a: closed \(nothing comes back\)") as caught:
            look(b="udp/4789")
        assert (caught.value.code, bool(asked)) == ("hosts-unfit", True)
    look()


def test_only_a_manager_is_asked_for_at_2377(joined):
    look, _, told = joined
    look(b="tcp/2377")
    assert told[-1] == "note: b: 2377/tcp from a: closed (nothing comes back); only managers of the swarm need it"
    seen.forget()
    with pytest.raises(LabError, match="2377/tcp from b: closed"):
        look(a="tcp/2377")


def test_an_up_that_failed_has_them_looked_at_again(joined):
    look, asked, _ = joined
    look()
    asked.clear()
    both = SeveralEngines({"a": MemoryEngine(), "b": MemoryEngine()})
    with pytest.raises(LabError), spanning.doubting(both):
        raise LabError("no-manager", machines="a, b")
    look()
    assert asked


@pytest.mark.parametrize("text", ["", "[]", '{"version": 2, "open": {}}', '{"version": 1, "open": {"x": "y"}}'])
def test_a_list_of_ports_that_is_none_is_looked_up_anew(joined, text):
    look, asked, _ = joined
    seen.file().write_text(text)
    look()
    assert asked
    asked.clear()
    look()
    assert not asked
