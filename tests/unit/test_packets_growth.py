"""Four times the packets take about four times the work, also where they all look alike."""

import sys

import pytest
from traffic import BEGIN, Wire, ip, packet, udp, verdict

from labctl.packets.ladder.ladder import of_pairs
from labctl.packets.matching.blame import blamed
from labctl.packets.matching.live import InOrder
from labctl.packets.matching.match import match
from labctl.packets.tcp.fragments import reassembled

A6, B6 = "fd00:77::11", "fd00:77::12"


def effort(work) -> int:
    """How many calls it makes, of functions of C as well: the same on any machine."""
    count = 0

    def on_event(_frame, event, _argument):
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(on_event)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def late_verdicts(count):
    """All of them after the burst that they are about."""
    wire = Wire(names={A6: "alice", B6: "bob"})
    sent = [wire.send(udp(A6, 1, B6, 2, b"%07d" % number)) for number in range(count)]
    told = [verdict(one, "alice", "f1", "delay", count * 200_000 + n * 1000) for n, one in enumerate(sent)]
    sides = wire.sides()
    return lambda: blamed(sides, told)


def late_drops(count):
    wire = Wire(names={A6: "alice", B6: "bob"})
    sent = [wire.send(udp(A6, 1, B6, 2, b"%07d" % number), lost=number % 4 == 0) for number in range(count)]
    told = [verdict(one, "alice", "f1", "drop", count * 200_000 + n * 1000) for n, one in enumerate(sent[::4])]
    sides = wire.sides()
    return lambda: match(sides, told)


def rewritten(count):
    wire = Wire(names={A6: "alice", B6: "bob"})
    for _ in range(count):
        wire.send(udp(A6, 5000, B6, 53, b"a question"), arrives=udp("fd00:88::1", 33000, B6, 53, b"a question", ttl=63))
    sides = wire.sides()
    return lambda: match(sides)


def too_short(count):
    """Nothing in them tells that a router rewrote them: all are looked at, and none is taken for another."""
    wire = Wire(names={A6: "alice", B6: "bob"})
    for _ in range(count):
        wire.send(udp(A6, 5000, B6, 53, b"hi"), arrives=udp("fd00:88::1", 33000, B6, 53, b"hi", ttl=63))
    sides = wire.sides()
    return lambda: match(sides)


def half_unseen(count):
    """The sender's capture began half-way."""
    wire = Wire(names={A6: "alice", B6: "bob"})
    for number in range(count):
        wire.send(udp(A6, 5000, B6, 53, b"%07d" % number))
    sides = wire.sides()
    del sides[0].sent[: count // 2]
    return lambda: match(sides)


def half_damaged(count):
    """Much is damaged, in packets of one length."""
    wire = Wire(names={A6: "alice", B6: "bob"})
    for number in range(count):
        data = udp(A6, 5000, B6, 53, b"%07d" % number)
        wire.send(data, arrives=data[:-1] + b"X" if number % 2 else data)
    sides = wire.sides()
    return lambda: match(sides)


def endless_fragments(count):
    """The last one never comes."""
    pieces = [ip("10.77.0.11", "10.77.0.12", 17, b"12345678", id=7, flags=0x2000 | n) for n in range(count)]
    packets = [packet(data, n * 1000, n) for n, data in enumerate(pieces)]
    return lambda: reassembled(packets)


def live(count):
    """As they come, all held until the end."""
    pieces = [packet(udp("10.77.0.11", 1, "10.77.0.12", 2, b"same"), n * 1000, n, "alice") for n in range(count)]

    def work():
        order = InOrder(["alice"])
        for one in pieces:
            order.add(one, "sent")
            order.blame(verdict(one, "alice", "f1", "delay", one.ts_ns - BEGIN + 100))
        assert sum(len(seen.verdicts) for seen in order.take(everything=True)) == count

    return work


SCENES = [live, late_verdicts, late_drops, rewritten, too_short, half_unseen, half_damaged, endless_fragments]


@pytest.mark.turn(3)
@pytest.mark.parametrize("scene", SCENES)
def test_work_grows_with_the_number_of_packets(scene):
    assert effort(scene(1600)) < 6 * effort(scene(400))


def mesh(nodes):
    """Each node sends one packet to each other one; a tenth of them are dropped by a rule."""
    wire = Wire(names={f"10.77.0.{number}": f"n{number}" for number in range(1, nodes + 1)})
    count = 0
    for one in wire.names:
        for other in wire.names:
            if one != other:
                count += 1
                gone = count % 10 == 0
                data = udp(one, 5, other, 5, b"%d" % count, id=wire.id())
                wire.send(data, lost=gone, by=[("f1", "drop")] if gone else None)
    sides = wire.sides()
    hidden = [verdict(sides[0].sent[0], "n1", "f2", "delay", 60 * 10**9)]
    assert hidden[0].ts_ns > BEGIN
    return lambda: of_pairs(sides, wire.verdicts + hidden)


def test_ladders_of_all_pairs_take_as_much_work_as_there_are_packets():
    """Of 24 nodes there are 4.6 times as many as of 12."""
    assert effort(mesh(24)) < 7 * effort(mesh(12))
