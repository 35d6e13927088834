"""Two ends on two machines: their clocks are put right, and what is closer in time than these are known isn't told."""

from dataclasses import replace

import pytest
from recorder_fakes import ALICE, BOB, ETHER, Recorders
from traffic import MS, connected, tcp

from labctl.engine.machines import Clock
from labctl.lab.recording import recorders
from labctl.packets.crossings import Rules
from labctl.packets.ladder.ladder import Options, two_sided
from labctl.packets.model import PSH
from labctl.render.ladder import text
from labctl.render.ladder.document import document

SECOND = 1_000_000_000


def ladder(error_ns, *, machines=("a", "b")):
    wire, alice, _ = connected()
    alice.say(b"hello")
    ends = zip(wire.sides(), machines, strict=True)
    left, right = (replace(side, clock=machine, clock_error_ns=error_ns) for side, machine in ends)
    return two_sided(left, right, (), Options(), Rules())


def test_what_clocks_cannot_tell_is_said():
    made = ladder(2 * MS)
    assert made.clock_error_ns == 4 * MS
    [note] = [one for one in made.notes if "clocks" in one]
    assert note.startswith("a and b are machines with clocks of their own, known to 4 ms of each other")
    latencies = [arrow.latency_ns for arrow in made.arrows]
    assert all(latency is not None and latency < 4 * MS for latency in latencies)
    assert {arrow.took(made.clock_error_ns) for arrow in made.arrows} == {None}
    drawn = text.draw(made, columns=100)
    assert "4 ms of each other" in drawn
    assert " ms\n" not in drawn.partition("a and b are machines")[0]
    assert document(made)["clock_error_ns"] == 4 * MS


def test_on_one_machine_there_is_nothing_to_say():
    made = ladder(2 * MS, machines=("a", "a"))
    assert made.clock_error_ns == 0
    assert not any("clocks" in note for note in made.notes)
    assert [arrow.took(0) for arrow in made.arrows] == [arrow.latency_ns for arrow in made.arrows]


@pytest.mark.parametrize("ahead", [7 * SECOND, -7 * SECOND])
def test_a_recorder_whose_clock_is_off_tells_the_others_time(engine, lab, ahead):
    told = Recorders(engine)
    data = ETHER + tcp(ALICE, 1, BOB, 2, 1, 1, PSH, b"x")
    told.packets = {"alice": [("out", MS, data)], "bob": [("in", MS, data)]}
    nodes = [lab().node("alice"), lab().node("bob")]
    there, _ = recorders.begin(engine, lab(), nodes)
    plain, states = recorders.recorded(engine, nodes, there, last=1.0)
    engine.clocks[there["bob"].id] = Clock(ahead, 1000)
    found, after = recorders.recorded(engine, nodes, there, since_ns=5 * SECOND)
    assert abs(found["bob"][0].ts_ns + ahead - plain["bob"][0].ts_ns) < SECOND
    assert abs(found["alice"][0].ts_ns - plain["alice"][0].ts_ns) < SECOND
    assert abs(after["bob"].now_ns + ahead - states["bob"].now_ns) < SECOND
    assert (after["alice"].clock_error_ns, after["bob"].clock_error_ns) == (0, 1000)
    asked = dict(told.asked[-2:])
    assert asked["alice"][:2] == ["--since", str(5 * SECOND)]
    assert asked["bob"][:2] == ["--since", str(max(0, 5 * SECOND + ahead))]
