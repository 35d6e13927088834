"""What is sent again, and why: as far as one observer can know it."""

import struct
import time

import pytest
from traffic import BEGIN, MS, Peer, Wire, connected, icmp, mss, packet, scale, tcp

from labctl.packets.ladder.transitions import transitions
from labctl.packets.model import ACK, PSH, SYN
from labctl.packets.tcp.flows import analyse
from labctl.packets.tcp.ranges import Ranges

A, B, ROUTER = "10.77.0.11", "10.77.0.12", "10.77.0.1"
SIX, OTHER_SIX = "fd00:77::11", "fd00:77::12"


def sack(*blocks):
    edges = [edge for block in blocks for edge in block]
    return struct.pack(f">BBBB{len(edges)}I", 1, 1, 5, 2 + 4 * len(edges), *edges)


def notes(wire, node="alice"):
    """What is said of each segment that anything is said of."""
    side = wire.side(node)
    view = sorted((*side.sent, *side.arrived), key=lambda one: one.ts_ns)
    found = [found for found in analyse(view).segments if found is not None]
    return [(one.seq, *map(str, one.notes)) for one in found if one.notes]


@pytest.mark.parametrize(
    ("pause", "said"),
    [
        (5, "retransmission 5.2 ms after the last try"),
        (120, "retransmission 120 ms after the last try"),
        (201, "retransmission by timeout, 201 ms after the last try"),
    ],
)
def test_only_what_waited_for_a_timer_is_sent_by_timeout(pause, said):
    wire, alice, _ = connected()
    alice.say(b"hello", lost=True)
    wire.wait(pause)
    alice.say(b"hello", seq=1001)
    assert notes(wire) == [(1, said)]


def test_a_piece_of_a_segment_that_is_sent_again_has_its_time():
    wire, alice, _ = connected()
    alice.say(b"hello, world", lost=True)
    wire.wait(300)
    alice.say(b"world", seq=1008)
    wire.wait(300)
    alice.say(b"hello, ", seq=1001)
    assert notes(wire) == [
        (8, "retransmission by timeout, 300 ms after the last try"),
        (1, "retransmission by timeout, 600 ms after the last try"),
    ]


def test_what_was_sent_before_the_capture_began_has_no_time():
    wire = Wire()
    alice = Peer(wire, A, 1, B, 2)
    alice.say(b"hello")
    alice.say(b"before", seq=990)
    assert notes(wire) == [(-9, "retransmission")]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_all_that_a_few_duplicate_acks_tell_to_be_lost_belongs_to_one_recovery(count):
    wire, alice, bob = connected()
    alice.say(b"one", lost=True)
    alice.say(b"two", lost=True)
    for word in (b"three", b"four", b"five")[:count]:
        alice.say(word)
        bob.confirm()
    alice.say(b"one", seq=1001)
    bob.confirm(1004)
    wire.wait(150)  # a way that takes long: the time of the last answer counts
    bob.confirm(1004)
    alice.say(b"two", seq=1004)
    word = "fast retransmission" if count == 3 else "retransmission"
    several = "" if count == 1 else "s"
    again = [said for _, said in notes(wire) if "retransmission" in said]
    assert again[0].startswith(f"{word} after {count} duplicate ACK{several}, ")
    assert again[1].startswith("retransmission after 1 duplicate ACK, ")


def test_a_partial_acknowledgement_goes_on_with_a_recovery():
    wire, alice, bob = connected()
    for word in (b"one", b"two", b"six"):
        alice.say(word, lost=True)
    alice.say(b"three")
    bob.confirm()
    alice.say(b"one", seq=1001)
    for number, word in ((1004, b"two"), (1007, b"six")):
        wire.wait(150)
        bob.confirm(number)
        alice.say(word, seq=number)
    assert [said.partition(",")[0] for _, said in notes(wire)] == [
        "duplicate ACK #1",
        "retransmission after 1 duplicate ACK",
        "fast retransmission of the same recovery",
        "fast retransmission of the same recovery",
    ]


def test_sack_tells_of_a_loss_without_a_duplicate_acknowledgement():
    wire, alice, bob = connected()
    alice.say(b"one")
    alice.say(b"two", lost=True)
    alice.say(b"three")
    bob.ack = 1004
    bob.segment(ACK, options=sack((1007, 1012)))
    alice.say(b"two", seq=1004)
    assert [said.partition(",")[0] for _, said in notes(wire)] == ["fast retransmission after SACK of later bytes"]


def test_data_of_a_syn_that_was_not_taken():
    wire = Wire()
    alice, bob = Peer(wire, A, 5000, B, 80), Peer(wire, B, 80, A, 5000)
    alice.segment(SYN, b"hello", options=mss() + scale(), window=64240)
    bob.ack = 1001
    bob.syn(SYN | ACK)
    alice.ack = bob.seq
    alice.segment(PSH | ACK, b"hello", seq=1001)
    wire.wait(250)
    alice.segment(PSH | ACK, b"hello", seq=1001)
    assert notes(wire) == [
        (1, "retransmission the SYN's data was not taken"),
        (1, "retransmission by timeout, 250 ms after the last try"),
    ]


@pytest.mark.parametrize("six", [False, True])
def test_smaller_after_an_icmp_error(six):
    one, other, router = (SIX, OTHER_SIX, "fd00:77::1") if six else (A, B, ROUTER)
    wire, alice, _ = connected(Wire(names={one: "alice", other: "bob"}))
    big = b"z" * 1400
    alice.say(big, lost=True)
    quoted = tcp(one, 40022, other, 80, 1001, 5001, PSH | ACK, big)
    kind, rest = ((2, 0), struct.pack(">I", 1280)) if six else ((3, 4), struct.pack(">HH", 0, 1200))
    wire.stray("alice", icmp(router, one, *kind, rest + quoted[:68]))
    alice.segment(ACK, big[:700], seq=1001)
    alice.segment(PSH | ACK, big[700:], seq=1701)
    assert [said.partition(", 0.")[0] for _, said in notes(wire)] == ["retransmission smaller, after an ICMP error"] * 2


def test_other_icmp_errors_say_nothing_of_sizes():
    wire, alice, _ = connected()
    alice.say(b"hello", lost=True)
    quoted = tcp(A, 40022, B, 80, 1001, 5001, PSH | ACK, b"hello")
    wire.stray("alice", icmp(ROUTER, A, 3, 1, bytes(4) + quoted[:28]))
    alice.say(b"hello", seq=1001)
    assert notes(wire) == [(1, "retransmission 0.40 ms after the last try")]


def test_who_gets_it_sees_a_fast_retransmission_where_it_asked_for_it():
    """The hole was seen only just before; but two segments that changed places are not asked for twice."""
    wire, alice, bob = connected()
    alice.say(b"one", lost=True)
    for word in (b"two", b"three", b"four"):
        alice.say(word)
        bob.confirm()
    alice.say(b"one", seq=1001)
    assert notes(wire, "bob")[-1] == (1, "fast retransmission after 3 duplicate ACKs")


def test_two_that_changed_places_are_not_sent_again():
    wire, alice, _ = connected()
    alice.say(b"one", late=250_000)
    alice.say(b"two")
    assert notes(wire, "bob") == [(4, "gap 3 B before it not seen"), (1, "out of order fills a gap")]


def test_what_had_arrived_is_sent_again_for_nothing():
    wire, alice, bob = connected()
    alice.say(b"hello")
    bob.confirm(alice.seq, lost=True)
    wire.wait(210)
    alice.say(b"hello", seq=1001)
    bob.segment(ACK, options=sack((1001, 1006)))
    assert notes(wire, "bob") == [(1, "spurious retransmission it had arrived"), (1, "D-SACK bytes 1 to 5 came twice")]
    # Who sent it could not know.
    assert notes(wire)[0] == (1, "retransmission by timeout, 210 ms after the last try")


def test_an_acknowledgement_of_what_was_never_sent_proves_nothing():
    wire, alice, bob = connected()
    alice.say(b"hello", lost=True)
    bob.confirm(1_000_000)
    wire.wait(300)
    alice.say(b"hello", seq=1001)
    assert notes(wire)[-1] == (1, "retransmission by timeout, 300 ms after the last try")


def test_a_d_sack_may_stand_within_what_sack_tells():
    wire, alice, bob = connected()
    alice.say(b"one", lost=True)
    alice.say(b"two")
    bob.segment(ACK, options=sack((1004, 1007)))
    alice.say(b"two", seq=1004)
    bob.segment(ACK, options=sack((1004, 1007), (1004, 1007)))
    assert [said for _, said in notes(wire, "bob")][1:] == [
        "duplicate ACK #1",
        "retransmission 0.40 ms after the last try",
        "D-SACK bytes 4 to 6 came twice",
    ]


def crossed():
    wire = Wire(latency=2 * MS)
    alice, bob = Peer(wire, A, 5000, B, 6000), Peer(wire, B, 6000, A, 5000, isn=9000)
    alice.syn()
    bob.syn()
    wire.wait(5)
    alice.ack, bob.ack = bob.seq, alice.seq
    for peer, number in ((alice, 1000), (bob, 9000)):
        peer.segment(SYN | ACK, seq=number, options=mss() + scale(), window=64240)
    wire.wait(5)
    return wire, alice, bob


@pytest.mark.parametrize("node", ["alice", "bob"])
def test_a_simultaneous_open(node):
    wire, alice, bob = crossed()
    alice.say(b"hi")
    bob.confirm(alice.seq)
    assert notes(wire, node) == [(0, "simultaneous open")] * 2
    assert [(one.before, one.after) for one in transitions(wire.side(node))] == [
        ("CLOSED", "SYN-SENT"),
        ("SYN-SENT", "SYN-RECEIVED"),
        ("SYN-RECEIVED", "ESTABLISHED"),
    ]
    side = wire.side(node)
    view = sorted((*side.sent, *side.arrived), key=lambda one: one.ts_ns)
    assert analyse(view).segments[3].states == ("ESTABLISHED", "ESTABLISHED")  # by the other's SYN, ACK


def test_of_a_simultaneous_open_a_second_syn_ack_is_sent_again():
    wire, alice, _ = crossed()
    wire.wait(1000)
    alice.segment(SYN | ACK, seq=1000, options=mss() + scale())
    assert notes(wire)[-1][1] == "spurious retransmission it had arrived"
    wire, alice, bob = connected()
    wire.wait(1000)
    bob.segment(SYN | ACK, seq=5000, ack=1001, options=mss() + scale())
    assert [said for _, said in notes(wire, "bob")] == ["spurious retransmission it had arrived"]


def test_ranges_are_cut_where_others_take_their_place():
    found = Ranges()
    found.put(1, 10, 100)
    found.put(20, 30, 200)
    assert [found.time(n, n + 1) for n in (0, 1, 9, 10, 19, 20, 29, 30)] == [None, 100, 100, None, None, 200, 200, None]
    found.put(5, 25, 300)
    assert [found.time(n, n + 1) for n in (4, 5, 24, 25)] == [100, 300, 300, 200]
    found.put(6, 8, 400)
    assert [found.time(n, n + 1) for n in (5, 6, 7, 8)] == [300, 400, 400, 300]
    found.remove_below(7)
    assert [found.time(n, n + 1) for n in (1, 6, 7)] == [None, None, 400]
    found.remove(0, 100)
    assert found.time(0, 100) is None


def test_many_holes_take_no_longer_than_their_number():
    def taken(count):
        data = [packet(tcp(A, 1, B, 2, 1000 + n * 20, 1, ACK, b"x" * 10), n * 1000, n) for n in range(count)]
        again = [packet(one.record.data, one.ts_ns - BEGIN + count * 1000, count + n) for n, one in enumerate(data)]
        begin = time.process_time()
        analyse(data + again)
        return time.process_time() - begin

    taken(100)
    assert taken(8000) < 3  # ten times longer where each of them is looked through
