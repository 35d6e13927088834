"""Nodes that are recorded from their first packet on, at `up --record` and when they start again."""

import pytest
from memory_lab import event
from recorder_fakes import refused

from labctl.engine.model import COMPOSE_SERVICE, LABEL_SOURCE, PROBE_IMAGE, Image
from labctl.errors import LabError
from labctl.lab import probes
from labctl.lab.faults import gate
from labctl.lab.life.change import change
from labctl.lab.processes import syscalls
from labctl.lab.recording import at_start, recorders


def test_recorders_of_what_a_node_was_before(engine, lab, fakes):
    recorders.start(engine, lab(), [lab().node("alice")])
    assert sorted(recorders.recorders(engine, lab())) == ["alice"]
    engine.change("restart", lab().node("alice").container.id)
    assert recorders.recorders(engine, lab()) == {}, "its network namespace is another one"
    recorders.start(engine, lab(), [lab().node("alice")])
    assert sorted(recorders.recorders(engine, lab())) == ["alice"]
    engine.images[PROBE_IMAGE] = Image("new", {LABEL_SOURCE: "newer"})
    assert recorders.recorders(engine, lab()) == {}, "labctl is a newer one"


@pytest.mark.parametrize("asked", ["details", "change"])
def test_a_recorder_that_another_labctl_removes_meanwhile(engine, lab, fakes, monkeypatch, asked):
    """Which it does to make a new one, as its node has started again: then this is as it would have been later."""
    recorders.start(engine, lab(), lab().nodes[:2])
    old = probes.all_of(engine, "lab", probes.CAPTURE)["alice"].id
    if asked == "change":
        engine.change("restart", lab().node("alice").container.id)
    of_engine = getattr(engine, asked)

    def removed_first(*args, **options):
        if old in args and old in [container.id for container in engine.containers()]:
            engine.remove_container(old)
        return of_engine(*args, **options)

    monkeypatch.setattr(engine, asked, removed_first)
    assert sorted(recorders.start(engine, lab(), [lab().node("alice")])) == ["alice"]
    assert sorted(recorders.recorders(engine, lab())) == ["alice", "bob"]
    assert old not in [container.id for container in engine.containers()]


def test_a_listing_of_recorders_while_one_is_removed(engine, lab, fakes, monkeypatch):
    recorders.start(engine, lab(), lab().nodes[:2])
    old = probes.all_of(engine, "lab", probes.CAPTURE)["alice"].id
    details = engine.details

    def removed_first(ident):
        if ident == old:
            engine.remove_container(old)
        return details(ident)

    monkeypatch.setattr(engine, "details", removed_first)
    assert sorted(recorders.recorders(engine, lab())) == ["bob"]


@pytest.mark.parametrize("limit", [gate.OPEN, gate.SHUT])
@pytest.mark.parametrize("verbs", [["restart"], ["stop", "start"], ["kill", "start"]])
def test_a_recorded_node_that_starts_again_waits_for_its_recorder(engine, lab, fakes, verbs, limit):
    """Also where a labctl that was killed has left it waiting."""
    alice = engine._get(lab().node("alice").container.id)
    alice.processes = limit
    recorders.start(engine, lab(), [lab().node("alice")])
    seen: list = []

    def asked(node):
        seen.append((node, alice.processes, fakes.orders[-1].environment.get("LABCTL_SIGN")))
        event(alice, "ready")

    fakes.on_asked = asked
    for verb in verbs:
        change(engine, lab(), verb, "alice", timeout=5)
    assert seen[0] == ("alice", gate.SHUT, "1")
    assert alice.processes == gate.OPEN
    assert sorted(recorders.recorders(engine, lab())) == ["alice"]


def test_a_node_that_was_not_recorded_starts_as_it_did(engine, lab, fakes):
    web = engine._get(lab().node("web").container.id)
    web.processes = 7
    refused("not-ready", "web", change, engine, lab(), "restart", "web", timeout=0)
    assert (web.processes, fakes.orders) == (7, [])


def test_a_node_whose_programs_can_not_be_traced_waits_no_more(engine, lab, fakes, monkeypatch):
    """A debugger has them by now: an error, after which the node has its usual limit again."""
    alice = engine._get(lab().node("alice").container.id)
    alice.processes = gate.OPEN
    recorders.start(engine, lab(), [lab().node("alice")])
    limits = []

    def start(*_):
        limits.append(alice.processes)
        raise LabError("not-traceable", node="alice", why="it is traced already", mend="end that")

    monkeypatch.setattr(syscalls, "is_on", lambda *_: True)
    monkeypatch.setattr(syscalls, "start", start)
    refused("not-traceable", "traced already", change, engine, lab(), "restart", "alice", timeout=5)
    assert limits == [gate.SHUT]
    assert alice.processes == gate.OPEN


def test_a_node_that_ends_at_once_is_no_engines_error(engine, lab, fakes, monkeypatch):
    """A client that nobody answers: its network is gone before its recorder could join it. That it ended is told."""
    recorders.start(engine, lab(), [lab().node("alice")])
    alice = lab().node("alice").container.id
    start, asked = recorders.start, []

    def too_late(engine, lab, nodes, *more):
        asked.append([node.name for node in nodes])
        if "alice" in asked[-1]:
            engine.change("kill", alice)
            raise LabError("engine-refused", action="start it", why="cannot join network of a non running")
        return start(engine, lab, nodes, *more)

    monkeypatch.setattr(recorders, "start", too_late)
    refused("node-failed", "alice", change, engine, lab(), "restart", "alice", timeout=5)
    assert asked == [["alice"], []]


def test_a_node_whose_recorder_fails_waits_no_more(engine, lab, fakes):
    alice = engine._get(lab().node("alice").container.id)
    alice.processes = gate.OPEN
    recorders.start(engine, lab(), [lab().node("alice")])
    fakes.status = 3
    refused("recorder-gone", "did not answer", change, engine, lab(), "restart", "alice", timeout=5)
    assert alice.processes == gate.OPEN


def test_nodes_that_wait_to_be_recorded(engine, lab, fakes):
    ours = {"healthcheck": {"disable": True}, "pids_limit": 64}
    config = {"services": {"alice": ours, "bob": ours | {"pids_limit": 63}, "web": {"image": "somebody/else"}}}
    assert at_start.can_wait(config)
    assert not at_start.can_wait({"services": {**config["services"], "x": {"depends_on": {"alice": {}}}}})
    assert not at_start.can_wait({"services": {str(n): ours for n in range(at_start.MOST + 1)}})
    assert at_start.can_wait({"services": {"peer": ours | {"scale": at_start.MOST}}})
    assert not at_start.can_wait({"services": {"peer": ours | {"scale": at_start.MOST + 1}}})
    waiters = at_start.waiting(config, [node.container for node in lab().nodes])
    assert [item.labels[COMPOSE_SERVICE] for item in waiters] == ["alice"], "bob waits for his links' conditions"
    gate.shut(engine, waiters)
    limit = lambda: engine._get(waiters[0].id).processes  # noqa: E731
    assert limit() == gate.SHUT
    at_start.record(engine, lab(), waiters)
    assert limit() == gate.OPEN
    assert sorted(recorders.recorders(engine, lab())) == ["alice", "bob", "web"]
    before = {probe.id for probe in probes.all_of(engine, "lab", probes.CAPTURE).values()}
    at_start.record(engine, lab())
    assert {probe.id for probe in probes.all_of(engine, "lab", probes.CAPTURE).values()} == before


def test_nobody_waits_for_good(engine, lab, fakes):
    """Also where a recorder fails, the next start of a node isn't waiters up."""
    alice = lab().node("alice").container
    gate.shut(engine, [alice])
    fakes.status = 3
    refused("recorder-gone", "did not answer", at_start.record, engine, lab(), [alice])
    assert engine._get(alice.id).processes == gate.OPEN
