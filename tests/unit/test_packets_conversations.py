"""TCP conversations as one observer sees them: what each segment is for, in which state the ends are, how it ended."""

import pytest
from traffic import Peer, Wire, connected, tcp

from labctl.packets.ladder.ladder import two_sided
from labctl.packets.ladder.transitions import transitions
from labctl.packets.model import ACK, FIN, RST, SYN
from labctl.packets.tcp.flows import analyse

A, B = "10.77.0.11", "10.77.0.12"


def seen_by(wire, node):
    side = wire.side(node)
    return sorted((*side.sent, *side.arrived), key=lambda packet: packet.ts_ns)


@pytest.mark.parametrize("ended", ["refused", "no answer"])
def test_a_port_that_is_used_again_after_a_failure_begins_another_conversation(ended):
    wire = Wire()
    alice = Peer(wire, A, 5000, B, 81)
    alice.syn(lost=ended == "no answer")
    if ended == "refused":
        Peer(wire, B, 81, A, 5000, isn=0).segment(RST | ACK, ack=alice.seq, window=0)
    wire.wait(1000)
    alice = Peer(wire, A, 5000, B, 81, isn=3_000_000_000)
    alice.syn()
    bob = Peer(wire, B, 81, A, 5000, isn=777)
    bob.ack = alice.seq
    bob.syn(SYN | ACK)
    alice.confirm(bob.seq)
    alice.say(b"hello")
    for node in ("alice", "bob"):
        found = analyse(seen_by(wire, node))
        assert [flow.ended for flow in found.flows][-1] == "open"
        assert [(one.seq, one.ack, one.notes) for one in found.segments[-4:]] == [
            (0, None, ()),
            (0, 1, ()),
            (1, 1, ()),
            (1, 1, ()),
        ]
    assert [flow.ended for flow in analyse(seen_by(wire, "alice")).flows] == [ended, "open"]


def test_who_was_refused_may_be_called_back_on_the_same_ports():
    wire = Wire()
    alice, bob = Peer(wire, A, 5000, B, 81), Peer(wire, B, 81, A, 5000, isn=0)
    alice.syn()
    bob.segment(RST | ACK, ack=alice.seq, window=0)
    Peer(wire, B, 81, A, 5000, isn=9000).syn()
    assert [flow.ended for flow in analyse(seen_by(wire, "bob")).flows] == ["refused", "no answer"]


def moves(wire, node):
    return [(one.before, one.after) for one in transitions(wire.side(node))]


def harmed(data, at):
    """With a bit of the TCP header changed on the way."""
    out = bytearray(data)
    out[20 + at] ^= 0x40
    return bytes(out)


def test_who_gets_a_damaged_segment_does_not_change_its_state():
    wire = Wire()
    alice, bob = Peer(wire, A, 40022, B, 80), Peer(wire, B, 80, A, 40022, isn=5000)
    alice.syn()
    bob.ack = alice.seq
    bob.syn(SYN | ACK)
    alice.ack = bob.seq
    data = tcp(A, 40022, B, 80, 1001, 5001, ACK, id=wire.ids + 1)
    alice.segment(ACK, arrives=harmed(data, 7))
    assert moves(wire, "bob") == [("LISTEN", "SYN-RECEIVED")]
    alice.confirm()
    fin = tcp(A, 40022, B, 80, alice.seq, 5001, FIN | ACK, id=wire.ids + 1)
    alice.fin(arrives=harmed(fin, 14))
    assert moves(wire, "bob") == [("LISTEN", "SYN-RECEIVED"), ("SYN-RECEIVED", "ESTABLISHED")]
    assert moves(wire, "alice")[-1] == ("ESTABLISHED", "FIN-WAIT-1")


def test_a_damaged_header_is_none_to_who_gets_it():
    wire = Wire()
    alice, bob = Peer(wire, A, 40022, B, 80), Peer(wire, B, 80, A, 40022, isn=5000)
    alice.syn()
    bob.ack = alice.seq
    bob.syn(SYN | ACK)
    data = bytearray(tcp(A, 40022, B, 80, 1001, 5001, ACK, id=wire.ids + 1))
    data[10] ^= 1  # the header's own checksum
    alice.ack = bob.seq
    alice.segment(ACK, arrives=bytes(data))
    assert moves(wire, "bob") == [("LISTEN", "SYN-RECEIVED")]


def test_what_an_end_drops_is_numbered_but_not_counted():
    wire, alice, _ = connected()
    again = tcp(A, 40022, B, 80, 99_000_000, 0, SYN, id=wire.ids + 1)
    wire.send(tcp(A, 40022, B, 80, alice.seq, 5001, ACK, id=wire.id()), arrives=harmed(again, 7))
    alice.say(b"hello")
    reset = tcp(A, 40022, B, 80, alice.seq, 5001, RST | ACK, id=wire.ids + 1)
    alice.confirm(arrives=harmed(reset, 14))
    found = analyse(seen_by(wire, "bob"), own=(B,))
    assert [flow.ended for flow in found.flows] == ["open"]
    assert [(one.seq, one.kind, one.notes) for one in found.segments[4:]] == [(1, "data", ()), (6, "reset", ())]
    assert found.segments[-1].states == ("ESTABLISHED", "ESTABLISHED")
    # Of a capture whose place nobody knows, a wrong checksum may be one that the network card was to complete.
    assert analyse(seen_by(wire, "bob")).flows[-1].ended == "reset"


def test_nobody_listens_where_a_syn_is_refused():
    wire = Wire()
    alice = Peer(wire, A, 5000, B, 81)
    alice.syn()
    Peer(wire, B, 81, A, 5000, isn=0).segment(RST | ACK, ack=alice.seq, window=0)
    assert moves(wire, "bob") == []
    assert moves(wire, "alice") == [("CLOSED", "SYN-SENT"), ("SYN-SENT", "CLOSED")]
    assert [one.states for one in analyse(seen_by(wire, "bob")).segments] == [("SYN-SENT", ""), ("CLOSED", "CLOSED")]


def idle_and_reset(wire):
    alice, bob = Peer(wire, A, 5000, B, 80), Peer(wire, B, 80, A, 5000)
    alice.ack = 5000
    alice.confirm()
    bob.segment(RST, seq=5000, window=0)


def given_up(wire):
    alice = Peer(wire, A, 5000, B, 80)
    alice.syn(lost=True)
    alice.segment(RST, seq=1001)


def reset_by_a_stranger(wire):
    """A RST that acknowledges nothing answers no SYN."""
    Peer(wire, A, 5000, B, 80).syn()
    Peer(wire, B, 80, A, 5000, isn=7).segment(RST, window=0)


def reset_after_an_answer(wire):
    alice, bob = Peer(wire, A, 5000, B, 80), Peer(wire, B, 80, A, 5000)
    alice.syn()
    bob.ack = alice.seq
    bob.syn(SYN | ACK)
    bob.segment(RST | ACK)


def closed_then_reset(wire):
    _, alice, bob = connected(wire)
    alice.fin()
    bob.confirm(alice.seq)
    bob.fin()
    alice.confirm(bob.seq)
    bob.segment(RST, seq=bob.seq)


def reset_in_the_close(wire):
    _, alice, bob = connected(wire)
    alice.fin()
    bob.confirm(alice.seq)
    bob.segment(RST | ACK)


@pytest.mark.parametrize(
    ("scene", "ended"),
    [
        (idle_and_reset, "reset"),
        (given_up, "reset"),
        (reset_by_a_stranger, "reset"),
        (reset_after_an_answer, "reset"),
        (closed_then_reset, "close"),
        (reset_in_the_close, "reset"),
    ],
)
def test_only_an_answer_to_a_syn_refuses_a_connection(scene, ended):
    wire = Wire()
    scene(wire)
    found = analyse(seen_by(wire, "alice"))
    assert [flow.ended for flow in found.flows] == [ended]
    assert not any(segment.said("connection refused") for segment in found.segments)


def test_keep_alives_that_are_the_first_thing_seen():
    """Both ends ask at the same moment, in a connection that was there before; then one of them says something."""
    wire = Wire()
    alice, bob = Peer(wire, A, 40022, B, 80, isn=1000), Peer(wire, B, 80, A, 40022, isn=5000)
    alice.ack, bob.ack = 5000, 1000
    alice.segment(ACK, seq=999)
    bob.segment(ACK, seq=4999)
    bob.segment(ACK)
    alice.segment(ACK)
    alice.say(b"hi")
    bob.ack = alice.seq
    bob.confirm()
    found = [
        (arrow.segment.seq, arrow.segment.ack, [note.word for note in arrow.segment.notes])
        for arrow in two_sided(*wire.sides()).arrows
    ]
    assert [item[:2] for item in found] == [(0, 1), (0, 1), (1, 1), (1, 1), (1, 1), (1, 3)]
    assert found[0][2] == found[1][2] == ["keep-alive"]
    assert not any("gap" in words for _, _, words in found)


@pytest.mark.parametrize("data", [b"x", b"more than a byte"])
def test_a_bare_acknowledgement_before_data_is_no_keep_alive(data):
    wire = Wire()
    alice, bob = Peer(wire, A, 40022, B, 80, isn=1000), Peer(wire, B, 80, A, 40022, isn=5000)
    alice.ack, bob.ack = 5000, 1000
    alice.confirm()
    alice.say(data)
    bob.ack = alice.seq
    bob.confirm()
    first, said, confirmed = (arrow.segment for arrow in two_sided(*wire.sides()).arrows)
    assert (first.seq, said.seq, confirmed.ack) == (1, 1, 1 + len(data))
    assert first.notes == said.notes == ()
