"""Rules at work on packets, without a kernel: the queue, the clock and the sender of copies are given."""

from random import Random

import pytest
from labfault.faults import FAULTS
from labfault.link import Links
from labfault.nfqueue import ACCEPT, DROP
from labfault.packet import RST, Packet
from labfault.rule import Rule
from packets_by_hand import BOB, is_sound, tcp, udp

from labctl.faults.match import parse


class Wire:
    """What comes out: `left` holds (time, id) in order, `-id` for a copy."""

    takes = False  # whether packets that wait are taken from the kernel

    def __init__(self, *rules: dict):
        self.left: list[tuple[float, int]] = []
        self.dropped: list[int] = []
        self.changed: dict[int, bytes] = {}
        self.reported: list[tuple[str, str]] = []
        self.now = 0.0
        self.links = Links(self, self.again, self.report, lambda destination: {destination}, lambda packet: self.takes)
        self.links.replace([Rule(rule) for rule in rules])

    def decide(self, ident, verdict, data=None):
        if verdict == DROP:
            self.dropped.append(ident)
        else:
            assert verdict == ACCEPT
            self.left.append((self.now, ident))
        if data is not None:
            self.changed[ident] = data

    def again(self, packet, data):
        self.left.append((self.now, -self.left[-1][1]))

    def report(self, rule, packet, action, fields):
        self.reported.append((rule.id, action))

    def send(self, ident: int, data: bytes, at: float) -> None:
        self.run(at)
        self.links.arrive(ident, data, at)

    def run(self, until: float) -> None:
        """Lets time pass: each packet leaves when it is due, not at the next look."""
        while (due := self.links.release_due(self.now)) is not None and due <= until:
            self.now = max(self.now, due)
        self.now = max(self.now, until)

    @property
    def order(self) -> list[int]:
        return [ident for _, ident in self.left]


def rule(ident="f1", *, peers=(BOB,), seed=7, **fields) -> dict:
    peers = None if peers is None else list(peers)
    return {"id": ident, "link": "alice:bob", "peers": peers, "seed": seed, "kind": "condition", "what": "", **fields}


def train(wire: Wire, count: int, gap: float = 0.001) -> None:
    for number in range(1, count + 1):
        wire.send(number, udp(b"%d" % number), number * gap)
    wire.run(1000)


def test_loss_is_as_large_as_asked_and_the_same_for_the_same_seed():
    first, again, other = (Wire(rule(drop=0.3, seed=seed)) for seed in (7, 7, 8))
    for wire in (first, again, other):
        train(wire, 5000)
    assert abs(len(first.dropped) - 1500) < 3 * (5000 * 0.3 * 0.7) ** 0.5
    assert first.dropped == again.dropped
    assert first.dropped != other.dropped
    assert len(first.left) + len(first.dropped) == 5000
    assert first.reported == [("f1", "drop")] * len(first.dropped)


@pytest.mark.parametrize(("share", "lost"), [(1.0, 100), (0.0001, 0)])
def test_the_ends_of_chance(share, lost):
    wire = Wire(rule(drop=share))
    train(wire, 100)
    assert len(wire.dropped) == lost


def test_what_one_condition_draws_does_not_change_another():
    alone, both = Wire(rule(drop=0.3)), Wire(rule(drop=0.3, delay=0.01, jitter=0.01, duplicate=0.5))
    for wire in (alone, both):
        train(wire, 500)
    assert alone.dropped == both.dropped


def test_delay_and_jitter_stay_in_their_bounds_and_keep_the_order():
    wire = Wire(rule(delay=0.1, jitter=0.02))
    train(wire, 500, gap=0.005)
    held = [time - ident * 0.005 for time, ident in wire.left]
    assert wire.order == list(range(1, 501))
    assert min(held) >= 0.08 - 1e-4
    assert max(held) <= 0.12 + 1e-4
    assert max(held) - min(held) > 0.02


def test_rate_spaces_packets_and_drops_what_waits_too_long():
    wire = Wire(rule(rate=100_000.0))
    size = len(udp(bytes(1222)))
    assert size == 1250  # a tenth of a second at that rate
    for number in range(1, 21):
        wire.send(number, udp(bytes(1222)), 0.0)
    wire.run(10)
    assert [round(time, 3) for time, _ in wire.left] == [round(n / 10, 3) for n in range(1, 12)]
    assert wire.dropped == list(range(12, 21))
    assert ("f1", "drop") in wire.reported


def test_duplicates_come_right_behind():
    wire = Wire(rule(duplicate=1.0))
    train(wire, 3)
    assert wire.order == [1, -1, 2, -2, 3, -3]


def test_reordered_is_overtaken_by_the_next_of_its_flow():
    wire = Wire(rule(reorder=1.0, match=parse("udp datagram 2"), times=1))
    train(wire, 4)
    assert wire.order == [1, 3, 2, 4]


def test_reordered_waits_for_one_that_is_held_longer_than_it_would_wait():
    held = rule("f2", delay=0.3, match=parse("udp datagram 2"), times=1)
    wire = Wire(rule(reorder=1.0, match=parse("udp datagram 1"), times=1), held)
    wire.send(1, udp(b"1"), 0.0)
    wire.send(2, udp(b"2"), 0.05)
    wire.run(1.0)
    assert wire.order == [2, 1]
    assert wire.left[0][0] == wire.left[1][0] == pytest.approx(0.35)
    assert ("f1", "reorder") in wire.reported


def test_reordered_does_not_wait_for_ever_nor_for_another_flow():
    wire = Wire(rule(reorder=1.0, match=parse("udp datagram 1"), times=1))
    wire.send(1, udp(b"x", sport=1), 0.0)
    wire.send(2, udp(b"x", sport=2), 0.01)
    wire.run(1)
    assert wire.left == [(0.01, 2), (0.1, 1)]


@pytest.mark.parametrize("make", [tcp, udp])
@pytest.mark.parametrize("ends", [{}, {"src": "fd00::5", "dst": "fd00::6"}])
@pytest.mark.parametrize("payload", [b"", b"hello, world"])
@pytest.mark.parametrize("fix", [False, True])
def test_corruption_is_seen_by_the_checksum_unless_it_is_made_right(make, ends, payload, fix):
    data = make(payload, **ends)
    assert is_sound(data)
    for seed in range(50):
        wire = Wire(rule(corrupt=1.0, seed=seed, fix_checksum=fix, peers=None))
        wire.send(1, data, 0.0)
        if fix and not payload:
            assert wire.changed == {}
            assert wire.reported == []
            continue
        changed = wire.changed[1]
        assert len(changed) == len(data)
        assert changed != data
        assert is_sound(changed) is fix
        before, after = Packet(data), Packet(changed)
        assert (before.src, before.dst, before.sport, before.dport) == (after.src, after.dst, after.sport, after.dport)


@pytest.mark.parametrize("ends", [{}, {"src": "fd00::5", "dst": "fd00::6"}])
def test_reset_becomes_a_segment_that_the_receiver_believes(ends):
    data = tcp(b"hi", "psh,ack", seq=1234, **ends)
    wire = Wire(rule(reset=True, peers=None, match=parse('tcp contains "hi"'), times=1))
    wire.send(1, tcp(b"ho", "psh,ack", **ends), 0.0)
    wire.send(2, data, 0.0)
    found = Packet(wire.changed[2])
    assert is_sound(wire.changed[2])
    assert found.flags & RST
    assert (found.seq, found.length, found.flow) == (1234, 0, Packet(data).flow)
    assert 1 not in wire.changed


def test_rules_hold_for_their_link_alone_and_in_order():
    wire = Wire(rule("f1", duplicate=1.0), rule("f2", drop=1.0), rule("f3", peers=["10.77.0.9"], delay=1.0))
    wire.send(1, udp(b"x"), 0.0)
    wire.send(2, udp(b"x", dst="10.77.0.8"), 0.0)
    assert wire.dropped == [1]
    assert wire.order == [2]
    assert wire.reported == [("f1", "duplicate"), ("f2", "drop")]


def test_packets_that_wait_can_be_taken_from_the_kernel():
    """Each has its verdict at once, and is sent when it is due; one that need not wait is left where it is."""
    wire = Wire(rule(delay=0.1, duplicate=1.0, match=parse("sport 1")))
    wire.takes = True
    sent = []
    wire.links._again = lambda packet, data: sent.append((wire.now, packet.sport))
    wire.send(1, udp(b"x", sport=1), 0.0)
    wire.send(2, udp(b"x", sport=2), 0.0)
    assert wire.dropped == [1]
    assert wire.order == [2]
    wire.run(1)
    assert sent == [(pytest.approx(0.1), 1)] * 2


def test_delays_of_several_rules_add_up():
    wire = Wire(rule("f1", delay=0.1), rule("f2", delay=0.05))
    wire.send(1, udp(b"x"), 0.0)
    wire.run(1)
    assert wire.left == [(pytest.approx(0.15), 1)]


def test_times_are_counted_and_then_it_is_over():
    wire = Wire(rule(drop=1.0, match=parse("tcp syn"), times=2))
    for number in range(1, 5):
        wire.send(number, tcp(flags="syn"), 0.0)
    assert wire.dropped == [1, 2]
    assert wire.links.rules[0].is_spent
    assert wire.links.rules[0].state()["matched"] == 2


def test_what_is_held_leaves_at_once_when_all_is_over():
    wire = Wire(rule(delay=30.0))
    for number in (1, 2, 3):
        wire.send(number, udp(b"x"), 0.0)
    assert wire.links.holds
    wire.links.release_all()
    assert wire.order == [1, 2, 3]
    assert not wire.links.holds


def test_each_packet_gets_just_one_verdict_whatever_is_mixed():
    chance = Random(3)
    values = {"drop": 0.1, "duplicate": 0.2, "reorder": 0.3, "corrupt": 0.1, "delay": 0.01, "jitter": 0.01}
    wire = Wire(rule(**values), rule("f2", rate=5e6, reorder=0.5))
    for number in range(1, 2001):
        wire.send(number, udp(b"x", sport=1 + chance.randrange(5)), number * 0.0005)
    wire.run(100)
    assert sorted([ident for ident in wire.order if ident > 0] + wire.dropped) == list(range(1, 2001))


def test_every_fault_has_its_word():
    from labctl.faults.conditions import CONDITIONS

    assert {*FAULTS, "jitter"} == {*CONDITIONS, "reset"}
