"""What a program does to links of a lab of the in-memory engine: which rules come of it, and what is told of them."""

import inspect

import pytest
from test_faults_lab import Probes

import labctl
from labctl.api.link import Link
from labctl.engine.model import LABEL_SOURCE, PROBE_IMAGE, Image
from labctl.errors import FaultError, InvalidArgument, NodeError, NodeNotFound
from labctl.faults.kinds import KINDS, PARAMETERS, TYPED
from labctl.topology import shipped
from labctl.topology.digest import digest


class Counting(Probes):
    """Probes whose rules have found so many packets."""

    matched = 0

    def tell_rules(self, node, ident, tell):
        for rule in self.rules[node].values():
            rule |= {"matched": self.matched, "done": {"drop": self.matched}}
        here = list(self.rules[node].values())
        tell("rules", id=ident, rules=here)


@pytest.fixture
def fakes(engine):
    return Counting(engine)


@pytest.fixture
def lab(engine, fakes) -> labctl.Lab:
    for number, (name, net) in enumerate({"alice": "a", "bob": "a", "web": "a", "far": "b"}.items(), 5):
        engine.add("lab", name, role="chat", addresses={net: (f"10.77.0.{number}",)})
    source = digest(shipped.root() / "services")
    engine.images[PROBE_IMAGE] = Image("probe", {LABEL_SOURCE: source})
    return labctl.find("lab", engine=engine)


def fields(fakes, node: str) -> dict:
    [rule] = fakes.rules[node].values()
    return rule


def test_a_rule_holds_for_a_block_and_tells_what_it_did(lab, fakes):
    with lab.link("alice:bob").fault(loss="30%", seed=7) as rule:
        assert (rule.id, rule.what, rule.seed, rule.links) == ("f1", "drop 30%", 7, ("alice:bob",))
        assert (fields(fakes, "alice")["drop"], rule.matched) == (0.3, 0)
        fakes.matched = 5
        assert (rule.matched, rule.done) == (5, {"drop": 5})
        assert [one.id for one in lab.faults()] == ["f1"]
        assert [one.reason for one in rule.ways] == [""]
    applied = rule.applied
    assert (applied.id, applied.what, applied.seed, applied.links) == ("f1", "drop 30%", 7, ("alice:bob",))
    assert (applied.by_chance, applied.on_start) == (True, None)
    assert rule.as_json() == applied.as_json() == {"id": "f1", "what": "drop 30%", "seed": 7, "links": ["alice:bob"]}
    assert not lab.link("bob:web").drop("tcp syn").applied.by_chance
    lab.clear_faults("bob:web")
    assert lab.faults() == ()
    fakes.matched = 9
    assert (rule.matched, rule.done) == (5, {"drop": 5}), "what it had done until it was taken back"
    assert rule.clear() == rule.ways


def test_a_rule_of_both_ways_counts_both(lab, fakes):
    rule = lab.link("alice-bob").drop("tcp data 1", times=2)
    fakes.matched = 2
    assert (rule.matched, rule.done, len(rule.ways)) == (4, {"drop": 4}, 2)
    assert lab.clear_faults("alice:bob")[0].id == rule.id
    assert [one.link for one in rule.ways] == ["bob:alice"]
    assert [one.link for one in rule.clear()] == ["bob:alice"]


def test_a_rule_that_somebody_else_took_back_is_no_error(lab):
    with lab.link("bob:web").reset("tcp data 1") as rule:
        lab.clear_faults()
    assert (rule.ways, rule.matched, rule.done) == ((), 0, {})


@pytest.mark.parametrize(
    ("typed", "given"),
    [
        ({"delay": "100ms", "jitter": "20ms"}, {"delay": 0.1, "jitter": 0.02}),
        ({"loss": "12.5%", "duplicate": "1%"}, {"loss": 0.125, "duplicate": 0.01}),
        ({"reorder": "5%", "corrupt": "0.1%"}, {"reorder": 0.05, "corrupt": 0.001}),
        ({"rate": "1mbit"}, {"rate": 1e6}),
    ],
)
def test_a_number_is_what_its_text_is(lab, fakes, typed, given):
    link = lab.link("alice:bob")
    told = link.fault(**typed)
    first = dict(fields(fakes, "alice"))
    told.clear()
    assert link.fault(**given).what == told.what
    found = fields(fakes, "alice")
    assert all(found[name] == pytest.approx(first[name]) for name in first if name in PARAMETERS)


def test_each_kind_can_be_given(lab, fakes):
    link = lab.link("alice:bob")
    rules = [
        link.drop("tcp syn", lasting=30),
        link.delay("tcp data 1", by=0.25),
        link.duplicate("udp", times=3),
        link.corrupt("udp every 10", fix_checksum=True, seed=4),
        link.reset("tcp data 2"),
    ]
    assert [rule.what for rule in rules] == [
        "drop 'tcp syn' once",
        "delay 'tcp data 1' once by 250ms",
        "duplicate 'udp' 3 times",
        "corrupt 'udp every 10' fix-checksum",
        "reset 'tcp data 2' once",
    ]
    assert [rule.get("for") for rule in fakes.rules["alice"].values()] == [30, None, None, None, None]
    assert {name for name, kind in KINDS.items() if kind.verb} <= set(dir(Link)), "a kind that programs can't give"
    words = set(inspect.signature(Link.fault).parameters)
    assert {TYPED[word].name for word in words if word in TYPED} == set(PARAMETERS)


def test_a_partition_and_its_end(lab, fakes):
    rule = lab.partition("alice", "bob,web", lasting="1m")
    assert set(rule.links) == {"alice:bob", "bob:alice", "alice:web", "web:alice"}
    other = lab.link("bob:web").fault(loss=0.5)
    assert {one.id for one in lab.heal()} == {rule.id}
    assert {one.id for one in lab.faults()} == {other.id}
    assert (rule.clear(), lab.heal()) == ((), ())


@pytest.mark.parametrize(
    ("act", "error", "said"),
    [
        (lambda lab: lab.link("alise:bob"), NodeNotFound, "did you mean alice"),
        (lambda lab: lab.link("alice:alice").fault(loss="1%"), InvalidArgument, "no link to itself"),
        (lambda lab: lab.link("alice:far").fault(loss="1%"), NodeError, "share no network"),
        (lambda lab: lab.link("alice:bob").fault(), InvalidArgument, "no condition is given"),
        (lambda lab: lab.link("alice:bob").fault(loss=1.5), InvalidArgument, "is no share"),
        (lambda lab: lab.link("alice:bob").fault(delay=-1), InvalidArgument, "is negative"),
        (lambda lab: lab.link("alice:bob").fault(rate="fast"), InvalidArgument, "not a rate"),
        (lambda lab: lab.link("alice:bob").drop("tcp nothing"), InvalidArgument, "nothing"),
        (lambda lab: lab.link("alice:bob").drop("udp", lasting="soon"), InvalidArgument, "not a time"),
        (lambda lab: lab.clear_faults("f9"), FaultError, "no rule f9"),
    ],
)
def test_what_can_not_be_leaves_no_rule(lab, act, error, said):
    with pytest.raises(error, match=said):
        act(lab)
    assert lab.faults() == ()
