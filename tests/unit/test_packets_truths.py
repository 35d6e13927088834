"""What random faults on real traffic brought to light: times of the log, two delays by one rule, unheard questions."""

import struct
from dataclasses import replace

from traffic import BEGIN, MS, Wire, packet, udp

from labctl.packets.crossings import Side
from labctl.packets.ladder import two_sided
from labctl.packets.link import ETHERNET, RAW
from labctl.packets.match import match
from labctl.packets.model import Interface, Record
from labctl.packets.taps import side
from labctl.render.ladder import text

A, B, NOBODY = "10.77.0.11", "10.77.0.12", "10.77.0.99"
EVERYBODY = b"\xff" * 6


def test_the_log_is_in_the_order_of_sending_whenever_it_was_read():
    """The log is read late, at 9 ms; the second packet left before, at 2 ms: so the first one had been sent by then."""
    first, second = udp(A, 1, B, 2, b"held", id=1), udp(A, 1, B, 2, b"passes", id=2)
    sent, left = (Interface(n, f"eth0:{tap}", RAW) for n, tap in enumerate(("sent", "left")))
    records = [
        Record(BEGIN + at * MS, data, len(data), interface)
        for at, data, interface in ((9, first, sent), (9, second, sent), (2, second, left), (80, first, left))
    ]
    found = side("alice", records).sent
    assert [(one.ip_id, one.ts_ns - BEGIN) for one in found] == [(1, 2 * MS), (2, 2 * MS)]


def test_one_rule_may_delay_a_packet_twice():
    """By its time, and by waiting in vain for another that would overtake it."""
    wire = Wire()
    for number in range(2):
        rules = [("f1", "delay"), ("f1", "delay")] if number == 0 else None
        wire.send(udp(A, 1, B, 2, b"%d" % number, id=wire.id()), late=150 * MS if rules else 0, by=rules)
        wire.wait(200)
    first, second = match(wire.sides(), wire.verdicts)
    assert [one.action for one in first.faults] == ["delay", "delay"]
    assert second.faults == ()
    assert two_sided(*wire.sides(), wire.verdicts).notes == ()


def arp(operation: int, source: str, target: str) -> bytes:
    """An Ethernet frame (RFC 826)."""
    macs = {A: b"\2\0\0\0\0\x0b", B: b"\2\0\0\0\0\x0c"}
    packed = {one: bytes(map(int, one.split("."))) for one in (source, target)}
    head = struct.pack(">HHBBH", 1, 0x0800, 6, 4, operation)
    asked = bytes(6) if operation == 1 else macs[target]
    frame = (EVERYBODY if operation == 1 else asked) + macs[source] + b"\x08\x06"
    return frame + head + macs[source] + packed[source] + asked + packed[target]


def asked(target: str, answered: bool, until: int) -> list[Side]:
    frame = arp(1, A, target)
    question = [packet(frame, at, n, link_type=ETHERNET) for n, at in enumerate((0, 10_000))]
    reply = [packet(arp(2, B, A), at, 0, link_type=ETHERNET) for at in (20_000, 30_000)] if answered else []
    alice = Side("alice", question[:1], reply[1:], (A,), until_ns=BEGIN + until)
    return [alice, Side("bob", reply[:1], question[1:], (B,))]


def test_a_question_that_nobody_answers_is_marked():
    found = two_sided(*asked(NOBODY, False, 2000 * MS))
    assert [str(mark) for mark in found.arrows[0].marks] == [f"no answer: what is for {NOBODY} can't be sent"]
    # Who hears the question is not who was asked.
    assert found.right.addresses == (B,)
    assert "! no answer" in text.draw(found)


def test_a_question_is_not_called_unanswered_too_early_nor_where_it_was_answered():
    for sides in (asked(B, True, 2000 * MS), asked(NOBODY, False, 500 * MS)):
        assert not any(arrow.said("no answer") for arrow in two_sided(*sides).arrows)
    missed = [replace(one, kernel_drops=1) for one in asked(NOBODY, False, 2000 * MS)]
    assert not any(arrow.said("no answer") for arrow in two_sided(*missed).arrows)
