"""The Python API on the engine in memory: what it gives, how it ends, what it leaves alone."""

import datetime as dt
import json
import resource
import statistics
import subprocess
import sys
import threading
import time

import pytest
from memory_lab import ALICE, BOB, Chat, event

import labctl


@pytest.fixture
def chat():
    return Chat(labctl.MemoryEngine())


@pytest.fixture
def lab(chat):
    return labctl.find(engine=chat.engine)


def test_a_lab_and_its_nodes(lab):
    assert (lab.name, lab.owner, lab.is_mine) == ("lab", None, True)
    assert [node.name for node in lab.nodes] == ["alice", "bob"]
    alice = lab.node("alice")
    assert (alice.role, alice.addresses, alice.networks) == ("chat", (ALICE[0],), {"lab_net": (ALICE[0],)})
    assert [status.node.name for status in lab.status()] == ["alice", "bob"]
    assert (alice.status().state, alice.ports) == ("running", ())
    with pytest.raises(labctl.NodeNotFound, match="did you mean alice"):
        lab.node("alcie")


def test_a_lab_is_found_by_its_name_or_as_the_only_one(chat, monkeypatch):
    monkeypatch.setenv("LABCTL_LAB", "other")  # is the command line's
    assert labctl.find(engine=chat.engine).name == "lab"
    chat.engine.add("other", "a")
    assert [one.name for one in labctl.labs(engine=chat.engine)] == ["lab", "other"]
    assert labctl.find("other", engine=chat.engine).name == "other"
    with pytest.raises(labctl.LabNotFound, match="several labs are there: lab, other"):
        labctl.find(engine=chat.engine)


def test_a_line_is_sent_and_its_delivery_seen(lab):
    first = lab.node("alice").send("hi")
    assert (first.sender, first.receiver, first.local, first.peer, first.offset) == ("alice", "bob", ALICE, BOB, 0)
    [sent] = [one for one in lab.node("alice").logs() if one.name == "send"]
    assert first.at == sent.ts
    assert lab.node("alice").send("again").offset == 3


def test_nobody_shows_the_line(chat, lab):
    chat.arrives = False
    with pytest.raises(labctl.NotConfirmed) as caught:
        lab.node("alice").send("hi", timeout=0.1)
    assert caught.value.values["may_go_out"]


def test_a_line_at_a_node_that_sends_none(chat, lab):
    chat.engine.add("lab", "router", role="router")
    with pytest.raises(labctl.NodeError, match="needs a chat node, an echo client or a UDP peer"):
        lab.node("router").send("hi")


def test_a_line_is_typed(lab):
    sent = lab.node("bob").type("hello")
    assert (sent.node, sent.confirmed) == ("bob", True)


def test_the_journal(chat, lab):
    lab.node("alice").send("hi")
    assert [one.name for one in lab.journal("alice")] == ["input", "send"]
    assert [one.name for one in lab.journal(tail=1)] == ["message"]
    assert [one.name for one in lab.journal(since=dt.timedelta(days=1))] == ["input", "send", "message"]
    later = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
    assert list(lab.journal(since=later)) == []
    with pytest.raises(labctl.InvalidArgument, match="neither a span nor a time"):
        list(lab.journal(since="yesterday"))


def test_the_journal_is_followed_until_somebody_says_so(chat, lab):
    chat.engine.later(lambda: event(chat.alice, "one"))
    stop = labctl.Cancel()
    seen = []
    for found in lab.journal(follow=True, until=stop, timeout=30):
        seen.append(found.name)
        stop.cancel()
    assert seen == ["one"]


def test_the_journal_is_followed_for_a_while(lab):
    begun = time.monotonic()
    assert list(lab.journal(follow=True, timeout=0.2)) == []
    assert 0.2 <= time.monotonic() - begun < 10


def test_a_cancelled_lab_waits_for_nothing_and_can_still_be_taken_down(chat, lab):
    lab.cancel()
    with pytest.raises(labctl.Cancelled):
        lab.node("alice").send("hi")
    with pytest.raises(labctl.Cancelled):
        lab.wait("exited", timeout=30)
    with pytest.raises(labctl.Cancelled):
        list(lab.journal(follow=True))
    assert labctl.find(engine=chat.engine).node("alice").send("hi").receiver == "bob"
    assert lab.down().containers == 2


def test_a_wait_is_cancelled_from_another_thread(lab):
    begun = time.monotonic()
    threading.Timer(0.1, lab.cancel).start()
    with pytest.raises(labctl.Cancelled):
        lab.wait("exited", timeout=60)
    assert time.monotonic() - begun < 30


def test_waits_for_states_and_events(chat, lab):
    lab.node("bob").stop()
    assert lab.wait("exited", nodes=("bob",))[0].exit_code == 0
    with pytest.raises(labctl.LabTimeout):
        lab.node("alice").wait("exited", timeout=0.05)
    with pytest.raises(labctl.InvalidArgument, match="none of ready, running"):
        lab.wait("happy")
    chat.engine.later(lambda: event(chat.alice, "message", text="say hi"))
    assert lab.wait_for('message "hi"', timeout=5).node == "alice"


def test_the_life_of_a_node(chat, lab):
    bob = lab.node("bob")
    bob.kill()
    assert bob.status().node.container.exit_code == 137
    with pytest.raises(labctl.NotRunning, match="bob exited"):
        bob.send("hi")
    bob.kill  # noqa: B018 - a method, and not done by itself
    alice = lab.node("alice")
    alice.pause()
    assert alice.status().state == "paused"
    alice.unpause()
    alice.kill(signal="HUP")
    assert [(verb, signal) for verb, _, signal in chat.engine.changes] == [
        ("kill", "SIGKILL"),
        ("pause", None),
        ("unpause", None),
        ("kill", "SIGHUP"),
    ]


def test_a_command_in_a_node(chat, lab):
    from labctl.engine.memory import Execution
    from labctl.engine.model import Line

    def answer(command):
        return Execution([Line(b"out\n"), Line(b"err\n", True)], 3)

    chat.alice.commands = answer
    done = lab.node("alice").exec("anything", input=b"typed")
    assert (done.status, done.output, done.errors, done.text) == (3, b"out\n", b"err\n", "out\n")


def test_another_ones_lab_is_looked_at_and_not_changed(chat):
    labels = {"dev.labctl.owner": "12345@elsewhere/somebody"}
    chat.engine.add("theirs", "a", role="chat", labels=labels)
    theirs = labctl.find("theirs", engine=chat.engine)
    assert not theirs.is_mine
    assert list(theirs.journal()) == []
    for change in (lambda: theirs.node("a").send("hi"), theirs.node("a").stop, theirs.down):
        with pytest.raises(labctl.ForeignLab, match="another one's: somebody@elsewhere"):
            change()
    forced = labctl.find("theirs", engine=chat.engine, force=True)
    forced.node("a").stop()
    assert forced.down().containers == 1


def test_a_lab_that_was_found_stays_after_the_with(chat):
    with labctl.find(engine=chat.engine) as lab:
        assert lab.name == "lab"
    assert labctl.find(engine=chat.engine).nodes


def test_several_labs_in_several_threads(capfd):
    """Each its own engine, and a name of its own: locks are files by lab."""
    problems = []

    def one(number):
        try:
            engine = labctl.MemoryEngine()
            Chat(engine)
            lab = labctl.find(engine=engine)
            for count in range(20):
                assert lab.node("alice").send(f"{number} {count}").text == f"{number} {count}"
            assert len(list(lab.journal())) == 60
        except BaseException as problem:  # noqa: BLE001 - told below
            problems.append(problem)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not problems
    assert capfd.readouterr() == ("", "")


def test_importing_it_imports_nothing_else():
    code = "import sys, labctl; print(*(name for name in sys.modules if name.startswith('labctl')))"
    got = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert got.stdout.split() == ["labctl"]


def test_every_public_name_is_there_and_told():
    for name in labctl.__all__:
        found = getattr(labctl, name)
        assert found.__doc__, name
        assert name in dir(labctl)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        labctl.nothing  # noqa: B018


def test_a_delivery_is_frozen_and_goes_into_json(lab):
    delivery = lab.node("alice").send("hi")
    with pytest.raises(AttributeError):
        delivery.text = "other"
    assert json.loads(json.dumps(delivery.as_json()))["text"] == "hi"


def test_a_topology_is_checked_planned_and_built_before_it_is_a_lab(tmp_path):
    engine = labctl.MemoryEngine()
    file = tmp_path / "compose.yaml"
    file.write_text("services: {web: {image: x, depends_on: [nobody]}}\n")
    report = labctl.validate(file, engine=engine)
    assert [problem.code for problem in report.problems] == ["unknown-name"]
    assert labctl.validate("line:3", engine=engine).problems == ()
    found = labctl.plan("line:3", name="mine", engine=engine)
    assert (found.lab, len(found.nodes)) == ("mine", 4)
    assert labctl.labs(engine=engine) == ()
    assert "labctl/echo-server" in labctl.build("hello", engine=engine)
    with pytest.raises(labctl.TopologyError, match="there is no topology nonesuch"):
        labctl.up("nonesuch", engine=engine)


def test_four_threads_bring_up_labs_of_their_own_on_one_engine():
    engine, found, problems = labctl.MemoryEngine(), {}, []

    def one(number):
        try:
            with labctl.up("hello", name=f"lab{number}", engine=engine) as lab:
                found[number] = [lab.node("alice").send(f"{number} {count}").text for count in range(5)]
        except BaseException as problem:  # noqa: BLE001 - told below
            problems.append(problem)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    assert not problems
    assert found == {number: [f"{number} {count}" for count in range(5)] for number in range(4)}
    assert labctl.labs(engine=engine) == ()


def test_what_is_inside_a_node(chat, lab):
    from labctl.engine.model import Process

    chat.alice.running.append(Process(1, 0, "root", 0.0, 1, "0:00", "python3"))
    assert [one.command for one in lab.node("alice").processes()] == ["python3"]
    assert lab.node("alice").inspect().status.node.name == "alice"


def test_importing_it_takes_no_time():
    """As whole processes, in pairs, by the time that they have a core: waiting for one is no part of it."""

    def seconds(code: str) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-c", code], timeout=60, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    pairs = [(seconds("import labctl"), seconds("pass")) for _ in range(21)]
    assert statistics.median(ours / theirs for ours, theirs in pairs) <= 1.5, pairs
