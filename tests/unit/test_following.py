"""A ladder that grows: what two recorders tell, one after the other."""

import pytest
from traffic import BEGIN, MS, udp

from labctl.lab.capture import Heard, State
from labctl.lab.following import Growing
from labctl.lab.model import find
from labctl.packets.ladder import Options
from labctl.packets.link import ETHERNET
from labctl.packets.model import Interface, Record

ALICE, BOB = "10.77.0.5", "10.77.0.6"
ETHER = bytes(12) + b"\x08\0"


class Pair:
    """Two nodes whose recorders speak as they are told; times in milliseconds."""

    def __init__(self, lab):
        self.nodes = {name: lab.node(name) for name in ("alice", "bob")}
        self.growing = Growing(list(self.nodes.values()), Options())

    def packet(self, name: str, tap: str, at: float, data: bytes):
        record = Record(BEGIN + int(at * MS), ETHER + data, len(data) + 14, Interface(0, f"eth0:{tap}", ETHERNET))
        return self._take(Heard(self.nodes[name], record))

    def state(self, name: str, now: float, *, ended=False):
        told = State(BEGIN + int(now * MS), 0, not ended, ended, 0, ("eth0",), ())
        return self._take(Heard(self.nodes[name], state=told))

    def _take(self, heard: Heard):
        if not self.growing.take(heard):
            return []
        fresh = self.growing.step().fresh
        return [(arrow.crossing.sender, arrow.fate, arrow.crossing.packet.ip_id) for arrow in fresh]


@pytest.fixture
def pair(engine):
    for name, address in (("alice", ALICE), ("bob", BOB)):
        engine.add("lab", name, role="udp", addresses={"ab": (address,)})
    return Pair(find(engine, "lab"))


def test_what_arrived_waits_for_its_sender_to_tell_as_far(pair):
    data = udp(ALICE, 1, BOB, 2, b"x", id=7)
    pair.packet("bob", "in", 105, data)
    assert pair.state("bob", 150) == []
    assert pair.state("alice", 100) == [], "it was sent after that"
    assert pair.packet("alice", "out", 104.9, data) == []
    assert pair.state("alice", 300) == [("alice", "delivered", 7)]
    assert pair.state("bob", 350) == []


def test_arrows_come_in_order_of_time_whoever_tells_first(pair):
    first, second = udp(BOB, 2, ALICE, 1, b"1", id=1), udp(ALICE, 1, BOB, 2, b"2", id=2)
    pair.packet("alice", "in", 100.1, first)
    pair.packet("alice", "out", 101, second)
    assert pair.state("bob", 99) == []
    assert pair.state("alice", 500) == [], "bob may have sent something before, and has"
    pair.packet("bob", "out", 100, first)
    pair.packet("bob", "in", 101.1, second)
    assert pair.state("bob", 500) == [("bob", "delivered", 1), ("alice", "delivered", 2)]


def test_what_the_sender_does_not_know_of_is_told_once_it_has_told_as_far(pair):
    pair.packet("bob", "in", 105, udp(ALICE, 1, BOB, 2, b"forged", id=9))
    pair.state("bob", 500)
    assert pair.state("alice", 104) == []
    assert pair.state("alice", 500) == [("alice", "elsewhere", 9)]


def test_the_end_of_a_recorder_ends_the_waiting(pair):
    pair.packet("alice", "out", 100, udp(ALICE, 1, BOB, 2, b"x", id=3))
    pair.state("bob", 90)
    assert pair.state("alice", 110) == []
    assert pair.state("bob", 111, ended=True) == [("alice", "unknown", 3)]
    assert pair.growing.ended


def test_a_recorder_that_ends_before_the_other_spoke(pair):
    pair.packet("alice", "out", 100, udp(ALICE, 1, BOB, 2, b"x", id=3))
    assert pair.state("alice", 110, ended=True) == []
    assert pair.growing.ended
