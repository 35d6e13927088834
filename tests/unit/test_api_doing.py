"""What a program does with nodes of the in-memory engine, and what it reads of the answers."""

import select
import socket

import pytest
from memory_lab import Chat

import labctl
from labctl.engine.memory import Execution
from labctl.engine.model import Line, Port


@pytest.fixture
def engine():
    return labctl.MemoryEngine()


@pytest.fixture
def lab(engine):
    with labctl.up("hello", engine=engine) as found:
        yield found


def record_of(engine, lab, name):
    return engine._get(lab.snapshot().node(name).container.id)


def test_a_topology_as_a_picture(engine):
    found = labctl.graph("line:3", engine=engine)
    assert {node["node"] for node in found.as_json()["nodes"]} == {"client", "echo", "r1", "r2"}
    assert found.dot().startswith("graph")
    assert engine.containers() == [], "nothing is brought up"
    with pytest.raises(labctl.TopologyError):
        labctl.graph("lnie:3", engine=engine)


def test_an_echo_client_is_told_its_own_commands(lab):
    client = lab.node("client")
    assert client.echo("is anybody there?").answer == "is anybody there?"
    with pytest.raises(labctl.NodeError, match="echo client"):
        lab.node("alice").echo("hi")


def test_a_datagram_goes_to_any_host_and_port(lab):
    silent = lab.node("udp1").send_datagram("10.77.0.8:9", "hey", timeout=0.2)
    assert (silent.sender, silent.target, silent.text, silent.bytes) == ("udp1", "10.77.0.8:9", "hey", 3)
    assert (silent.peer, silent.answer, silent.seconds) == (("10.77.0.8", 9), None, 0.2)
    assert silent.as_json()["answer"] is None
    with pytest.raises(labctl.InvalidArgument, match="write HOST:PORT"):
        lab.node("udp1").send_datagram("udp2", "hey")
    with pytest.raises(labctl.EngineRefused, match="has no packets"):
        lab.node("web").send_datagram("udp2:9000", "hey")  # a helper would send it


def test_somebody_takes_a_connection(engine, lab):
    lab.engine.publishes = True
    with socket.create_server(("127.0.0.1", 0)) as server:
        web, port = record_of(engine, lab, "web"), server.getsockname()[1]
        web.record = web.record._replace(ports=(Port("tcp", 8080, "127.0.0.1", port),))
        found = lab.wait_for_answer("web:8080", timeout=30)
        assert found.peer == ("127.0.0.1", port)
        assert found.local[0] == "127.0.0.1"
        assert (found.tries, found.rtt_ns > 0) == (1, True)
        assert lab.wait_for_answer(f"127.0.0.1:{port}").tries == 1
    with pytest.raises(labctl.LabTimeout, match="Connection refused"):
        lab.wait_for_answer("web:8080", timeout=0.2)
    for wrong in ("web", "web:0", "alice:12345"):
        with pytest.raises(labctl.InvalidArgument):
            lab.wait_for_answer(wrong, timeout=0.2)
    lab.cancel()
    with pytest.raises(labctl.Cancelled):
        lab.wait_for_answer("web:8080", timeout=30)


def test_a_command_writes_where_it_is_shown(engine, lab):
    output = [Line(b"out\n"), Line(b"err\n", stderr=True)]
    record_of(engine, lab, "alice").commands = lambda command: Execution(output, len(command))
    seen: list[tuple[bytes, bool]] = []
    status = lab.node("alice").execute(
        ["a", "b"], keyboard=False, show=lambda *what: seen.append(what), why_ended=lambda cause: None
    )
    assert (status, seen) == (2, [(b"out\n", False), (b"err\n", True)])
    done = lab.node("alice").exec("a", "b", "c")
    assert (done.status, done.output, done.errors) == (3, b"out\n", b"err\n")


def test_what_is_gone_can_be_taken_down_once_more(engine, lab):
    assert not lab.down().is_empty
    assert lab.down().is_empty
    with pytest.raises(labctl.LabNotFound):
        lab.status()


def test_who_shares_a_network(engine, lab):
    pairs = lab.pairs()
    assert ("alice", "bob") in pairs
    assert ("bob", "alice") in pairs
    lab.node("bob").stop()
    assert ("alice", "bob") not in lab.pairs()
    assert lab.verdicts() == (), "no rule was ever there"


def test_a_state_in_words(lab):
    assert lab.node("bob").status().told == "ready"
    assert [port.place for port in lab.node("web").status().published] == ["127.0.0.1:8080"]
    lab.node("bob").kill()
    assert lab.node("bob").status().told.startswith("exited (137) ")
    assert not lab.node("bob").status().out_of_memory


def test_what_came_of_several(lab):
    lab.node("bob").stop()
    found = {one.node: one for one in lab.change("pause", "alice", "bob")}
    assert (found["alice"].problem, found["alice"].besides) == (None, ())
    assert isinstance(found["bob"].problem, labctl.NotRunning)


def test_a_selector_hears_of_a_decision():
    stop = labctl.Cancel()
    assert select.select([stop], [], [], 0)[0] == []
    stop.cancel()
    assert select.select([stop], [], [], 0)[0] == [stop]
    stop.cancel()
    assert stop.is_cancelled


def test_a_delivery_says_who_the_receiver_saw():
    engine = labctl.MemoryEngine()
    Chat(engine)
    sent = labctl.find(engine=engine).node("alice").send("hi")
    assert (sent.seen_from, sent.answer, sent.seconds >= 0) == (None, None, True)
