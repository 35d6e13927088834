"""Patterns: which rule did it, options by name, fragments; and how what differs is told."""

from itertools import pairwise

import pytest
from test_packets_ladders import SCENES
from test_pattern import seen_on, shown
from traffic import connected

from labctl.packets.pattern import write


def harmed_twice():
    """A segment that one rule damages, a second one duplicates, a third one delays."""
    wire, alice, bob = connected()
    for _ in range(8):
        alice.say(b"ten bytes.")
        bob.confirm(alice.seq)
    rules = [("f1", "corrupt"), ("f2", "duplicate"), ("f3", "delay")]
    alice.say(b"hi\n", late=40_000_000, copies=(300_000,), by=rules)
    return seen_on(wire)


@pytest.mark.parametrize(
    ("said", "differs"),
    [
        ("duplicate by f2", ""),
        ("duplicate by $rule", ""),
        ("duplicate by f1", "duplicate by f2 instead of f1"),
        ("duplicate by f3", "duplicate by f2 instead of f3"),
    ],
)
def test_a_rule_did_what_is_said_of_it_and_nothing_else(said, differs):
    packets = harmed_twice()
    assert "duplicate by $f2" in write(packets)
    assert shown(write(packets), packets) == ""
    pattern = f"*\nalice > bob P. (3) delayed by f3\nalice > bob P. (3) {said}\n*"
    assert (differs in shown(pattern, packets)) if differs else shown(pattern, packets) == ""


def test_a_written_pattern_fits_the_next_run_whose_rule_has_another_number():
    def run(rule: str):
        wire, alice, _ = connected()
        first = alice.seq
        alice.say(b"hi\n", lost=True, by=[(rule, "drop")])
        wire.wait(210)
        alice.say(b"hi\n", seq=first)
        return seen_on(wire)

    pattern = write(run("f1"))
    assert "lost by $f1" in pattern
    assert shown(pattern, run("f2")) == ""
    assert '+ alice > bob  P. 1:4(3) ack 1 "hi\\n"  lost by f2' in shown(pattern.replace("$", ""), run("f2"))


def test_a_delayed_packet_was_not_lost_by_what_delayed_it():
    wire, alice, _ = connected()
    first = alice.seq
    alice.say(b"hi\n", lost=True, by=[("f1", "delay"), ("f2", "drop")])
    wire.wait(210)
    alice.say(b"hi\n", seq=first, late=40_000_000, by=[("f1", "delay")])
    packets = seen_on(wire)
    assert "retransmission by" not in write(packets), "a kernel sends again, and no rule"
    assert "lost by $f2" in write(packets)
    assert shown("*\nalice > bob P. lost by f2\n*", packets) == ""
    assert "lost by f2 instead of f1" in shown("*\nalice > bob P. lost by f1\n*", packets)
    assert shown("*\nalice > bob P. lost by $rule\n*", packets) == ""


def test_options_may_be_given_names():
    wire, *_ = connected()
    packets = seen_on(wire)
    assert packets[0].options["mss"] == packets[1].options["mss"]
    assert shown("alice > bob S <mss $m>\nbob > alice S. <mss $m>\n*", packets) == ""
    other = shown("alice > bob S <mss $m, wscale $m>\n*", packets)
    assert f"option wscale 7 instead of $m ({packets[0].options['mss']})" in other


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ("alice > bob . <mss 1460>", "the nearest has options none instead of mss"),
        (
            "alice > bob . 2:2(0) lost",
            "the nearest is delivered as it was sent instead of lost, has first 1 instead of 2",
        ),
    ],
)
def test_what_differs_reads_as_a_sentence(changed, said):
    wire, *_ = connected()
    assert said in shown(f"alice > bob S\nbob > alice S.\n{changed}", seen_on(wire))


def test_a_window_whose_scale_was_not_seen_is_not_known():
    wire, alice, _ = connected()
    alice.say(b"hi\n")
    wire.sent = {node: sent[-1:] for node, sent in wire.sent.items() if node == "alice"}
    wire.arrived = {node: arrived[-1:] for node, arrived in wire.arrived.items() if node == "bob"}
    assert "win of unknown scale instead of 502" in shown("alice > bob P. win 502", seen_on(wire))


def test_the_first_fragment_has_the_header_among_its_bytes():
    packets = [one for one in seen_on(SCENES["fragments"]()) if one.fragment]
    assert packets[0].first == 0
    by_place = sorted((one.first, one.last) for one in packets if one.sender == packets[0].sender)
    for (_, last), (first, _) in pairwise(by_place):
        assert last >= first, "no byte of the datagram is left out between two fragments"
    assert all(one.last - one.first == one.length for one in packets)
