"""Fragments at both ends: lost ones, copies, and those whose first one, with the ports, is missing."""

import pytest
from traffic import Wire, ip, packet, udp

from labctl.packets.ladder.ladder import Options, two_sided
from labctl.packets.matching.match import match
from labctl.packets.tcp.fragments import reassembled, with_ports

A, B = "10.77.0.11", "10.77.0.12"


def pieces(number, body=bytes(range(256)) * 12, size=1480):
    whole = udp(A, 9000, B, 9001, body)[20:]
    return [
        ip(A, B, 17, whole[at : at + size], id=number, flags=(0x2000 if at + size < len(whole) else 0) | at // 8)
        for at in range(0, len(whole), size)
    ]


def test_after_a_lost_first_fragment_the_others_arrive_as_they_are():
    """At the receiver nothing tells of their ports."""
    wire = Wire()
    for place, data in enumerate(pieces(257)):
        wire.send(data, lost=place == 0)
    found = match(wire.sides())
    assert [(one.fate, one.rewritten) for one in found] == [("lost", None), ("delivered", None), ("delivered", None)]
    drawn = two_sided(*wire.sides(), (), Options(port=9001))
    assert [(arrow.fate, arrow.crossing.rewritten) for arrow in drawn.arrows] == [(one.fate, None) for one in found]


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("after", [10_000, 300_000])
def test_a_copy_of_a_fragment_is_a_copy(place, after):
    """Also where it comes when the datagram was whole."""
    wire = Wire()
    for number, data in enumerate(pieces(257)):
        wire.send(
            data, copies=(after,) if number == place else (), by=[("f2", "duplicate")] if number == place else None
        )
    arrows = two_sided(*wire.sides(), wire.verdicts).arrows
    assert [arrow.fate for arrow in arrows] == ["delivered"] * 4
    assert [arrow.crossing.packet.fragment_offset for arrow in arrows if arrow.copy] == [place * 1480]
    assert {arrow.flow for arrow in arrows} == {"udp 10.77.0.11:9000 > 10.77.0.12:9001"}


def test_a_damaged_fragment_is_known_by_its_id_where_the_first_is_lost():
    wire = Wire()
    first, second, last = pieces(257)
    wire.send(first, lost=True)
    wire.send(second, arrives=second[:-1] + b"?")
    wire.send(last)
    assert [(one.fate, one.corrupted) for one in match(wire.sides())] == [
        ("lost", False),
        ("delivered", True),
        ("delivered", False),
    ]


def test_copies_have_the_ports_of_their_own_datagram():
    """Another of the same id is none of these."""
    first, second = pieces(7, b"a" * 2000), pieces(7, b"b" * 2000)
    order = [*first, first[1], second[1]]
    packets = [packet(data, place, place) for place, data in enumerate(order)]
    assert [one.sport for one in with_ports(packets)] == [9000, 9000, 9000, None]
    assert [one.payload is not None for one in reassembled(packets)] == [True, False]
