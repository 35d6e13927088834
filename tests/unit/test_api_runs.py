"""Runs as a program saves, opens, compares and replays them; all of it on the engine in memory."""

import pytest

import labctl
from labctl.errors import EngineRefused, FileError, NodeNotFound, NotRecorded, RunError


@pytest.fixture
def engine():
    return labctl.MemoryEngine()


@pytest.fixture
def run(engine, tmp_path) -> labctl.SavedRun:
    with labctl.up("hello", name="first", engine=engine) as lab:
        lab.node("alice").send("hi")
        lab.node("bob").send("hello")
        lab.node("udp1").send("hey", to="udp2")
        return lab.save(tmp_path / "first.labrun")


def lines(run: labctl.SavedRun) -> list[tuple[str, str]]:
    return [(one.node, one.text) for one in run.inputs]


def test_a_run_is_saved_and_says_what_it_holds(run, tmp_path):
    again = labctl.open_run(tmp_path / "first.labrun")
    for found in (run, again):
        assert (found.lab, len(found.nodes), found.faults, found.sockets) == ("first", 7, (), ())
        assert lines(found) == [("alice", "hi"), ("bob", "hello"), ("udp1", "hey")]
        assert [one.get("text") for one in found.journal("bob") if one.name == "message"] == ["hi"]
        assert [one.name for one in found.journal("udp2", tail=1)] == ["recv"]
        assert "alice" in found.graph().text()
        assert found.as_json()["lab"] == "first"
    assert any("sockets" in note for note in run.notes), run.notes
    assert again.save(tmp_path / "copy.labrun") == (tmp_path / "copy.labrun").stat().st_size
    with pytest.raises(NodeNotFound, match="did you mean alice"):
        run.journal("alcie")
    for look in (run.ladder, run.xray):
        with pytest.raises(NotRecorded):
            look("alice", "bob")
    with pytest.raises(FileError):
        run.save(tmp_path / "nowhere" / "x.labrun")


def test_a_run_is_saved_without_what_was_said(engine, tmp_path):
    with labctl.up("hello", engine=engine) as lab:
        lab.node("alice").send("a secret")
        found = lab.save(tmp_path / "x.labrun", payload=False)
    assert lines(found) == [("alice", None)]
    assert "secret" not in str(labctl.open_run(tmp_path / "x.labrun").as_json())


def test_a_run_is_done_again(engine, run, tmp_path):
    told: list[str] = []
    with labctl.replay(run, name="second", record=False, engine=engine, report=told.append) as lab:
        assert lab.name == "second"
        assert [one.name for one in labctl.labs(engine=engine)] == ["second"]
        second = lab.save(tmp_path / "second.labrun")
    assert not [line for line in told if line.startswith("note: ")], told
    assert lines(second) == lines(run)
    assert labctl.labs(engine=engine) == ()
    same = run.diff(second)
    assert (same.same, same.partings) == (True, ())
    # From a file, under its old name.
    with labctl.replay(tmp_path / "first.labrun", record=False, engine=engine) as lab:
        assert lab.name == "first"
        lab.node("alice").send("and more")
        third = lab.save(tmp_path / "third.labrun")
    assert not run.diff(third).same
    assert any("and more" in str(parting) for parting in run.diff(third).partings)


def test_a_run_can_not_be_done_again(engine, run, tmp_path):
    labctl.up("hello", name="there", engine=engine)
    with pytest.raises(EngineRefused, match="has no packets"):
        labctl.replay(run, name="second", engine=engine)  # it would record them
    assert [one.name for one in labctl.labs(engine=engine)] == ["there"]
    service = "{image: labctl/chat-server, privileged: true}"
    file = tmp_path / "compose.yaml"
    file.write_text(f"name: lab\nservices: {{a: {service}}}\n")
    with labctl.up(file, engine=engine) as lab:
        lab.save(tmp_path / "mine.labrun")
    with pytest.raises(RunError, match="privileged"):
        labctl.replay(tmp_path / "mine.labrun", record=False, engine=engine)
    with labctl.replay(tmp_path / "mine.labrun", record=False, trust=True, engine=engine) as lab:
        assert [node.name for node in lab.nodes] == ["a"]
