"""What random faults on real traffic brought to light: times of the log, two delays by one rule, unheard questions."""

import struct
from dataclasses import replace
from socket import AF_INET6, inet_pton

from traffic import BEGIN, MS, Wire, icmp, packet, udp

from labctl.packets.crossings import Side
from labctl.packets.ladder.ladder import two_sided
from labctl.packets.matching.match import match
from labctl.packets.matching.taps import side
from labctl.packets.model import Interface, Record
from labctl.packets.protocols.link import ETHERNET, RAW
from labctl.render.ladder import text

A, B, NOBODY = "10.77.0.11", "10.77.0.12", "10.77.0.99"
A6, B6 = "fd00:77::11", "fd00:77::12"
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


def test_who_asks_before_it_takes_an_address_hopes_for_no_answer():
    """An ARP probe (RFC 5227), and what a host asks before it uses an IPv6 address (RFC 4862)."""
    frame = arp(1, A, NOBODY)
    probe = frame[:28] + bytes(4) + frame[32:]
    solicitation = neighbour(135, "::", "fd00:77::11")
    for sides in (heard(probe, ETHERNET), heard(solicitation, RAW)):
        assert sides[0].sent[0].src in ("0.0.0.0", "::")
        assert not any(arrow.said("no answer") for arrow in two_sided(*sides).arrows)


def neighbour(kind: int, source: str, about: str) -> bytes:
    """A neighbour solicitation or advertisement (RFC 4861, sections 4.3 and 4.4)."""
    to = "ff02::1:ff00:99" if kind == 135 else A6
    return icmp(source, to, kind, 0, bytes(4) + inet_pton(AF_INET6, about), ttl=255)


def heard(data: bytes, link_type: int, *answers: bytes) -> list[Side]:
    """A question of alice's that bob hears, and what comes back to her."""
    sent, came = (packet(data, at, 0, link_type=link_type) for at in (0, 10_000))
    replies = [packet(answer, 20_000 + n, n) for n, answer in enumerate(answers)]
    return [Side("alice", [sent], replies, (A, A6), until_ns=BEGIN + 2000 * MS), Side("bob", [], [came], (B, B6))]


def test_an_ipv6_neighbour_that_does_not_answer_is_marked():
    question = neighbour(135, A6, "fd00:77::99")
    found = two_sided(*heard(question, RAW)).arrows
    assert [str(mark) for mark in found[0].marks] == ["no answer: what is for fd00:77::99 can't be sent"]
    about_another = neighbour(136, B6, B6)
    assert two_sided(*heard(question, RAW, about_another)).arrows[0].said("no answer")
    answered = two_sided(*heard(question, RAW, neighbour(136, "fd00:77::99", "fd00:77::99"))).arrows
    assert not any(arrow.said("no answer") for arrow in answered)
