"""Ladders of all that TCP, UDP and ICMP do, each against its expected text.

LABCTL_WRITE_EXPECTED=1 writes the files anew; look at what changed before it is committed.
"""

import os
from pathlib import Path

import pytest
from traffic import MS, Peer, Wire, connected, icmp, ip, scale, tcp, udp

from labctl.packets.crossings import Side
from labctl.packets.ladder.ladder import Options, two_sided
from labctl.packets.model import ACK, FIN, PSH, RST, SYN
from labctl.packets.tcp.flows import analyse
from labctl.render.ladder import text

EXPECTED = Path(__file__).parent / "expected" / "ladders"
A, B = "10.77.0.11", "10.77.0.12"
SCENES = {}


def scene(make):
    SCENES[make.__name__.replace("_", "-")] = make
    return make


@scene
def handshake():
    return connected()[0]


@scene
def four_way_close():
    wire, alice, bob = connected()
    alice.fin()
    bob.confirm(alice.seq)
    bob.fin()
    alice.confirm(bob.seq)
    return wire


@scene
def half_close():
    wire, alice, bob = connected()
    alice.say(b"all of it")
    alice.fin()
    bob.confirm(alice.seq)
    bob.say(b"then the answer")
    alice.confirm(bob.seq)
    bob.fin()
    alice.confirm(bob.seq)
    return wire


@scene
def reset():
    wire, alice, bob = connected()
    alice.say(b"hello")
    bob.ack = alice.seq
    bob.segment(RST | ACK, window=0)
    return wire


@scene
def simultaneous_close():
    wire, alice, bob = connected()
    wire.latency = 2 * MS
    wire.wait(10)
    alice.fin()
    bob.fin()
    wire.wait(5)
    alice.confirm(bob.seq)
    bob.confirm(alice.seq)
    return wire


@scene
def zero_window():
    wire, alice, bob = connected()
    alice.say(b"x" * 1000)
    bob.confirm(alice.seq, window=0)
    for pause in (200, 400):
        wire.wait(pause)
        alice.confirm(seq=alice.seq - 1)
        bob.confirm(window=0)
    wire.wait(50)
    bob.confirm(window=502)
    alice.say(b"y")
    bob.confirm(alice.seq)
    return wire


@scene
def retransmission_by_timeout():
    wire, alice, bob = connected()
    alice.say(b"hello", lost=True, by=[("f3", "drop")])
    wire.wait(201)
    alice.say(b"hello", seq=1001, lost=True, by=[("f3", "drop")])
    wire.wait(402)
    alice.say(b"hello", seq=1001)
    bob.confirm(alice.seq)
    return wire


@scene
def retransmission_by_duplicate_acks():
    wire, alice, bob = connected()
    alice.say(b"one", lost=True, by=[("f1", "drop")])
    for word in (b"two", b"three", b"four"):
        alice.say(word)
        bob.confirm()
    alice.say(b"one", seq=1001)
    bob.confirm(alice.seq)
    return wire


@scene
def keep_alive():
    wire, alice, bob = connected()
    for _ in range(2):
        wire.wait(7_200_000)
        alice.confirm(seq=alice.seq - 1)
        bob.confirm()
    return wire


@scene
def fragments():
    wire = Wire()
    whole = udp(A, 9000, B, 9000, bytes(range(256)) * 12)[20:]
    number = wire.id()
    for at in range(0, len(whole), 1480):
        more = 0x2000 if at + 1480 < len(whole) else 0
        wire.send(ip(A, B, 17, whole[at : at + 1480], id=number, flags=more | at // 8), lost=at == 1480)
    return wire


@scene
def icmp_port_unreachable():
    wire = Wire()
    asked = udp(A, 40000, B, 9999, b"anybody there?", id=wire.id())
    wire.send(asked)
    wire.send(icmp(B, A, 3, 3, bytes(4) + asked, id=wire.id()))
    return wire


@scene
def syn_to_a_closed_port():
    wire = Wire()
    alice = Peer(wire, A, 40022, B, 81)
    alice.syn()
    Peer(wire, B, 81, A, 40022, isn=0).segment(RST | ACK, ack=alice.seq, window=0)
    return wire


@scene
def syn_to_nobody():
    wire = Wire(names={A: "alice", "10.77.0.99": "10.77.0.99"})
    alice = Peer(wire, A, 40022, "10.77.0.99", 80)
    alice.syn(lost=True)
    for pause in (1000, 2000):
        wire.wait(pause)
        alice.syn(seq=1000, lost=True)
    return wire


@scene
def nat():
    wire = Wire()
    outside = "10.88.0.1"
    syn = {"window": 64240, "options": scale()}
    for back in (False, True):
        more = {"id": wire.id()}
        if back:
            wire.send(
                tcp(B, 80, outside, 61000, 5000, 1001, SYN | ACK, **syn, **more),
                arrives=tcp(B, 80, A, 40022, 5000, 1001, SYN | ACK, **syn, **more, ttl=63),
                to="alice",
            )
        else:
            wire.send(
                tcp(A, 40022, B, 80, 1000, 0, SYN, **syn, **more),
                arrives=tcp(outside, 61000, B, 80, 1000, 0, SYN, **syn, **more, ttl=63),
            )
    more = {"id": wire.id()}
    wire.send(
        tcp(A, 40022, B, 80, 1001, 5001, PSH | ACK, b"hello", **more),
        arrives=tcp(outside, 61000, B, 80, 1001, 5001, PSH | ACK, b"hello", ttl=63, **more),
    )
    wire.send(tcp(B, 80, outside, 61000, 5001, 1006, ACK, id=wire.id()), lost=True)
    return wire


@scene
def wrap_around():
    wire, alice, bob = connected(isn=2**32 - 4, other_isn=2**32 - 1)
    alice.say(b"before and after")
    bob.confirm(alice.seq)
    alice.say(b"again", lost=True)
    wire.wait(200)
    alice.say(b"again", seq=alice.seq - 5)
    bob.confirm(alice.seq)
    bob.say(b"fine")
    alice.confirm(bob.seq)
    return wire


@scene
def all_faults():
    wire, alice, _bob = connected()
    alice.say(b"late", late=80 * MS, by=[("f1", "delay")])
    alice.say(b"twice", copies=(300_000,), by=[("f2", "duplicate")])
    alice.say(b"overtaken", late=3 * MS, by=[("f4", "reorder")])
    alice.say("grüße 世界 😀\n".encode())
    harmed = tcp(A, 40022, B, 80, alice.seq, 5001, PSH | ACK, b"damage", id=wire.ids + 1)
    alice.say(b"damage", arrives=harmed[:-1] + b"\x1b", by=[("f5", "corrupt")])
    wire.stray("bob", tcp(A, 40022, B, 80, 1001, 0, RST, id=7, ttl=60))
    wire.stray("bob", udp("10.77.0.99", 5, B, 6, b"not alice's"))
    return wire


@scene
def kernel_drops():
    wire, alice, _bob = connected()
    alice.say(b"seen or not", lost=True)
    alice.say(b"surely lost", lost=True, by=[("f1", "drop")])
    return wire, {"bob": 3}


@scene
def ipv6():
    one, other = "fd00:77::11", "fd00:77::12"
    wire, alice, bob = connected(Wire(names={one: "alice", other: "bob"}))
    alice.say(b"hello")
    bob.confirm(alice.seq)
    wire.send(icmp(one, other, 128, 0, b"\x00\x07\x00\x01ping"))
    wire.send(icmp(other, one, 129, 0, b"\x00\x07\x00\x01ping"))
    return wire


def made(name):
    found = SCENES[name]()
    wire, drops = found if isinstance(found, tuple) else (found, {})
    nodes = list(dict.fromkeys(wire.names.values()))
    sides = [wire.side(node, kernel_drops=drops.get(node, 0)) for node in nodes]
    if name == "syn-to-nobody":
        sides[1] = Side("10.77.0.99", [], [], (), until_ns=0)  # nobody is there to capture
    return wire, sides


@pytest.mark.parametrize("columns", [80, 100, 200])
@pytest.mark.parametrize("name", sorted(SCENES))
def test_is_drawn_as_expected(name, columns):
    wire, sides = made(name)
    found = text.draw(two_sided(*sides, wire.verdicts), columns=columns) + "\n"
    file = EXPECTED / (f"{name}.txt" if columns == 100 else f"{name}-{columns}.txt")
    if columns != 100 and name not in ("all-faults", "ipv6"):
        assert max(map(len, found.splitlines())) <= columns
        return
    if os.environ.get("LABCTL_WRITE_EXPECTED"):
        file.write_text(found, encoding="utf-8")
    assert found == file.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "ended"),
    [
        ("handshake", "open"),
        ("four-way-close", "close"),
        ("half-close", "half-close"),
        ("simultaneous-close", "simultaneous close"),
        ("reset", "reset"),
        ("syn-to-a-closed-port", "refused"),
        ("syn-to-nobody", "no answer"),
    ],
)
def test_the_end_of_a_conversation_has_a_name(name, ended):
    _, sides = made(name)
    view = sorted((*sides[0].sent, *sides[0].arrived), key=lambda packet: packet.ts_ns)
    assert [flow.ended for flow in analyse(view).flows] == [ended]


def states(name):
    _, sides = made(name)
    view = sorted((*sides[0].sent, *sides[0].arrived), key=lambda packet: packet.ts_ns)
    return [segment.states for segment in analyse(view).segments]


def test_states_of_a_four_way_close():
    assert states("four-way-close") == [
        ("SYN-SENT", ""),
        ("SYN-SENT", "SYN-RECEIVED"),
        ("ESTABLISHED", "ESTABLISHED"),
        ("FIN-WAIT-1", "CLOSE-WAIT"),
        ("FIN-WAIT-2", "CLOSE-WAIT"),
        ("TIME-WAIT", "LAST-ACK"),
        ("TIME-WAIT", "CLOSED"),
    ]


def test_states_of_a_simultaneous_close():
    assert states("simultaneous-close")[3:] == [
        ("FIN-WAIT-1", "CLOSE-WAIT"),
        ("CLOSING", "CLOSING"),
        ("CLOSING", "TIME-WAIT"),
        ("TIME-WAIT", "TIME-WAIT"),
    ]


def test_options_choose_arrows():
    wire, alice, bob = connected()
    alice.say(b"hello")
    bob.confirm(alice.seq)
    wire.send(udp(A, 7, B, 7, b"other"))
    sides = wire.sides()

    def heads(**options):
        return [arrow.label.head for arrow in two_sided(*sides, (), Options(**options)).arrows]

    assert heads() == ["SYN", "SYN, ACK", "ACK", "PSH, ACK", "ACK", "UDP"]
    assert heads(port=7) == ["UDP"]
    assert heads(acks=False) == ["SYN", "SYN, ACK", "ACK", "PSH, ACK", "UDP"]  # the handshake's stays
    assert heads(limit=2) == ["SYN", "SYN, ACK"]
    cut = two_sided(*sides, (), Options(limit=2, acks=False))
    assert (cut.cut, cut.hidden) == (3, 1)
    assert text.draw(cut).splitlines()[-2:] == [
        "Cut here: 3 more arrows beyond the limit of 2.",
        "Not shown: 1 pure acknowledgement.",
    ]
    assert "│   no packet between the two  " in text.draw(two_sided(*sides, (), Options(port=9)))


def test_a_new_connection_between_the_same_ports_is_another_flow():
    wire, alice, bob = connected()
    alice.fin()
    bob.ack = alice.seq
    bob.fin()
    alice.confirm(bob.seq)
    wire.wait(1000)
    connected(wire, isn=777_000, other_isn=99)
    found = analyse(wire.side("alice").sent)
    assert [segment.seq for segment in found.segments] == [0, 1, 1, 2, 0, 1]
    assert len(found.flows) == 2


def test_a_conversation_whose_beginning_was_not_seen_counts_from_one():
    wire = Wire()
    alice, bob = Peer(wire, A, 1, B, 2, isn=123_456), Peer(wire, B, 2, A, 1, isn=654_321)
    alice.ack, bob.ack = bob.seq, alice.seq + 5
    alice.say(b"hello")
    bob.say(b"hi")
    found = two_sided(*wire.sides())
    assert [(arrow.segment.seq, arrow.segment.ack, arrow.segment.window) for arrow in found.arrows] == [
        (1, 1, None),
        (1, 6, None),
    ]


def test_a_fin_of_both_in_three_segments_is_a_plain_close():
    wire, alice, bob = connected()
    alice.fin()
    bob.ack = alice.seq
    bob.segment(FIN | ACK)
    alice.confirm(bob.seq)
    assert analyse(wire.side("alice").sent + wire.side("alice").arrived).flows[0].ended == "close"


def test_a_damaged_acknowledgement_proves_nothing_in_a_ladder():
    """The sender's kernel drops it, so what it sends again after that is no spurious retransmission."""
    wire, alice, bob = connected()
    alice.say(b"hello")
    at = wire.now
    bob.ack = alice.seq
    ack = tcp(B, 80, A, 40022, bob.seq, bob.ack, ACK)
    wire.send(ack, arrives=ack[:-1] + bytes([ack[-1] ^ 1]), by=[("f1", "corrupt")])
    wire.wait(210)
    alice.segment(PSH | ACK, b"hello", seq=alice.seq - 5)
    assert at < wire.now
    drawn = two_sided(*wire.sides(), wire.verdicts)
    again = [arrow for arrow in drawn.arrows if arrow.segment and arrow.segment.length][-1]
    assert any(note.word == "retransmission" for note in again.segment.notes), again.segment.notes
