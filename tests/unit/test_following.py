"""A ladder that grows: what two recorders tell, one after the other."""

import time
from itertools import pairwise
from types import SimpleNamespace

import pytest
import recorder_fakes
from traffic import BEGIN, MS, packet, tcp, udp, verdict

from labctl.lab.model import find
from labctl.lab.recording import capture, following
from labctl.lab.recording.following import Growing
from labctl.lab.recording.recorders import Heard, State
from labctl.packets.ladder.ladder import Options
from labctl.packets.model import ACK, PSH, SYN, Interface, Record
from labctl.packets.protocols.link import ETHERNET

ALICE, BOB = "10.77.0.5", "10.77.0.6"
ISN = 2**32 - 100
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


def test_numbers_go_on_where_the_beginning_is_let_go_of(pair, monkeypatch):
    """Five bytes a second for a minute, of which five seconds are kept."""
    monkeypatch.setattr(following, "KEPT", 8)
    seen = []

    def tell(at: float, flags: int, seq: int, data: bytes = b"") -> None:
        segment = tcp(ALICE, 4000, BOB, 80, ISN + seq, 1, flags, data)
        pair.packet("alice", "out", at, segment)
        pair.packet("bob", "in", at + 0.1, segment)
        pair.state("alice", at + 900)
        pair.growing.take(
            Heard(pair.nodes["bob"], state=State(BEGIN + int((at + 900) * MS), 0, True, False, 0, (), ()))
        )
        seen.extend((arrow.segment.seq, arrow.segment.notes) for arrow in pair.growing.step().fresh)

    tell(0, SYN, 0)
    for number in range(60):
        tell(1000 * (number + 1), ACK | PSH, 1 + 5 * number, b"hello")
    assert seen == [(0, ()), *((1 + 5 * number, ()) for number in range(60))]
    assert sum(map(len, pair.growing._records.values())) < 30


def test_milestones_are_near_enough_to_count_on():
    """Three GiB in steps of half a GiB, past the end of the 32 bits."""
    segments = [tcp(ALICE, 4000, BOB, 80, (ISN + step * (1 << 29)) % 2**32, 1, ACK, b"x") for step in range(7)]
    records = [
        Record(BEGIN + n, ETHER + data, len(data) + 14, Interface(0, "eth0:in", ETHERNET))
        for n, data in enumerate(segments)
    ]
    kept = [records.index(record) for record in following.milestones(records)]
    assert kept[0] == 0
    assert kept[-1] == 6
    assert all(1 <= b - a < 4 for a, b in pairwise(kept))
    assert following.milestones(following.milestones(records)) == following.milestones(records)


def test_faults_are_asked_for_by_the_recorders_clock(engine, lab, fakes, monkeypatch):
    """An engine elsewhere has a clock of its own."""
    hour, now, begun = 3600 * 10**9, time.time_ns, []
    monkeypatch.setattr(recorder_fakes, "time", SimpleNamespace(time_ns=lambda: now() - hour))

    class Asked(following.Journals):
        def __init__(self, engine, lab, begin_ns, *, follow):
            begun.append(begin_ns)
            super().__init__(engine, lab, begin_ns, follow=follow)

    monkeypatch.setattr(following, "Journals", Asked)
    monkeypatch.setattr(capture.verdicts, "since", lambda engine, lab, begin_ns: begun.append(begin_ns) or [])
    nodes = [lab().node("alice"), lab().node("bob")]
    assert list(following.follow(engine, lab(), nodes, 2.0, Options())) == []
    with capture.Capture(engine, lab(), capture.Place(tuple(nodes)), last=2.0, seconds=0) as seen:
        assert list(seen) == []
    assert [round((now() - begin) / hour) for begin in begun] == [1, 1]


@pytest.mark.parametrize(("streams", "seconds"), [([], 1), (["a probe's"], 5)])
def test_where_there_are_faults_their_word_is_waited_for_longer(pair, streams, seconds):
    pair.growing.behind_ns = following.behind_ns(SimpleNamespace(streams=streams))
    pair.packet("alice", "out", 100, udp(ALICE, 1, BOB, 2, b"x", id=9))
    for at, told in ((seconds * 1000, []), (seconds * 1000 + 200, [("alice", "lost", 9)])):
        assert pair.state("alice", at) == []
        assert pair.state("bob", at) == told


def test_what_is_lost_waits_for_the_word_of_a_fault(pair):
    """Which comes by a way of its own: else the packet would be told as lost, and not by what."""
    data = udp(ALICE, 1, BOB, 2, b"x", id=9)
    pair.packet("alice", "out", 105, data)
    assert pair.state("alice", 600) == []
    assert pair.state("bob", 600) == [], "nobody has said yet why it is lost"
    pair.growing.verdicts.append(verdict(packet(data), "alice", "f1", "drop", 105 * MS))
    assert pair.state("alice", 700) == [("alice", "lost", 9)]
    again = udp(ALICE, 1, BOB, 2, b"y", id=10)
    pair.packet("alice", "out", 800, again)
    assert pair.state("alice", 1700) == []
    assert pair.state("bob", 1700) == []
    assert pair.state("alice", 1900) == []
    assert pair.state("bob", 1900) == [("alice", "lost", 10)], "no fault has spoken of it by now"
