"""One engine that is several: what is asked of whom, what becomes of one that is silent, and whose clock is right."""

import json
import time

import pytest

import labctl
from labctl.engine.at_once import at_once
from labctl.engine.machines import Clock, clock_of
from labctl.engine.memory import MemoryEngine
from labctl.engine.model import LABEL_HOSTS, PROBE_IMAGE, Image, Line, Network
from labctl.engine.several import clocks
from labctl.engine.several.corrected import corrected, shifted
from labctl.engine.several.engine import SeveralEngines
from labctl.engine.several.members import AGAIN, Members
from labctl.engine.swarm import Reading
from labctl.errors import EngineRefused, EngineUnreachable, LabError
from labctl.events.codec import stamp_of
from labctl.lab import journal, spanning
from labctl.lab.images.needed import ensure_probe
from labctl.lab.life.down import down

HOSTS = {LABEL_HOSTS: "a,b"}


class Silent(MemoryEngine):
    """Answers nothing."""

    def containers(self, labels=(), *, running=False):
        raise EngineUnreachable("engine-unreachable", endpoint="tcp://there", why="no route")

    networks = volumes = containers


def engines(*nodes, **others):
    """Two machines with one node of a lab on each, whose containers have ids of their own."""
    a, b = MemoryEngine(), MemoryEngine()
    b._numbers = iter(range(100, 200))
    a.add("lab", "alice", addresses={"lab_net": ("10.77.0.5",)}, labels=HOSTS)
    b.add("lab", "bob", addresses={"lab_net": ("10.77.0.6",)}, labels=HOSTS)
    return SeveralEngines({"a": a, "b": b, **others}), a, b


def test_a_lab_is_what_all_machines_have_of_it():
    engine, a, b = engines()
    found, lab = spanning.find(engine)
    assert [(node.name, node.container.machine) for node in lab.nodes] == [("alice", "a"), ("bob", "b")]
    assert found is engine
    alice, bob = (node.container.id for node in lab.nodes)
    engine.change("stop", bob)
    assert [(verb, name) for verb, name, _ in b.changes] == [("stop", "lab-bob-1")]
    assert not a.changes
    assert engine.details(alice) == a.details(alice)


def test_what_is_on_one_machine_is_asked_of_that_alone():
    engine, a, _ = engines()
    a.add("other", "web")
    found, lab = spanning.find(engine, "other")
    assert (found.machines, found.containers()) == (("a",), a.containers())
    assert lab.nodes[0].container.machine == "a"


def test_a_container_that_nobody_has():
    engine, _, _ = engines()
    with pytest.raises(EngineRefused, match="no such container"):
        engine.details("f" * 64)


def test_one_that_does_not_answer_is_named_and_the_others_go_on():
    engine, _, _ = engines(c=Silent())
    assert [item.name for item in engine.containers()] == ["lab-alice-1", "lab-bob-1"]
    assert list(engine.missing) == ["c"]
    _, lab = spanning.find(engine, "lab")
    assert spanning.missing(engine, lab) == {}  # it isn't on that one
    with pytest.raises(LabError, match="c did not answer, and it may be there") as caught:
        spanning.find(engine, "elsewhere")
    assert caught.value.code == "lab-not-found-there"


def test_a_lab_on_one_machine_of_several_is_given_what_the_usual_engine_has():
    """It is built there, or has been, and not once more on the other machine."""
    usual, b, said = MemoryEngine(), MemoryEngine(), []
    engine = SeveralEngines({"a": MemoryEngine(), "b": b}, usual=usual)
    found = spanning.to_hold(engine, ["b"], said.append)
    ensure_probe(found, said.append, 5)
    assert (said[0], said.count("building the probe")) == ("building the probe", 1)
    assert said[-2:] == [f"sending {PROBE_IMAGE} to b", f"b has {PROBE_IMAGE}"]
    assert b.images[PROBE_IMAGE].id == usual.images[PROBE_IMAGE].id
    said.clear()
    ensure_probe(found, said.append, 5)
    assert said == []
    # What the machine alone has stays usable there.
    b.images["theirs"] = Image("sha256:theirs", {}, names=("theirs",))
    labctl.empty("lab", engine=found).run("x", ["true"], image="theirs", wait=False)
    assert [one.name for one in b.containers()] == ["lab-x-1"]


def test_the_machines_of_a_lab_are_those_that_it_was_made_on_as_well():
    _, a, _ = engines()
    gone = SeveralEngines({"a": a, "b": Silent(), "c": MemoryEngine()})
    found, lab = spanning.find(gone, "lab")
    assert [node.name for node in lab.nodes] == ["alice"]
    assert found.machines == ("a", "b")
    assert list(spanning.missing(found, lab)) == ["b"]


def test_where_none_answers_that_is_the_error():
    with pytest.raises(EngineUnreachable):
        SeveralEngines({"a": Silent(), "b": Silent()}).containers()


def test_one_that_may_be_missing_is_so_without_a_word():
    _, a, _ = engines()
    assert SeveralEngines({"a": a, "": Silent()}, silent=[""]).containers()
    assert not SeveralEngines({"a": a, "": Silent()}, silent=[""]).missing


def test_it_is_asked_again_after_a_while(monkeypatch):
    moment = [0.0]
    monkeypatch.setattr("labctl.engine.several.members.time.monotonic", lambda: moment[0])
    asked = []

    def ask(name, engine):
        asked.append(name)
        if name == "b" and moment[0] == 0:
            raise EngineUnreachable("engine-unreachable", endpoint=name, why="")
        return name

    members = Members({"a": MemoryEngine(), "b": MemoryEngine()})
    assert members.all(ask) == {"a": "a"}
    assert members.all(ask) == {"a": "a"}
    moment[0] = AGAIN + 1
    assert members.all(ask) == {"a": "a", "b": "b"}
    assert not members.missing
    assert sorted(asked) == ["a", "a", "a", "b", "b"]


def test_down_says_which_machine_may_have_something_left():
    engine, a, b = engines()
    gone = SeveralEngines({"a": a, "b": Silent()})
    with pytest.raises(LabError, match="b did not answer, and may still have a part of lab") as caught:
        down(gone, "lab", lambda line: None)
    assert caught.value.code == "hosts-left"
    assert not a.containers()
    assert down(engine, "lab", lambda line: None).containers == 1
    assert not b.containers()


def test_down_names_a_machine_that_is_not_known_here():
    _, a, _ = engines()
    with pytest.raises(LabError, match="b did not answer"):
        down(SeveralEngines({"a": a, "c": MemoryEngine()}), "lab", lambda line: None)


def test_no_lab_of_one_machine_becomes_one_of_several():
    one = MemoryEngine()
    one.add("lab", "alice")
    engine = SeveralEngines({"a": MemoryEngine(), "b": MemoryEngine(), "": one})
    with pytest.raises(LabError, match="can't become one of a, b") as caught:
        spanning.to_make(engine, "lab", ("a", "b"), {}, "spread")
    assert caught.value.code == "lab-elsewhere"
    assert spanning.to_make(engine, "lab", (), {}, "spread") is one


def test_a_lab_stays_on_the_machines_that_it_is_on():
    engine, _, _ = engines(c=MemoryEngine())
    assert spanning.to_make(engine, "lab", (), {}, "spread").machines == ("a", "b")
    # Those that it is to leave are asked as well.
    made = spanning.to_make(engine, "lab", ("b", "c"), {}, "spread")
    assert made.machines == ("a", "b", "c")
    assert made.wish.machines == ("b", "c")


def test_machines_that_are_not_known():
    with pytest.raises(LabError, match="there is no machine d") as caught:
        spanning.to_read(MemoryEngine(), ["d"])
    assert caught.value.code == "host-unknown"


def test_of_jobs_at_once_the_first_failure_is_raised_and_the_others_are_told_to_stop():
    stopped = []

    def fail():
        raise ValueError("this")

    with pytest.raises(ValueError, match="this"):
        at_once([fail, lambda: None], stop=lambda: stopped.append(1))
    assert stopped == [1]


def test_the_shortest_round_trip_says_what_a_clock_is():
    second = 1_000_000_000
    trips = [
        Reading(0, 5 * second + 80, 200),
        Reading(1000, 5 * second + 1010, 1020),
        Reading(2000, 5 * second + 2400, 2500),
    ]
    assert clock_of(trips) == Clock(5 * second, 10)
    assert clock_of([]) is None
    # Another one leaves less of what is possible.
    assert clock_of([*trips, Reading(3000, 5 * second + 3001, 3100)]) == Clock(5 * second - 5, 6)
    # A clock that was set in between: the shortest way counts.
    assert clock_of([Reading(0, second, 10), Reading(100, 9 * second, 200)]) == Clock(second - 5, 5)


def test_what_is_smaller_than_its_error_is_nothing():
    assert Clock(900, 1000).correction == 0
    assert Clock(-1100, 1000).correction == -1100


def test_a_machine_without_a_shell_is_asked_by_its_engine():
    class Told(MemoryEngine):
        def info(self):
            return {"SystemTime": "2199-01-01T00:00:00.000000001Z"}

    found = clocks.measured(Told(), None)
    assert found.offset > 365 * 86400 * 1_000_000_000
    with pytest.raises(EngineRefused, match="tell its time"):
        clocks.measured(MemoryEngine(), None)


def test_times_of_lines_are_the_others():
    second = 1_000_000_000
    text = b'{"ts":"2026-11-28T10:00:05.000000001Z","node":"n","event":"send","text":"\\"ts\\": no"}'
    found = corrected(Line(text, stamp="2026-11-28T10:00:05.5Z"), 5 * second)
    assert found.text == text.replace(b"05.000000001", b"00.000000001")
    assert found.stamp == "2026-11-28T10:00:00.500000000Z"
    plain = Line(b'said "ts":"2026-11-28T10:00:05.000000001Z"')
    assert corrected(plain, 5 * second) == plain
    assert shifted("2026-11-28T10:00:00.000000000Z", 5 * second) == "2026-11-28T10:00:05.000000000Z"


class Timed(MemoryEngine):
    """A machine that tells its time, which is `ahead` of this process's by so many nanoseconds."""

    def info(self):
        return {**super().info(), "SystemTime": stamp_of(time.time_ns() + self.ahead)}


def test_journals_of_a_machine_whose_clock_is_ahead_are_in_the_order_in_which_it_was():
    a, b = Timed(), Timed()
    b.ahead = 3_000_000_000
    b._numbers = iter(range(100, 200))
    engine = SeveralEngines({"a": a, "b": b})
    alice, bob = a.add("lab", "alice", labels=HOSTS), b.add("lab", "bob", labels=HOSTS)
    begun = time.time_ns() - 10**9
    for number, node in enumerate([alice, bob, alice, bob]):
        at = begun + number * 100_000_000 + (b.ahead if node is bob else 0)
        name = "bob" if node is bob else "alice"
        node.print(json.dumps({"ts": stamp_of(at), "node": name, "event": "send", "bytes": number}))
    found, lab = spanning.find(engine)
    events = journal.read(found, lab)
    assert [event.get("bytes") for event in events] == [0, 1, 2, 3]
    assert abs(events[3].nanoseconds - (begun + 300_000_000)) < 50_000_000  # what the answers leave
    # What was asked for by time is by that clock as well.
    since = stamp_of(begun + 150_000_000)
    assert [event.get("bytes") for event in journal.read(found, lab, since=since)] == [2, 3]
    said = spanning.clocks(found, lab.nodes)
    assert said.startswith("a, b have clocks of their own, corrected (b's by ")
    assert "what is less than" in said


class Manager(MemoryEngine):
    """A swarm's, with an overlay that tasks use for some time yet. Once it is removed it is listed some times more, and
    not found."""

    def __init__(self, uses, listings):
        super().__init__()
        self.uses, self.listings, self.removals = uses, listings, 0

    def info(self):
        return {**super().info(), "Swarm": {"ControlAvailable": True}}

    def networks(self, labels=()):
        self.listings -= bool(self.removals)
        return [Network("over", "lab_net", HOSTS, driver="overlay")] if self.listings >= 0 else []

    def remove_network(self, network):
        if self.removals:
            raise EngineRefused("engine-refused", action="remove it", why=f"network {network} not found")
        if self.uses:
            self.uses -= 1
            raise EngineRefused("engine-refused", action="remove it", why="network over is in use by task 1")
        self.removals += 1


@pytest.mark.parametrize("gone", [False, True], ids=["by us", "by somebody else"])
def test_an_overlay_is_removed_when_its_manager_lists_it_no_more(monkeypatch, gone):
    monkeypatch.setattr("labctl.engine.several.overlays.LOOK_AGAIN", 0.0)
    manager = Manager(uses=2, listings=3)
    engine = SeveralEngines({"a": manager, "b": MemoryEngine()})
    manager.removals = int(gone)
    engine.remove_network("over")
    assert (manager.removals, manager.listings) == (1, -1)


class Late(MemoryEngine):
    """Its manager of the swarm answers nothing at first."""

    refusals = 2
    why = "Could not attach to network lab_net: context deadline exceeded"

    def change(self, verb, container, *, limit=30, signal=None):
        if self.refusals:
            self.refusals -= 1
            raise EngineRefused("engine-refused", action=f"{verb} a container", why=self.why)
        super().change(verb, container, limit=limit, signal=signal)


def test_a_start_for_which_the_manager_did_not_answer_is_tried_again():
    late = Late()
    engine = SeveralEngines({"a": late, "b": MemoryEngine()})
    bob = late.add("lab", "bob", state="exited").record.id
    engine.change("start", bob)
    assert (late.refusals, [verb for verb, *_ in late.changes]) == (0, ["start"])
    late.refusals = 1
    with pytest.raises(EngineRefused, match="deadline exceeded") as refused:
        engine.change("start", bob, limit=-1)  # for which there is no time
    assert (refused.value.code, refused.value.values["machine"]) == ("machine-kept-out", "a")
    late.refusals, late.why = 1, "it has no memory left"
    with pytest.raises(EngineRefused, match="would not start a container: it has no memory left"):
        engine.change("start", bob)
