"""TCP conversations as one observer sees them: what each segment is for, in which state the ends are, how it ended."""

import pytest
from traffic import Peer, Wire

from labctl.packets.flows import analyse
from labctl.packets.model import ACK, RST, SYN

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
