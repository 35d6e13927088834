"""What the hosts of a whole lab send each other, whichever recorder tells first."""

import pytest
from traffic import BEGIN, MS, udp

from labctl.lab.model import find
from labctl.lab.recording.recorders import Heard, State
from labctl.lab.recording.together import Pairs
from labctl.packets.model import Interface, Record
from labctl.packets.protocols.link import ETHERNET

CLIENT, OTHER, WEB, INSIDE, OUTSIDE = "10.78.3.4", "10.78.3.7", "10.78.4.2", "10.78.3.254", "10.78.4.254"
ETHER = bytes(12) + b"\x08\0"


class Told:
    """Two hosts behind a router that translates addresses, and one in front of it; times in milliseconds."""

    def __init__(self, engine):
        for name, role, nets in (
            ("client", "udp", {"inside": (CLIENT,)}),
            ("other", "udp", {"inside": (OTHER,)}),
            ("web", "udp", {"outside": (WEB,)}),
            ("router", "router", {"inside": (INSIDE,), "outside": (OUTSIDE,)}),
        ):
            engine.add("nat", name, role=role, addresses=nets)
        lab = find(engine, "nat")
        self.nodes = {name: lab.node(name) for name in ("client", "other", "web")}
        self.pairs = Pairs(lab, list(self.nodes.values()), BEGIN)

    def packet(self, name: str, tap: str, at: float, data: bytes):
        record = Record(BEGIN + int(at * MS), ETHER + data, len(data) + 14, Interface(0, f"eth0:{tap}", ETHERNET))
        return self._take(Heard(self.nodes[name], record))

    def until(self, at: float):
        """All recorders have told what was until then."""
        state = State(BEGIN + int(at * MS), 0, True, False, 0, ("eth0",), ())
        return [one for node in self.nodes.values() for one in self._take(Heard(node, state=state))]

    def _take(self, heard: Heard):
        found = [arrow.crossing for ladder in self.pairs.take(heard) for arrow in ladder.arrows]
        return [(one.sender, one.receiver, one.fate) for one in found]


@pytest.fixture
def told(engine):
    return Told(engine)


def sent(source: str, port: int, text: bytes) -> bytes:
    return udp(source, port, WEB, 80, text, ttl=64, id=text[0])


def seen(port: int, text: bytes) -> bytes:
    """The same as it comes from the router."""
    return udp(OUTSIDE, port, WEB, 80, text, ttl=63, id=text[0])


def test_what_came_from_a_router_may_be_told_before_what_was_sent_behind_it(told):
    told.packet("web", "in", 10.1, seen(20001, b"x"))
    told.packet("client", "out", 10, sent(CLIENT, 4000, b"x"))
    assert told.until(900) == [("client", "web", "delivered")]


def test_what_is_taken_for_anothers_at_first_is_given_to_whose_it_is(told):
    told.packet("client", "out", 10, sent(CLIENT, 4000, b"x"))
    told.packet("web", "in", 10.1, seen(20001, b"x"))
    told.packet("web", "in", 20.1, seen(20002, b"y"))
    told.packet("other", "out", 20, sent(OTHER, 4000, b"y"))
    assert sorted(told.until(900)) == [("client", "web", "delivered"), ("other", "web", "delivered")]
