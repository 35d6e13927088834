"""What a program is told of a lab of the in-memory engine, types at it and sees drawn of it; machines, files, runs."""

import os
import threading

import pytest
from memory_lab import Chat, event
from traffic import tcp, udp

import labctl
from labctl.packets.model import SYN

MINE = "10.77.0.5"


@pytest.fixture
def lab():
    engine = labctl.MemoryEngine()
    with labctl.up("hello", engine=engine) as found:
        yield found


def test_lines_of_a_file_are_typed_and_the_journal_is_shown_meanwhile(lab):
    reads, writes = os.pipe()
    seen, heard = [], threading.Event()

    def show(found):
        seen.append((found.name, found.get("text")))
        if found.name == "send":
            os.close(writes)  # the end of what is typed

    def seated():
        heard.set()
        os.write(writes, b"hi\n")

    with os.fdopen(reads, "rb") as source:
        lab.node("alice").attach(source, show, ready=seated, timeout=10)
    assert heard.is_set()
    assert [one for one in seen if one[0] in ("input", "send")] == [("input", "hi"), ("send", "hi")]


def test_what_has_no_keyboard_can_not_be_attached_to(lab):
    lab.node("bob").kill()
    with open(os.devnull, "rb") as nothing, pytest.raises(labctl.NotRunning):
        lab.node("bob").attach(nothing, print)


def test_the_conversation(lab):
    lab.node("alice").send("hi")
    lab.node("bob").send("hello")
    said = [(one.source, one.text) for one in lab.chat_log() if one.kind == "message"]
    assert said == [("alice", "hi"), ("bob", "hello")]


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (0, 1, 3, 2), (1, 0, 2, 3), (1, 0, 3, 2), (2, 3), (3, 2)], ids=str)
def test_a_conversation_begins_and_ends_once_in_whichever_order_its_sides_tell(order):
    """Also one that had begun before."""
    engine = labctl.MemoryEngine()
    nodes = {name: engine.add("lab", name, role="chat") for name in ("alice", "bob")}
    ends = {"alice": ["10.77.0.5", 12345], "bob": ["10.77.0.6", 50000]}
    for place in order:
        name, state = [("alice", "open"), ("bob", "open"), ("alice", "ended"), ("bob", "ended")][place]
        event(nodes[name], "session", state=state, local=ends[name], peer=ends["bob" if name == "alice" else "alice"])
    kinds = [one.kind for one in labctl.find(engine=engine).chat_log()]
    assert kinds == [kind for kind in ("open", "ended") if len(order) == 4 or kind == "ended"]


def test_the_conversation_goes_on_until_somebody_says_so(lab):
    stop, seen = labctl.Cancel(), []
    thread = threading.Thread(target=lambda: ready.wait(30) and lab.node("alice").send("now"))
    ready = threading.Event()
    thread.start()
    for one in lab.chat_log(follow=True, until=stop, timeout=60, ready=ready.set):
        if one.kind == "message":
            seen.append(one.text)
            stop.cancel()
    thread.join(30)
    assert seen == ["now"]


def test_where_nobody_talks_there_is_no_conversation():
    engine = labctl.MemoryEngine()
    engine.add("lab", "a", role="http")
    with pytest.raises(labctl.NodeError) as problem:
        list(labctl.find(engine=engine).chat_log())
    assert problem.value.code == "wrong-role"


def test_a_lab_as_a_picture(lab):
    found = lab.graph()
    for text in (found.text(), found.svg(), found.mermaid(), found.dot(), str(found)):
        assert "alice" in text
        assert MINE in text
    names = {node["node"] for node in found.as_json()["nodes"]}
    assert names == {node.name for node in lab.nodes}
    lab.node("bob").kill()
    assert lab.graph().as_json() != found.as_json(), "it is the lab as it is now"


def test_names_that_are_meant(lab):
    assert lab.choose("alice", "bob") == ("alice", "bob")
    assert set(lab.choose()) == {node.name for node in lab.nodes}
    assert lab.watched("web") == ("web",)
    assert lab.hosts("alice-bob") == ("alice", "bob")
    assert lab.addresses()["alice"] == (MINE,)
    for ask in (lab.choose, lab.watched, lab.hosts, lab.need_programs):
        with pytest.raises(labctl.NodeNotFound, match="did you mean alice"):
            ask("alcie")
    with pytest.raises(labctl.NodeError):
        lab.need_programs("alice")
    assert lab.clocks() == ""


def test_a_snapshot_is_of_its_moment(lab):
    before = lab.snapshot()
    lab.node("bob").stop()
    assert (before.node("bob").is_running, lab.snapshot().node("bob").is_running) == (True, False)
    assert lab.changeable().name == lab.name


def test_a_lab_of_somebody_else_is_not_changeable():
    engine = labctl.MemoryEngine()
    made = engine.add("lab", "a", role="http")
    made.record.labels["dev.labctl.owner"] = "1234@elsewhere/somebody"
    with pytest.raises(labctl.ForeignLab):
        labctl.find("lab", engine=engine).changeable()
    assert labctl.find("lab", engine=engine, force=True).changeable().name == "lab"


def test_a_wait_that_is_told_of_its_end():
    told = labctl.Cancel()
    assert not told.is_cancelled
    told.cancel()
    assert told.is_cancelled


def test_an_event_crosses_to_the_other_end():
    engine = labctl.MemoryEngine()
    chat = Chat(engine)
    lab = labctl.find(engine=engine)
    lab.node("alice").send("hi")
    sent, message = (next(one for one in lab.journal() if one.name == name) for name in ("send", "message"))
    assert message.crosses_to(sent)
    event(chat.alice, "other")
    other = next(one for one in lab.journal() if one.name == "other")
    assert not other.crosses_to(sent)


def test_machines_are_added_shown_and_removed(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert labctl.hosts() == {}
    made = labctl.add_host("one", "tcp://127.0.0.1:1")
    assert labctl.hosts() == {"one": made}
    assert made.reached_at == "", "others can't reach it by its own loopback"
    assert (made.tls, made.is_open) == (None, False), "nobody else reaches its loopback"
    assert labctl.add_host("open", "tcp://192.0.2.1:2375").is_open, "whoever reaches the port has the machine"
    labctl.remove_host("open")
    assert labctl.add_host("two", "ssh://me@there.example").reached_at == "there.example"
    assert labctl.remove_host("two").name == "two"
    with pytest.raises(labctl.InvalidArgument):
        labctl.add_host("one", "tcp://127.0.0.1:2")
    other = labctl.add_host("one", "tcp://127.0.0.1:2", replace=True)
    assert labctl.hosts() == {"one": other}
    found = labctl.check_hosts(["one"])
    assert "bad" in {one.level for one in found if one.host == "one"}, "nobody listens there"
    with pytest.raises(labctl.LabError):
        labctl.join_hosts(["one"])
    with pytest.raises(labctl.LabError):
        labctl.leave_hosts(["one"])
    assert labctl.remove_host("one") == other
    with pytest.raises(labctl.LabNotFound):
        labctl.remove_host("one")


def test_what_the_machine_has():
    found = labctl.doctor(engine=labctl.MemoryEngine())
    assert {"command", "engine"} <= {one.check for one in found}
    assert all(one.what and one.level in ("ok", "note", "bad") for one in found)


def test_a_file_that_is_no_run(tmp_path):
    file = tmp_path / "x.labrun"
    file.write_text("nothing")
    for act in (lambda: labctl.open_run(file), lambda: labctl.replay(file, engine=labctl.MemoryEngine())):
        with pytest.raises(labctl.RunError, match="no whole zip file"):
            act()
    with pytest.raises(labctl.FileError, match="No such file"):
        labctl.open_run(tmp_path / "none.labrun")


def test_packets_of_no_lab_are_read_from_files(tmp_path):
    from labctl.api import files
    from labctl.packets.files.write import Writer
    from labctl.packets.protocols.link import RAW

    file = tmp_path / "a.pcapng"
    with file.open("wb") as out:
        writer = Writer(out)
        number = writer.interface("eth0", RAW)
        writer.packet(number, 1, tcp(MINE, 1, "10.77.0.6", 2, 7, 8, SYN))
        writer.packet(number, 2, udp(MINE, 1, "10.77.0.6", 2, b"x"))
    assert files.is_file(str(file))
    assert not files.is_file("alice")
    found = files.packets(str(file), 1)
    assert ([one.protocol for one in found.first], found.total, found.problem) == (["tcp"], 2, None)
    assert files.packet(str(file), -1)[0].protocol == "udp"
    with pytest.raises(labctl.CaptureError):
        files.packet(str(file), 3)
