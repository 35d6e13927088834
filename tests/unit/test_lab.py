"""Finding labs and nodes, their journal, and taking them down, on the in-memory engine."""

import json

import pytest
from memory_lab import event

from labctl.cli.context import asked_name
from labctl.engine.memory import MemoryEngine
from labctl.engine.projects import Reading
from labctl.errors import LabError
from labctl.lab import journal
from labctl.lab.life.change import change
from labctl.lab.life.down import down, known
from labctl.lab.life.ready import wait_ready
from labctl.lab.life.status import ps
from labctl.lab.model import find, find_all
from labctl.lab.validate import problems_in, validate
from labctl.topology.model import project_name, written_name


def test_the_only_lab_is_meant(engine, monkeypatch):
    monkeypatch.delenv("LABCTL_LAB", raising=False)
    with pytest.raises(LabError, match="no lab is there"):
        find(engine)
    engine.add("one", "a")
    assert find(engine).name == "one"
    engine.add("two", "a")
    with pytest.raises(LabError, match="several labs are there: one, two"):
        find(engine)
    assert find(engine, "two").name == "two"
    monkeypatch.setenv("LABCTL_LAB", "one")
    assert find(engine, asked_name(None)).name == "one"
    with pytest.raises(LabError, match="there is no lab tow; did you mean two"):
        find(engine, "tow")


@pytest.mark.parametrize("name", ["Upper", "with space", "-x", "a/b", "ä", "a;b"])
def test_odd_lab_names_are_refused(engine, name):
    with pytest.raises(LabError, match="is not a lab's name"):
        find(engine, name)


def test_a_foreign_project_is_found_by_its_name_only(engine):
    engine.add("theirs", "db", ours=False)
    assert find_all(engine) == []
    found = find(engine, "theirs")
    assert not found.ours
    assert [node.name for node in found.nodes] == ["db"]


def test_scaled_services_are_told_apart(engine):
    engine.add("lab", "peer")
    engine.add("lab", "peer")
    engine.add("lab", "web")
    # Compose numbers them; here both say 1, and the engine's order is kept.
    assert [node.name for node in find(engine).nodes] == ["peer-1", "peer-1", "web"]


@pytest.mark.parametrize(
    ("address", "owner"),
    [
        ("10.77.0.5", "alice"),
        ("::ffff:10.77.0.5", "alice"),
        ("::FFFF:a4d:5", "alice"),
        ("fd77:0:0::5", "alice"),
        ("fd77::5%eth0", "alice"),
        ("fd77::6", None),
        ("10.77.0.55", None),
        ("::", None),
        ("no: address", None),
    ],
)
def test_an_address_s_owner_is_found_in_whichever_way_it_is_written(engine, lab_of, address, owner):
    engine.add("lab", "alice", addresses={"net": ("10.77.0.5", "fd77::5")})
    engine.add("lab", "bob", addresses={"net": ("10.77.0.6", "FD77:0::7")})
    found = lab_of().owner(address)
    assert (found and found.name) == owner
    assert lab_of().owner("fd77::7").name == "bob"


def test_down_removes_what_carries_the_label_and_nothing_else(engine):
    engine.add("mine", "a", addresses={"mine_net": ("10.0.0.2",)})
    engine.add("theirs", "db", addresses={"theirs_net": ("10.1.0.2",)}, ours=False)
    removed = down(engine, "mine", lambda text: None)
    assert (removed.containers, removed.networks) == (1, 1)
    assert [record.name for record in engine.containers()] == ["theirs-db-1"]
    assert [network.name for network in engine.networks()] == ["theirs_net"]
    assert down(engine, "mine", lambda text: None).is_empty
    assert known(engine) == []


def test_the_journal_is_one_timeline(engine, lab_of):
    a, b = engine.add("lab", "a"), engine.add("lab", "b")
    for number in range(6):
        event((a, b)[number % 2], "input", bytes=number)
    a.print("no JSON at all")
    b.print(b"\xff\xfe", stderr=True)
    events = journal.read(engine, lab_of())
    assert [item.get("bytes") for item in events[:6]] == list(range(6))
    assert [(item.node, item.name, item.get("text")) for item in events[6:]] == [
        ("a", "log", "no JSON at all"),
        ("b", "log", "\ufffd\ufffd"),
    ]
    assert [item.get("bytes") for item in journal.read(engine, lab_of(), ["b"], tail=2)] == [5, None]
    assert len(journal.read(engine, lab_of(), tail=0)) == 0
    since = events[3].ts
    assert [item.get("bytes") for item in journal.read(engine, lab_of(), since=since)][:3] == [3, 4, 5]
    with pytest.raises(LabError, match="there is no node c"):
        journal.read(engine, lab_of(), ["c"])


def test_following_goes_on_where_reading_ended(engine, lab_of):
    a, b = engine.add("lab", "a"), engine.add("lab", "b")
    event(a, "input", bytes=0)
    engine.later(lambda: event(b, "input", bytes=1))
    engine.later(lambda: event(a, "input", bytes=2))
    engine.later(lambda: (a.end(), b.end()))
    assert [item.get("bytes") for item in journal.follow(engine, lab_of())] == [0, 1, 2]


def test_ps_tells_ready_from_running(engine, lab_of):
    web = engine.add("lab", "web", role="http", addresses={"lab_net": ("10.77.0.2",)})
    engine.add("lab", "gone", role="chat", state="exited")
    states = {status.node.name: status for status in ps(engine, lab_of())}
    assert states["web"].state == "running"
    event(web, "ready")
    assert [status.state for status in ps(engine, lab_of())] == ["exited", "ready"]
    assert json.dumps(states["web"].as_json())


def test_a_node_that_fails_is_named_with_its_last_lines(engine: MemoryEngine, lab_of):
    web = engine.add("lab", "web", role="http")
    web.print("Traceback: it was the port")
    engine.later(lambda: web.end(1))
    with pytest.raises(LabError) as caught:
        wait_ready(engine, lab_of(), 0, 5, lambda text: None)
    assert caught.value.message == (
        "web failed: it ended with exit status 1; its last lines:\n    Traceback: it was the port"
    )


def test_nodes_that_never_get_ready_are_named(engine, lab_of):
    engine.add("lab", "b", role="http")
    engine.add("lab", "a", role="chat")
    with pytest.raises(LabError, match="not ready within 5 s: a, b"):
        wait_ready(engine, lab_of(), 0, 5, lambda text: None)


def test_ready_counts_for_the_run_that_said_so(engine, lab_of):
    web = engine.add("lab", "web", role="http")
    event(web, "ready")
    engine.change("restart", web.record.id)
    assert [status.state for status in ps(engine, lab_of())] == ["running"]
    with pytest.raises(LabError, match="not ready within 5 s: web"):
        wait_ready(engine, lab_of(), 0, 5, lambda text: None)
    event(web, "ready")
    assert [status.state for status in ps(engine, lab_of())] == ["ready"]
    wait_ready(engine, lab_of(), 0, 5, lambda text: None)


def test_verbs_need_a_state_in_which_they_make_sense(engine, lab_of):
    engine.add("lab", "a")
    change(engine, lab_of(), "pause", "a", timeout=1)
    assert lab_of().node("a").container.state == "paused"
    with pytest.raises(LabError, match="a is paused, so labctl can't start it"):
        change(engine, lab_of(), "start", "a", timeout=1)
    change(engine, lab_of(), "unpause", "a", timeout=1)
    change(engine, lab_of(), "stop", "a", timeout=1)
    with pytest.raises(LabError, match=r"a exited \(0\) less than a second ago, so labctl can't kill it"):
        change(engine, lab_of(), "kill", "a", timeout=1)


def test_somebodys_node_is_ready_when_its_healthcheck_says_so(engine, lab_of):
    db = engine.add("lab", "db")
    engine.add("lab", "job")
    db.record = db.record._replace(health="starting")
    lab = lab_of()
    assert [status.state for status in ps(engine, lab)] == ["starting", "running"]
    with pytest.raises(LabError, match="not ready within 5 s: db$"):
        wait_ready(engine, lab, 0, 5, lambda text: None)
    said: list[str] = []
    db.record = db.record._replace(health="healthy")
    wait_ready(engine, lab, 0, 5, said.append)
    assert said == ["db is ready"]
    assert [status.state for status in ps(engine, lab_of())] == ["healthy", "running"]


def test_an_unhealthy_node_has_failed(engine, lab_of):
    db = engine.add("lab", "db")
    db.print("last words")
    db.record = db.record._replace(health="unhealthy")
    with pytest.raises(LabError) as caught:
        wait_ready(engine, lab_of(), 0, 5, lambda text: None)
    assert caught.value.code == "node-failed"
    assert caught.value.message == "db failed: its healthcheck calls it unhealthy; its last lines:\n    last words"


def test_a_node_of_ours_is_ready_by_its_own_word(engine, lab_of):
    """Whatever a healthcheck says that somebody else's node waits for."""
    web = engine.add("lab", "web", role="http")
    web.record = web.record._replace(health="starting")
    event(web, "ready")
    wait_ready(engine, lab_of(), 0, 5, lambda text: None)
    assert [status.state for status in ps(engine, lab_of())] == ["ready"]


def test_errors_of_a_file_that_compose_takes(tmp_path):
    """What labctl's reader of YAML thinks of the spelling is no reason not to bring it up."""
    file = tmp_path / "lab.yaml"
    file.write_text("services: {a: {image: x, environment: {A: 0x10}, x-labctl: {routes: [default via b]}}}")
    config = {"services": {"a": {"image": "x", "x-labctl": {"routes": ["default via b"]}}}}
    assert [problem.code for problem in problems_in([file], config)] == ["route-via-unknown"]
    assert "trap-rewritten" in {
        problem.code for problem in validate(str(file), lambda text: Reading(json.dumps(config))).problems
    }
    assert problems_in([tmp_path / "gone.yaml"], config) == [], "Compose has read it, and that is what counts"


@pytest.mark.parametrize(
    ("text", "written", "name"),
    [
        ("name: MyLab\n", "MyLab", "mylab"),
        ("x: 1\nname: 'My Lab'  # so\nservices: {}\n", "My Lab", "mylab"),
        ('name: "_a.b"\r\n', "_a.b", "ab"),
        ("name: ${X}\n", "", ""),
        ("services:\n  name: x\n", "", ""),
        ("name: fine-1_a\n", "fine-1_a", "fine-1_a"),
        ("name: --\n", "--", ""),
    ],
)
def test_what_compose_makes_of_a_projects_name(text, written, name):
    assert (written_name(text), project_name(written)) == (written, name)


def test_a_name_that_is_no_labs_says_which_one_is_meant(engine):
    engine.add("mylab", "a")
    with pytest.raises(LabError, match=r"^'MyLab' is not a lab's name; did you mean mylab\?$"):
        find(engine, "MyLab")


@pytest.mark.parametrize("state", ["exited", "created", "gone"])
def test_what_is_typed_at_what_reads_no_more_keeps_nobody_waiting(engine, state):
    """The engine in memory waits for what can still come, and for nothing else."""
    made = engine.add("lab", "a", state="running" if state == "gone" else state)
    stream = engine.attach(made.record.id, keyboard=True)
    if state == "gone":
        engine.remove_container(made.record.id)
    stream.write(b"hi\n")
    assert all(item.line is None for item in engine.wait([stream], None))
