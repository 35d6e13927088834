"""Packets that look alike: which of them arrived, which a fault spoke of, and which are no copies of each other."""

import random

import pytest
from traffic import BEGIN, MS, Wire, udp, verdict

from labctl.packets.ladder.ladder import two_sided
from labctl.packets.matching.match import match

A, B = "10.77.0.11", "10.77.0.12"
A6, B6, C6 = "fd00:77::11", "fd00:77::12", "fd00:99::3"


def train(wire, count, **how):
    """Datagrams of one length without an IP id, numbered; `how` tells of some what becomes of them."""
    one, other = wire.names
    for number in range(count):
        wire.send(udp(one, 5005, other, 5005, b"seq=%04d" % number), **how.get(f"n{number}", {}))
    return wire


def wires():
    return [Wire(), Wire(names={A6: "alice", B6: "bob"})]


def told(crossings):
    return [(one.packet.payload, one.fate, one.corrupted, len(one.copies)) for one in crossings]


@pytest.mark.parametrize("wire", wires(), ids=["without an id", "ipv6"])
def test_another_datagram_of_the_same_length_is_no_damaged_one(wire):
    """The sender's capture missed the third: neither the fourth's damaged form, nor a copy of it."""
    train(wire, 4)
    alice = wire.side("alice", kernel_drops=1)
    del alice.sent[2]
    assert told(match([alice, wire.side("bob")])) == [
        (b"seq=0000", "delivered", False, 0),
        (b"seq=0001", "delivered", False, 0),
        (b"seq=0002", "unknown", False, 0),
        (b"seq=0003", "delivered", False, 0),
    ]


@pytest.mark.parametrize("wire", wires(), ids=["without an id", "ipv6"])
def test_what_comes_much_later_is_not_what_was_lost(wire):
    train(wire, 3, n1={"lost": True})
    wire.wait(30_000)
    one, other = wire.names
    wire.stray("bob", udp(one, 5005, other, 5005, b"seq=0099"))
    found = match([wire.side("alice", kernel_drops=1), wire.side("bob")])
    assert [one.fate for one in found] == ["delivered", "lost", "delivered", "unknown"]


@pytest.mark.parametrize("by", [None, [("f1", "corrupt")]])
def test_damage_is_known_by_its_checksum_without_an_id(by):
    """Of several that were lost, it is the one that differs least."""
    wire = Wire(names={A6: "alice", B6: "bob"})
    data = udp(A6, 5005, B6, 5005, b"seq=0002")
    harmed = data[:-1] + bytes([data[-1] ^ 4])
    train(wire, 5, n1={"lost": True}, n2={"arrives": harmed, "by": by}, n3={"lost": True})
    found = match(wire.sides(), wire.verdicts)
    assert [(one.fate, one.corrupted) for one in found] == [
        ("delivered", False),
        ("lost", False),
        ("delivered", True),
        ("lost", False),
        ("delivered", False),
    ]


def test_what_damage_made_the_same_as_another_is_not_that_one():
    wire = Wire(names={A6: "alice", B6: "bob"})
    harmed = udp(A6, 5005, B6, 5005, b"seq=0002")[:-1] + b"1"
    train(wire, 4, n2={"arrives": harmed})
    assert told(match(wire.sides())) == [(b"seq=%04d" % n, "delivered", n == 2, 0) for n in range(4)]


def test_a_checksum_alone_may_be_damaged():
    wire = Wire()
    data = udp(A, 1, B, 2)
    sent = wire.send(data, arrives=data[:26] + bytes([data[26] ^ 1]) + data[27:])
    wire.verdicts.append(verdict(sent, "alice", "f1", "corrupt", 10_000))
    assert [(one.fate, one.corrupted, len(one.faults)) for one in match(wire.sides(), wire.verdicts)] == [
        ("delivered", True, 1)
    ]


def test_damage_with_its_checksum_made_right_is_known_by_the_verdict():
    wire = Wire(names={A6: "alice", B6: "bob"})
    harmed = udp(A6, 5005, B6, 5005, b"seq=0006")  # one bit of 0002
    train(wire, 4, n2={"arrives": harmed, "by": [("f1", "corrupt")]})
    found = match(wire.sides(), wire.verdicts)
    assert [(one.fate, one.corrupted) for one in found] == [("delivered", n == 2) for n in range(4)]
    assert [one.fate for one in match(wire.sides())][2] == "lost", "nothing but the verdict speaks for it"


def test_damage_is_looked_for_only_when_the_packet_was_due():
    wire = Wire(names={A6: "alice", B6: "bob"})
    train(wire, 2, n1={"lost": True})
    wire.wait(5000)
    data = bytearray(udp(A6, 5005, B6, 5005, b"seq=0001"))
    data[-1] ^= 4
    wire.stray("bob", bytes(data))
    assert [one.fate for one in match(wire.sides())] == ["delivered", "lost", "elsewhere"]


@pytest.mark.parametrize("first", ["captured", "uncaptured"])
def test_of_equal_queries_the_rewritten_one_is_known_by_its_target(first):
    wire = Wire(names={A6: "alice", B6: "bob"})
    query = b"the same query"
    for target in (B6, C6) if first == "captured" else (C6, B6):
        arrives = udp("fd00:88::1", 33000, B6, 53, query, ttl=63) if target == B6 else None
        wire.send(udp(A6, 5000, target, 53, query), arrives=arrives)
        wire.now -= 190_000
    found = {one.packet.dst: one for one in match(wire.sides())}
    assert (found[B6].fate, found[B6].rewritten.new_source) == ("delivered", ("fd00:88::1", 33000))
    assert (found[C6].fate, found[C6].rewritten) == ("unknown", None)


@pytest.mark.parametrize("lag", [10_000, 160_000, 450_000, 2 * MS])
def test_a_drop_is_on_the_packet_that_did_not_arrive_however_late_it_is_told(lag):
    for wire in wires():
        one, other = wire.names
        for number in range(20):
            gone = number in (2, 3, 11)
            sent = wire.send(udp(one, 5005, other, 5005, b"seq=%04d" % number), lost=gone)
            wire.now -= 100_000
            if gone:
                wire.verdicts.append(verdict(sent, "alice", f"f{number}", "drop", number * 100_000 + lag))
        found = match(wire.sides(), wire.verdicts)
        faults = {number: [v.rule for v in each.faults] for number, each in enumerate(found) if each.faults}
        assert faults == {2: ["f2"], 3: ["f3"], 11: ["f11"]}
        assert [number for number, each in enumerate(found) if each.fate == "lost"] == [2, 3, 11]


def test_a_duplication_is_on_the_packet_that_has_a_copy_and_a_delay_on_one_that_was_late():
    wire = Wire(names={A6: "alice", B6: "bob"})
    marks = {3: "duplicate", 7: "delay", 12: "reorder", 16: "duplicate"}
    for number in range(20):
        what = marks.get(number)
        late = {"delay": 50 * MS, "reorder": 250_000}.get(what, 0)
        data = udp(A6, 5005, B6, 5005, b"seq=%04d" % number)
        sent = wire.send(data, late=late, copies=(30_000,) if what == "duplicate" else ())
        wire.now -= 100_000
        if what:
            held = 50 * MS if what == "delay" else 0
            told = verdict(sent, "alice", "f1", what, number * 100_000 + 160_000, held_ns=held)
            wire.verdicts.append(told)
    found = match(wire.sides(), wire.verdicts)
    assert {n: one.faults[0].action for n, one in enumerate(found) if one.faults} == marks


def test_a_drop_is_on_no_packet_that_arrived():
    wire = Wire()
    train(wire, 3)
    unseen = verdict(wire.side("alice").sent[1], "alice", "f1", "drop", 260_000)
    found = two_sided(*wire.sides(), [unseen])
    assert not any(arrow.faults for arrow in found.arrows)
    assert found.notes == ("f1 acted on 1 packet that the captures don't show.",)


def test_what_is_dropped_may_have_been_duplicated_before():
    wire = Wire()
    train(wire, 6, n1={"copies": (20_000,), "by": [("f1", "duplicate")]})
    gone = wire.send(udp(A, 5005, B, 5005, b"seq=0006"), lost=True)
    wire.verdicts += [
        verdict(gone, "alice", rule, what, 1_210_000) for rule, what in (("f1", "duplicate"), ("f2", "drop"))
    ]
    found = match(wire.sides(), wire.verdicts)
    assert {n: [v.action for v in one.faults] for n, one in enumerate(found) if one.faults} == {
        1: ["duplicate"],
        6: ["duplicate", "drop"],
    }


@pytest.mark.parametrize("count", [1, 4])
def test_what_comes_long_after_the_first_is_no_copy(count):
    """The sender's capture missed that it sent the same text again after a minute."""
    wire = Wire(names={A6: "alice", B6: "bob"})
    for _ in range(count):
        wire.send(udp(A6, 1, B6, 2, b"tick"))
    wire.wait(60_000)
    wire.stray("bob", udp(A6, 1, B6, 2, b"tick"))
    found = match([wire.side("alice", kernel_drops=1), wire.side("bob")])
    assert [(one.fate, len(one.copies)) for one in found] == [("delivered", 0)] * count + [("unknown", 0)]
    ended = match([wire.side("alice", until_ns=BEGIN + 1000 * MS), wire.side("bob")])
    assert ended[-1].why == "the capture at alice had ended when it was sent"


@pytest.mark.parametrize("count", [1, 4])
def test_a_copy_that_a_fault_made_may_come_whenever_it_does(count):
    wire = Wire(names={A6: "alice", B6: "bob"})
    for number in range(count):
        last = number == count - 1
        how = {"copies": (900 * MS,), "by": [("f1", "duplicate")]} if last else {}
        wire.send(udp(A6, 1, B6, 2, b"tick"), **how)
    assert [len(one.copies) for one in match(wire.sides(), wire.verdicts)] == [0] * (count - 1) + [1]


def test_random_trains_with_late_verdicts_are_named_packet_by_packet():
    """As the review of a burst needs it: drops and duplicates, told in order, by up to 3 ms late."""
    for seed in range(40):
        chance = random.Random(seed)
        wire, truth = Wire(), {}
        told_at = 0
        for number in range(60):
            what = chance.choice([None, None, None, "drop", "duplicate"])
            data = udp(A, 5005, B, 5005, b"seq=%04d" % number)
            sent = wire.send(data, lost=what == "drop", copies=(20_000,) if what == "duplicate" else ())
            told_at = max(told_at, wire.now + chance.randrange(3 * MS))
            wire.now -= chance.randrange(150_000)
            if what:
                truth[number] = [what]
                wire.verdicts.append(verdict(sent, "alice", "f1", what, told_at))
        found = match(wire.sides(), wire.verdicts)
        assert {n: [v.action for v in one.faults] for n, one in enumerate(found) if one.faults} == truth
