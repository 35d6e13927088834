"""Rules on a lab of the in-memory engine: which probes get which rules, under which ids, and what is told of them."""

import json

import pytest
from memory_lab import opened, stamp

from labctl.engine.memory import MemoryEngine
from labctl.engine.model import LABEL_CONDITIONS, LABEL_PROBED, LABEL_RULES
from labctl.errors import LabError
from labctl.lab import links, probes
from labctl.lab.faults import rules
from labctl.lab.faults.spec import RuleSpec
from labctl.lab.faults.standing import put_in_force
from labctl.lab.model import find
from labctl.render.faults import table

LOSS = RuleSpec("condition", "drop 10%", {"drop": 0.1}, 7)


class Probes:
    """What the probes would answer: the orders of docs/faults.md, without any packet."""

    def __init__(self, engine: MemoryEngine):
        self.rules: dict[str, dict] = {}  # by node: (id, link) to rule
        self.pending: dict[str, dict] = {}
        self.answers_left = 1 << 30
        self.broken: set[str] = set()  # nodes whose kernel can't
        self.broken_late: set[str] = set()  # those whose kernel finds out when the change was committed
        self.changes = 0  # that were made
        self.missing: dict[str, str] = {}  # by node: what its kernel has no more
        engine.probe_program = self.program

    def program(self, order):
        node = order.labels[LABEL_PROBED]
        self.rules.setdefault(node, {})

        def typed(container, line: bytes) -> None:
            envelope = opened(line)
            tell = lambda name, **more: container.print(  # noqa: E731
                json.dumps({"ts": stamp(), "node": node, "event": name, **more})
            )
            if self.answers_left <= 0:
                return
            self.answers_left -= 1
            if node in self.broken:
                tell("error", id=envelope["id"], error="EOPNOTSUPP", reason="nft: no such thing")
                return
            if envelope["text"] == "change" and envelope.get("group"):
                self.pending.setdefault(envelope["group"], {})[node] = (envelope, tell)
                tell("prepared", id=envelope["id"], group=envelope["group"])
                return
            if envelope["text"] == "commit":
                for other, (change, answer) in self.pending.pop(envelope["group"]).items():
                    if other in self.broken_late:
                        answer("error", id=change["id"], error="EOPNOTSUPP", reason="nft: not now")
                        continue
                    self.apply(other, change["change"], answer)
                    self.tell_rules(other, change["id"], answer)
            if envelope["text"] == "change":
                self.apply(node, envelope["change"], tell)
            self.tell_rules(node, envelope["id"], tell)

        return typed

    def apply(self, node, change, tell):
        self.changes += 1
        for key in change.get("clear", ()):
            rule = self.rules[node].pop(tuple(key), None)
            if rule is None:
                continue
            tell("rule", rule=rule["id"], link=rule["link"], state="ended", reason="cleared")
        for rule in change.get("set", ()):
            self.rules[node][rule["id"], rule["link"]] = rule
            tell("rule", rule=rule["id"], link=rule["link"], state="set", what=rule["what"], seed=7, kind=rule["kind"])

    def tell_rules(self, node, ident, tell):
        more = {"missing": self.missing[node]} if node in self.missing else {}
        here = [{**rule, "matched": 0, "done": {}} for rule in self.rules[node].values()]
        tell("rules", id=ident, rules=here, **more)

    def all(self) -> set[tuple[str, str]]:
        return {(node, rule["link"]) for node, found in self.rules.items() for rule in found.values()}


@pytest.fixture
def lab(engine):
    for number, (name, networks) in enumerate({"alice": "ab", "bob": "ab", "web": "b", "far": "c"}.items(), 5):
        addresses = {f"net-{letter}": (f"10.77.{ord(letter) - 97}.{number}",) for letter in networks}
        engine.add("lab", name, role="chat", addresses=addresses)
    return lambda: find(engine, "lab")


@pytest.fixture
def fakes(engine):
    return Probes(engine)


def add(engine, lab, link, wanted=LOSS):
    return rules.add(engine, lab(), links.ways(lab(), link), wanted)


def test_one_way(engine, lab, fakes):
    done = add(engine, lab, "alice:bob")
    assert (done.id, done.seed, done.links) == ("f1", 7, ("alice:bob",))
    [rule] = fakes.rules["alice"].values()
    # Both networks that the two share; no other address.
    assert rule["peers"] == ["10.77.0.6", "10.77.1.6"]
    assert (rule["drop"], rule["seed"], rule["kind"]) == (0.1, 7, "condition")


def test_both_ways_are_one_rule(engine, lab, fakes):
    done = add(engine, lab, "alice-web")
    assert done.links == ("alice:web", "web:alice")
    assert fakes.all() == {("alice", "alice:web"), ("web", "web:alice")}
    assert {fault.id for fault in rules.listing(engine, lab())} == {"f1"}


def test_a_node_alone(engine, lab, fakes):
    add(engine, lab, "web")
    assert fakes.all() == {("web", "web:*"), ("alice", "alice:web"), ("bob", "bob:web")}
    assert next(iter(fakes.rules["web"].values()))["peers"] is None


def test_ids_are_given_once(engine, lab, fakes):
    assert add(engine, lab, "alice:bob").id == "f1"
    assert add(engine, lab, "bob:alice").id == "f2"
    known = rules.listing(engine, lab())
    rules.clear(engine, lab(), rules.pick(lab(), known, None, True))
    assert rules.listing(engine, lab()) == []
    assert add(engine, lab, "alice:bob").id == "f3"


def test_the_same_rule_twice(engine, lab, fakes):
    add(engine, lab, "alice:bob")
    with pytest.raises(LabError) as found:
        add(engine, lab, "alice-bob")
    assert found.value.code == "fault-twice"
    assert fakes.all() == {("alice", "alice:bob")}
    add(engine, lab, "alice:bob", RuleSpec("condition", "drop 20%", {"drop": 0.2}))


def test_what_is_cleared(engine, lab, fakes):
    add(engine, lab, "alice-bob")
    add(engine, lab, "web:bob")
    known = rules.listing(engine, lab())
    rules.clear(engine, lab(), rules.pick(lab(), known, "bob:alice", False))
    assert fakes.all() == {("alice", "alice:bob"), ("web", "web:bob")}
    known = rules.listing(engine, lab())
    rules.clear(engine, lab(), rules.pick(lab(), known, "f2", False))
    assert fakes.all() == {("alice", "alice:bob")}
    with pytest.raises(LabError) as found:
        rules.pick(lab(), rules.listing(engine, lab()), "f9", False)
    assert found.value.code == "no-such-fault"


def test_partition_of_groups(engine, lab, fakes):
    wanted = RuleSpec("partition", "partition", {"drop": 1.0}, 0)
    rules.add(engine, lab(), links.between(lab(), "alice,web", "bob"), wanted)
    pairs = {("alice", "alice:bob"), ("bob", "bob:alice"), ("web", "web:bob"), ("bob", "bob:web")}
    assert fakes.all() == pairs
    with pytest.raises(LabError) as found:
        links.between(lab(), "alice,bob", "bob")
    assert "bob can't be on both sides" in found.value.message


@pytest.mark.parametrize(
    ("link", "code", "word"),
    [
        ("alice:far", "no-link", "they share no network"),
        ("alice:bobb", "unknown-node", "did you mean bob?"),
        ("alise", "unknown-node", "did you mean alice?"),
        ("alice:", "bad-link-name", "is no link"),
        ("alice:alice", "bad-link-name", "no link to itself"),
    ],
)
def test_links_that_there_are_not(lab, link, code, word):
    with pytest.raises(LabError) as found:
        links.ways(lab(), link)
    assert found.value.code == code
    assert word in found.value.message


def test_a_kernel_that_can_not(engine, lab, fakes):
    fakes.broken.add("web")
    with pytest.raises(LabError) as found:
        add(engine, lab, "alice-web")
    assert found.value.code == "fault-refused"
    assert "nft: no such thing" in found.value.message
    assert fakes.all() == set(), "no way of the link has the rule"


def test_a_probe_that_says_nothing(engine, lab, fakes):
    fakes.answers_left = 0
    with pytest.raises(LabError) as found:
        add(engine, lab, "alice:bob")
    assert found.value.code == "probe-silent"
    fakes.answers_left = 1 << 30
    add(engine, lab, "alice-bob")
    fakes.answers_left = 1
    with pytest.raises(LabError, match="the probe at bob did not answer"):
        rules.listing(engine, lab())


def test_rules_of_a_probe_that_is_removed_meanwhile(engine, lab, fakes, monkeypatch):
    add(engine, lab, "alice:bob")
    [probe] = probes.all_of(engine, "lab").values()
    details = engine.details

    def removed_first(ident):
        if ident == probe.id:
            engine.remove_container(probe.id)
        return details(ident)

    monkeypatch.setattr(engine, "details", removed_first)
    assert rules.listing(engine, lab()) == []


def test_rules_of_a_probe_that_ended(engine, lab, fakes):
    add(engine, lab, "alice:bob")
    [probe] = probes.all_of(engine, "lab").values()
    engine.change("kill", probe.id)
    [fault] = rules.listing(engine, lab())
    assert (fault.id, fault.link, fault.what, fault.state) == ("f1", "alice:bob", "drop 10%", "gone")
    assert fault.kind == "condition"
    # What it did went with it: unknown is not 0.
    assert (fault.matched, fault.done, fault.as_json()["matched"]) == (None, None, None)
    assert "  ?        ?     gone: its probe ended" in table([fault], columns=None, colour=False)


def test_rules_that_the_kernel_has_no_more(engine, lab, fakes):
    add(engine, lab, "alice-bob")
    fakes.missing["alice"] = "the table was removed by some other program"
    found = rules.listing(engine, lab())
    assert {(fault.link, fault.state, fault.reason) for fault in found} == {
        ("alice:bob", "out of force", "the table was removed by some other program"),
        ("bob:alice", "in force", ""),
    }
    with pytest.raises(LabError) as refused:
        add(engine, lab, "alice:bob")
    assert refused.value.code == "fault-twice", "with the next change both would be in force"
    rules.clear(engine, lab(), found)
    assert fakes.all() == set()


def test_rules_of_a_topology_that_the_kernel_has_no_more(engine, lab, fakes):
    wanted = json.dumps([["alice", "drop 10%"]])
    engine.add("lab", "carol", addresses={"net-a": ("10.77.0.9",)}, labels={LABEL_CONDITIONS: wanted})
    put_in_force(engine, lab(), lab().nodes)
    assert fakes.all() == {("carol", "carol:alice")}
    for missing, changes in (({}, 0), ({"carol": "the table was removed by some other program"}, 1)):
        fakes.missing, before = missing, fakes.changes
        put_in_force(engine, lab(), lab().nodes)
        assert len(fakes.rules["carol"]) == 1, "the same rule twice would do everything twice"
        assert fakes.changes == before + changes, "any change puts all of them in force again"


def test_rules_of_a_node_that_is_paused_are_in_force(engine, lab, fakes):
    """Its kernel goes on, and its probe does."""
    add(engine, lab, "alice:bob")
    engine.change("pause", lab().node("alice").container.id)
    found = rules.listing(engine, lab())
    assert [(fault.state, fault.matched) for fault in found] == [("in force", 0)]
    rules.clear(engine, lab(), found)
    assert fakes.all() == set()
    add(engine, lab, "bob")
    assert fakes.all() == {("bob", "bob:*"), ("alice", "alice:bob"), ("web", "web:bob")}, "no neighbour is left out"
    wanted = RuleSpec("partition", "partition", {"drop": 1.0}, 0)
    assert rules.add(engine, lab(), links.between(lab(), "alice", "web"), wanted).links == ("alice:web", "web:alice")


def test_a_kernel_that_refuses_only_when_the_others_have_begun(engine, lab, fakes):
    fakes.broken_late.add("web")
    with pytest.raises(LabError) as found:
        add(engine, lab, "alice-web")
    assert found.value.code == "fault-refused"
    assert "nft: not now" in found.value.message
    assert fakes.all() == set(), "what the others had begun is taken back"


def test_rules_that_wait_for_a_start(engine, lab, fakes):
    node = lab().node("bob")
    done = rules.add_on_start(engine, lab(), node, links.ways_from(lab(), node, "bob:alice"), LOSS)
    assert (done.id, done.on_start) == ("f1", "bob")
    [fault] = rules.listing(engine, lab())
    assert (fault.state, fault.node) == ("waiting", "bob")
    assert fakes.all() == set()
    [keeper] = probes.all_of(engine, "lab", probes.ON_START).values()
    assert json.loads(keeper.labels[LABEL_RULES])[0]["drop"] == 0.1
    assert engine._get(node.container.id).processes == 63, "it is told to wait"
    put_in_force(engine, lab(), [node])
    assert fakes.all() == {("bob", "bob:alice")}
    rules.clear(engine, lab(), rules.listing(engine, lab()))
    assert rules.listing(engine, lab()) == []
    assert engine._get(node.container.id).processes == 64
    with pytest.raises(LabError) as found:
        links.ways_from(lab(), node, "alice:bob")
    assert found.value.code == "on-start-elsewhere"


def test_probes_are_no_nodes(engine, lab, fakes):
    add(engine, lab, "alice:bob")
    from labctl.lab.model import find_all

    assert [node.name for node in find_all(engine)[0].nodes] == ["alice", "bob", "far", "web"]
