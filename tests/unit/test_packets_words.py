"""TCP's words where captures of other networks showed them to be wrong: half-closes, gaps, windows, numbers."""

import pytest
from traffic import BEGIN, Peer, Wire, connected, ip, packet, tcp

from labctl.packets.model import ACK, FIN, PSH, RST, SYN
from labctl.packets.tcp.flows import analyse

A, B = "10.77.0.11", "10.77.0.12"


def seen_by(wire, node="alice"):
    side = wire.side(node)
    return sorted((*side.sent, *side.arrived), key=lambda packet: packet.ts_ns)


def words(wire, node="alice"):
    return [[str(note) for note in one.notes] for one in analyse(seen_by(wire, node)).segments if one]


def closing(wire, alice, bob):
    alice.fin()
    bob.confirm(alice.seq)
    bob.say(b"still here")


def test_an_end_that_answers_late_data_with_a_reset_had_closed_for_good():
    wire, alice, bob = connected()
    closing(wire, alice, bob)
    alice.segment(RST, window=0)
    found = analyse(seen_by(wire))
    assert [flow.ended for flow in found.flows] == ["reset"]
    assert not any(one.said("half-close") for one in found.segments)


def test_an_end_that_takes_late_data_is_half_closed_also_where_it_resets_later():
    wire, alice, bob = connected()
    closing(wire, alice, bob)
    alice.confirm(bob.seq)
    alice.segment(RST | ACK, window=0)
    found = analyse(seen_by(wire))
    assert [str(note) for one in found.segments for note in one.notes] == [
        "half-close it sends no more, and still receives"
    ]


def test_where_nothing_answers_late_data_it_is_not_known_whether_anybody_receives():
    wire, alice, bob = connected()
    closing(wire, alice, bob)
    assert not any(one.said("half-close") for one in analyse(seen_by(wire)).segments)


@pytest.mark.parametrize("others", [FIN, FIN | SYN])
def test_a_reset_is_one_whatever_other_flags_it_has(others):
    """Its receiver looks at none of them (RFC 9293, section 3.10.7.4): it ends no stream, and begins none."""
    wire, alice, bob = connected()
    alice.segment(RST | others, seq=alice.seq)
    alice.say(b"hello")
    bob.say(b"hello", ack=alice.seq)
    alice.confirm(bob.seq)
    found = analyse(seen_by(wire))
    assert [(flow.ended, len(flow.packets)) for flow in found.flows] == [("reset", 7)]
    assert [one.kind for one in found.segments[3:5]] == ["reset", "data"]
    assert words(wire)[3:] == [[]] * 4


def test_an_end_that_sends_more_after_its_fin_had_not_sent_that():
    """Somebody forged it, to make an observer look away."""
    wire, alice, bob = connected()
    closing(wire, alice, bob)
    alice.confirm(bob.seq)
    alice.say(b"and more")
    assert not any(one.said("half-close") for one in analyse(seen_by(wire)).segments)


def test_what_was_cut_off_is_no_gap_where_the_file_says_that_there_was_no_more():
    """As tools leave it that write the length of what they kept for that of the packet."""
    wire, alice, bob = connected()
    for _ in range(2):
        alice.say(bytes(1000))
    bob.confirm(alice.seq)
    alice.say(b"end")
    cut = [packet(one.record.data[:76], one.ts_ns - BEGIN) for one in seen_by(wire)]
    assert [one.payload_length for one in cut[3:5]] == [36, 36]
    assert [(one.seq, one.length, one.notes) for one in analyse(cut).segments[3:5]] == [(1, 1000, ()), (1001, 1000, ())]
    assert all(one.notes == () for one in analyse(cut).segments)


def test_an_acknowledgement_beyond_a_gap_says_so_and_what_fills_it_was_late():
    """The IP id tells that it had been sent before: it was overtaken, also where that took longer than 3 ms."""
    wire, alice, bob = connected()
    first = wire.id()
    alice.seq += 5
    alice.confirm()
    wire.wait(40)
    wire.send(tcp(A, 40022, B, 80, 1001, bob.seq, PSH | ACK, b"early", id=first))
    assert words(wire)[3:] == [["gap 5 B before it not seen"], ["out of order fills a gap"]]


def test_what_fills_a_gap_with_a_later_ip_id_was_sent_again_however_soon():
    wire, alice, _ = connected()
    alice.seq += 5
    alice.say(b"later")
    alice.say(b"early", seq=1001)
    assert words(wire)[3:] == [["gap 5 B before it not seen"], ["retransmission of what was not seen"]]


def test_an_overtaken_segment_is_no_retransmission_for_the_duplicate_acks_that_it_caused():
    wire, alice, bob = connected()
    first = wire.id()
    alice.seq += 5
    for word in (b"one", b"two", b"six"):
        alice.say(word)
        bob.confirm(1001)
    wire.send(tcp(A, 40022, B, 80, 1001, bob.seq, PSH | ACK, b"early", id=first))
    assert words(wire)[-1] == ["out of order fills a gap"]


def test_a_reset_with_any_number_opens_no_gap():
    wire, _, bob = connected()
    bob.segment(RST, seq=bob.seq + 700)
    bob.say(b"what the real one says")
    assert words(wire)[3:] == [[], []]


@pytest.mark.parametrize(("window", "said"), [(1024, "window update"), (502, "duplicate ACK #1")])
def test_a_window_is_compared_with_that_of_the_ends_own_syn(window, said):
    """64,240 bytes in the SYN are 502 times 128, rounded up; 1,024 times 128 are more."""
    wire, alice, bob = connected()
    alice.say(b"lost", lost=True)
    alice.say(b"there")
    bob.confirm(1001, window=window)
    assert words(wire)[-1] == [said]


def test_a_window_that_no_option_scales_is_that_of_the_syn():
    wire = Wire()
    for flags, ends, numbers, window in (
        (SYN, (A, 5000, B, 80), (10, 0), 8192),
        (SYN | ACK, (B, 80, A, 5000), (90, 11), 4380),
        (ACK, (A, 5000, B, 80), (11, 91), 8192),
        (ACK, (B, 80, A, 5000), (91, 11), 65535),
    ):
        wire.send(tcp(*ends, *numbers, flags, window=window, id=wire.id()))
    assert words(wire)[-1] == ["window update"]


def test_an_answer_with_another_initial_number_begins_anew_and_opens_no_gap():
    wire = Wire()
    alice, bob = Peer(wire, A, 40022, B, 80), Peer(wire, B, 80, A, 40022, isn=5000)
    alice.syn()
    bob.ack = alice.seq
    bob.syn(SYN | ACK, lost=True)
    bob.seq = 1_180_494_189
    bob.syn(SYN | ACK)
    alice.confirm(bob.seq)
    bob.say(b"hello")
    alice.confirm(bob.seq)
    found = analyse(seen_by(wire, "bob"))
    assert [[str(note) for note in one.notes] for one in found.segments] == [
        [],
        [],
        ["another initial sequence number it begins anew"],
        [],
        [],
        [],
    ]
    assert [(one.seq, one.ack) for one in found.segments[2:]] == [(0, 1), (1, 1), (1, 1), (1, 6)]


def test_a_finished_conversation_is_a_close_also_where_data_crossed_the_first_fin():
    packets = [
        packet(tcp(A, 1, B, 2, 1, 1, FIN | ACK, id=1)),
        packet(tcp(B, 2, A, 1, 1, 1, PSH | ACK, b"crossed", id=1), at=1000),
        packet(tcp(B, 2, A, 1, 8, 2, FIN | ACK, id=2), at=2000),
        packet(tcp(A, 1, B, 2, 2, 9, ACK, id=2), at=3000),
    ]
    assert [flow.ended for flow in analyse(packets).flows] == ["close"]


def test_an_answer_with_another_initial_number_after_the_first_was_taken_changes_nothing():
    wire, alice, bob = connected()
    other = Peer(wire, B, 80, A, 40022, isn=1_180_494_189)
    other.ack = 1001
    other.syn(SYN | ACK)
    bob.say(b"hello")
    alice.confirm(bob.seq)
    found = analyse(seen_by(wire))
    assert len(found.flows) == 1
    assert [(one.seq, one.ack, [str(note) for note in one.notes]) for one in found.segments[3:]] == [
        (0, 1, ["another initial sequence number the first one was taken"]),
        (1, 1, []),
        (1, 6, []),
    ]


def test_an_answer_to_another_syn_that_was_not_seen_begins_another_conversation():
    wire, _, _ = connected()
    alice, bob = Peer(wire, A, 40022, B, 80, isn=77_000_000), Peer(wire, B, 80, A, 40022, isn=99_000_000)
    alice.seq += 1
    bob.ack = alice.seq
    bob.syn(SYN | ACK)
    alice.confirm(bob.seq)
    found = analyse(seen_by(wire))
    assert [len(flow.packets) for flow in found.flows] == [3, 2]
    assert [one.notes for one in found.segments] == [()] * 5


def test_what_was_sent_again_tells_an_old_window():
    wire, alice, bob = connected()
    alice.say(b"one")
    bob.say(b"two", window=600)
    bob.confirm(1004, window=500)
    bob.say(b"two", seq=5001, ack=1001, window=600)
    alice.say(b"lost", lost=True)
    alice.say(b"there")
    bob.confirm(1004, window=500)
    assert words(wire)[-1] == ["duplicate ACK #1"]


def test_a_duplicate_ack_with_sack_may_open_the_window_too():
    wire, alice, bob = connected()
    alice.say(b"lost", lost=True)
    alice.say(b"there")
    bob.confirm(1001, window=510)
    alice.say(b"more")
    sack = b"\x01\x01\x05\x0a" + (1005).to_bytes(4, "big") + (1014).to_bytes(4, "big")
    bob.segment(ACK, window=520, options=sack)
    assert words(wire)[-1] == ["duplicate ACK #1", "window update"]


def test_a_number_that_no_window_reaches_is_no_gap():
    wire, alice, bob = connected()
    alice.segment(FIN | ACK, seq=alice.seq + 1_900_228_958)
    alice.say(b"hello")
    bob.confirm(alice.seq)
    assert words(wire)[3:] == [["out of window no window is as wide as its number is off"], [], []]


def test_an_acknowledgement_that_was_overtaken_is_no_window_update():
    wire, alice, bob = connected()
    alice.say(b"one")
    first = wire.id()
    bob.confirm(1004, window=600)
    wire.send(tcp(B, 80, A, 40022, bob.seq, 1004, ACK, window=510, id=first))
    assert words(wire)[-1] == []


def test_an_answer_to_a_syn_begins_anew_also_after_segments_that_nobody_sent():
    wire = Wire()
    alice, bob = Peer(wire, A, 40022, B, 80), Peer(wire, B, 80, A, 40022, isn=90_000)
    alice.syn()
    bob.segment(FIN | ACK, seq=500, ack=alice.seq)
    bob.ack = alice.seq
    bob.syn(SYN | ACK)
    alice.confirm(bob.seq)
    found = analyse(seen_by(wire)).segments
    assert [(one.seq, one.ack, any(one.said(word) for word in ("gap", "half-close"))) for one in found[2:]] == [
        (0, 1, False),
        (1, 1, False),
    ]


def test_the_number_of_a_reset_is_no_initial_one():
    """A port that was closed is open when the same SYN comes again, as Windows sends it."""
    wire = Wire()
    alice, bob = Peer(wire, A, 40022, B, 80), Peer(wire, B, 80, A, 40022, isn=5000)
    alice.syn()
    bob.segment(RST | ACK, seq=0, ack=alice.seq, window=0)
    wire.wait(500)
    alice.seq = 1000
    alice.syn()
    bob.ack = alice.seq
    bob.syn(SYN | ACK)
    alice.confirm(bob.seq)
    assert words(wire)[3:] == [[], []]


def test_two_who_saw_the_same_are_two_observers():
    """Each packet is in the file twice, and nothing was sent again."""
    wire, alice, bob = connected()
    alice.say(b"hello")
    bob.confirm(alice.seq)
    seen = [*seen_by(wire, "alice"), *seen_by(wire, "bob")]
    found = analyse(sorted(seen, key=lambda packet: packet.ts_ns))
    assert [(flow.node, len(flow.packets)) for flow in found.flows] == [("alice", 5), ("bob", 5)]
    assert [one.notes for one in found.segments] == [()] * 10
    # The two directions of a cable on two interfaces are one conversation.
    found = analyse(sorted([*wire.side("alice").sent, *wire.side("bob").sent], key=lambda packet: packet.ts_ns))
    assert [(flow.node, len(flow.packets)) for flow in found.flows] == [("", 5)]


@pytest.mark.parametrize("order", [[0, 1, 2], [2, 0, 1], [1, 2, 0]])
def test_what_came_in_fragments_was_seen(order):
    """It is there with the last one that was missing (RFC 791, section 3.2), also where the first one comes last."""
    wire, alice, bob = connected()
    whole = tcp(A, 40022, B, 80, alice.seq, bob.seq, PSH | ACK, bytes(40), id=9)[20:]
    cuts = [(0, 24, 0x2000), (24, 48, 0x2000 | 3), (48, 60, 6)]
    parts = [ip(A, B, 6, whole[begin:end], id=9, flags=flags) for begin, end, flags in cuts]
    for place in order:
        wire.send(parts[place])
    alice.seq += 40
    bob.confirm(alice.seq)
    alice.say(b"hello")
    alice.fin()
    found = analyse(seen_by(wire))
    assert [(one and (one.seq, one.length, one.kind)) for one in found.segments[3:6]] == [None, None, (1, 40, "data")]
    assert [one.notes for one in found.segments if one] == [()] * 7
    assert [(flow.ended, len(flow.packets)) for flow in found.flows] == [("open", 9)]


def test_a_segment_of_which_a_fragment_is_missing_was_not_seen():
    wire, alice, bob = connected()
    whole = tcp(A, 40022, B, 80, alice.seq, bob.seq, PSH | ACK, bytes(40), id=9)[20:]
    wire.send(ip(A, B, 6, whole[:24], id=9, flags=0x2000))
    alice.seq += 40
    alice.say(b"hello")
    assert words(wire)[-1:] == [["gap 40 B before it not seen"]]
