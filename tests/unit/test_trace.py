"""What `trace` draws of what a command caused, on a lab of the in-memory engine."""

import struct

import pytest
from recorder_fakes import ALICE, BOB, ETHER, WEB, arp, refused
from traffic import icmp, packed, tcp, udp

from labctl.lab.recording import trace
from labctl.packets.ladder.ladder import Options
from labctl.packets.model import ACK, PSH


def test_trace_shows_who_spoke(engine, lab, fakes):
    data = tcp(ALICE, 1, BOB, 2, 7, 8, ACK | PSH, b"hello")
    outside = tcp("10.77.1.1", 40000, WEB, 8080, 7, 8, ACK | PSH, b"GET / ")

    def run() -> int:
        ask = arp(BOB, "10.77.0.99")
        fakes.packets = {
            "alice": [("out", 2_000_000_000, ETHER + data), ("in", 1_900_000_000, ask)],
            "bob": [("in", 1_999_000_000, ETHER + data), ("out", 1_950_000_000, ask)],
            "web": [("in", 1_800_000_000, ETHER + outside)],
        }
        return 7

    done = trace.trace(engine, lab(), [], run, Options())
    assert (done.status, done.quiet) == (7, True)
    assert [(one.left.name, one.right.name) for one in done.ladders] == [("alice", "bob"), ("this machine", "web")]


def test_trace_names_who_is_not_recorded(engine, lab, fakes):
    """A node that was not asked for by its name, and somebody whom nobody here knows by his address."""

    def run() -> int:
        fakes.packets = {
            "alice": [
                ("out", 2_000_000_000, ETHER + tcp(ALICE, 1, BOB, 2, 7, 8, ACK | PSH, b"hello")),
                ("out", 1_900_000_000, ETHER + udp(ALICE, 1, "192.0.2.9", 53, b"?")),
                ("in", 1_800_000_000, ETHER + udp("192.0.2.9", 53, ALICE, 1, b"!")),
            ]
        }
        return 0

    done = trace.trace(engine, lab(), ["alice"], run, Options())
    assert [(one.left.name, one.right.name, len(one.arrows)) for one in done.ladders] == [
        ("alice", "bob", 1),
        ("alice", "192.0.2.9", 2),
    ]


def test_trace_draws_what_went_to_a_group_once(engine, lab, fakes):
    hello = udp(ALICE, 7, "239.77.7.7", 7, b"hello")

    def run() -> int:
        fakes.packets = {
            "alice": [("out", 2_000_000_000, ETHER + hello)],
            "bob": [("in", 1_999_000_000, ETHER + hello)],
        }
        return 0

    done = trace.trace(engine, lab(), [], run, Options())
    assert [(one.left.name, one.right.name) for one in done.ladders] == [("alice", "bob")]
    fakes.packets = {}

    def alone() -> int:
        fakes.packets = {"alice": [("out", 2_000_000_000, ETHER + hello)]}
        return 0

    done = trace.trace(engine, lab(), [], alone, Options())
    assert [(one.left.name, one.right.name) for one in done.ladders] == [("alice", "239.77.7.7")]


def test_trace_tells_no_conversation_from_no_packet(engine, lab, fakes):
    assert trace.trace(engine, lab(), [], lambda: 0, Options()).packets == 0

    def run() -> int:
        fakes.packets = {"alice": [("out", 1_950_000_000, arp(ALICE, "10.77.0.99"))]}
        return 0

    done = trace.trace(engine, lab(), [], run, Options())
    assert (done.ladders, done.packets) == ((), 1)


def test_trace_leaves_out_who_only_overhears(engine, lab, fakes):
    """All hear who has an address; only the one that is asked has a part in it."""

    def run() -> int:
        ask = arp(BOB, "10.77.0.99")
        fakes.packets = {"alice": [("in", 1_900_000_000, ask)], "bob": [("out", 1_950_000_000, ask)]}
        return 0

    assert trace.trace(engine, lab(), ["alice", "bob"], run, Options()).ladders == ()
    refused("unknown-node", "alise", trace.trace, engine, lab(), ["alise"], run, Options())
    refused("not-running", "off", trace.trace, engine, lab(), ["off"], run, Options())


@pytest.mark.parametrize(("target", "count"), [(b"\xff" * 6, 1), (b"\x02\x42\x0a\x4d\x00\x06", 0)])
def test_trace_leaves_out_checks_of_a_known_neighbour(engine, lab, fakes, target, count):
    """Asked of all, an address was not known, and what was to be sent waits for it; asked of its owner alone, a kernel
    checks what it knows of an earlier conversation."""

    def run() -> int:
        ask, answer = arp(ALICE, BOB, target=target), arp(BOB, ALICE, operation=2, target=bytes(6))
        fakes.packets = {
            "alice": [("out", 1_950_000_000, ask), ("in", 1_900_000_000, answer)],
            "bob": [("in", 1_940_000_000, ask), ("out", 1_930_000_000, answer)],
        }
        return 0

    assert len(trace.trace(engine, lab(), [], run, Options()).ladders) == count


def crossing(packets, sender, receiver, data, ago):
    packets.setdefault(sender, []).append(("out", ago, ETHER + data))
    packets.setdefault(receiver, []).append(("in", ago - 1_000_000, ETHER + data))


def test_trace_draws_what_its_command_has_a_part_in(engine, lab, fakes):
    """Alice speaks with somebody, as asked; bob and web do by themselves."""

    def run() -> int:
        found: dict = {}
        asked = tcp(ALICE, 1, "192.0.2.9", 2, 7, 8, ACK | PSH, b"asked for")
        found["alice"] = [("out", 2_000_000_000, ETHER + asked)]
        crossing(found, "bob", "web", tcp(BOB, 1, WEB, 2, 7, 8, ACK | PSH, b"by itself"), 1_990_000_000)
        fakes.packets = found
        return 0

    done = trace.trace(engine, lab(), [], run, Options(), command=["send", "alice", "asked for"])
    assert [(one.left.name, one.right.name) for one in done.ladders] == [("alice", "192.0.2.9")]
    assert str(done.aside) == (
        f"not drawn: 1 packet of one pair, in which the command has no part (tcp {BOB}:1 > {WEB}:2 (1)); "
        "`labctl capture --last 1m` shows them"
    )
    for words, count in ((["restart", "--all"], 2), (["fault", "add", "bob-web"], 1), (["send", "bobby", "x"], 2)):
        done = trace.trace(engine, lab(), [], run, Options(), command=words)
        assert len(done.ladders) == count
    done = trace.trace(engine, lab(), ["alice", "bob", "web"], run, Options(), command=["send", "alice", "asked for"])
    assert len(done.ladders) == 2  # who names nodes to record wants to see these


def test_trace_follows_what_the_named_nodes_set_off(engine, lab, fakes):
    def run() -> int:
        found: dict = {}
        crossing(found, "alice", "bob", tcp(ALICE, 1, BOB, 2, 7, 8, ACK | PSH, b"pass it on"), 2_000_000_000)
        crossing(found, "bob", "web", tcp(BOB, 1, WEB, 2, 7, 8, ACK | PSH, b"passed on"), 1_990_000_000)
        fakes.packets = found
        return 0

    done = trace.trace(engine, lab(), [], run, Options(), command=["send", "alice", "pass it on"])
    assert [(one.left.name, one.right.name) for one in done.ladders] == [("alice", "bob"), ("bob", "web")]
    assert str(done.aside) == ""


def test_trace_sums_up_keep_alives(engine, lab, fakes):
    """A keep-alive has the number of a byte that was acknowledged before (RFC 9293, section 3.8.4)."""

    def run() -> int:
        found: dict = {}
        crossing(found, "alice", "bob", tcp(ALICE, 1, BOB, 2, 6, 8, ACK), 2_000_000_000)
        crossing(found, "bob", "alice", tcp(BOB, 2, ALICE, 1, 8, 7, ACK), 1_990_000_000)
        fakes.packets = found
        return 0

    done = trace.trace(engine, lab(), [], run, Options(), command=["chat", "send", "alice", "hi"])
    assert (done.ladders, done.aside.kinds) == ((), ("TCP keep-alives (2)",))


def test_trace_sums_up_router_solicitations_and_reports_of_groups(engine, lab, fakes):
    six = bytes(12) + b"\x86\xdd"

    def run() -> int:
        found: dict = {}
        for kind, to in ((133, "ff02::2"), (143, "ff02::16")):
            data = six + icmp("fe80::5", to, kind, 0, bytes(4))
            found.setdefault("alice", []).append(("out", 2_000_000_000, data))
            for node in ("bob", "web"):
                found.setdefault(node, []).append(("in", 1_990_000_000, data))
        crossing(found, "alice", "bob", tcp(ALICE, 1, BOB, 2, 7, 8, ACK | PSH, b"hello"), 1_900_000_000)
        fakes.packets = found
        return 0

    done = trace.trace(engine, lab(), [], run, Options(), command=["restart", "--all"])
    assert [(one.left.name, one.right.name) for one in done.ladders] == [("alice", "bob")]
    assert [arrow.flow for arrow in done.ladders[0].arrows] == [f"tcp {ALICE}:1 > {BOB}:2"]
    assert (done.aside.packets, done.aside.pairs) == (2, 2)


def test_trace_draws_the_groups_that_programs_join(engine, lab, fakes):
    """The one that a kernel is in for the sake of its own address (RFC 4291, section 2.7.1) is no program's."""
    six = bytes(12) + b"\x86\xdd"

    def run() -> int:
        found: dict = {}
        for group in ("ff02::1:ff00:5", "ff02::99"):
            rest = struct.pack(">HH", 0, 1) + b"\4\0\0\0" + packed(group)
            data = six + icmp("fe80::5", "ff02::16", 143, 0, rest)
            found.setdefault("alice", []).append(("out", 2_000_000_000, data))
            found.setdefault("bob", []).append(("in", 1_990_000_000, data))
        crossing(found, "alice", "bob", tcp(ALICE, 1, BOB, 2, 7, 8, ACK | PSH, b"hello"), 1_900_000_000)
        fakes.packets = found
        return 0

    done = trace.trace(engine, lab(), [], run, Options(), command=["restart", "--all"])
    assert done.ladders[0].arrows[0].label.parts == ("ff02::99",)
    assert (len(done.ladders[0].arrows), done.aside.packets) == (2, 1)


def test_trace_draws_what_a_node_has_a_part_in_that_shares_its_network(engine, lab, fakes):
    """The ladder is that of the host, under the names of both."""
    bob = lab().node("bob")
    engine.add("lab", "cache", network_of=bob.container.id)

    def run() -> int:
        found: dict = {}
        crossing(found, "alice", "bob", tcp(ALICE, 1, BOB, 2, 7, 8, ACK | PSH, b"hello"), 2_000_000_000)
        fakes.packets = found
        return 0

    for word in ("bob", "cache"):
        done = trace.trace(engine, lab(), [], run, Options(), command=["http", "get", word])
        assert [(one.left.name, one.right.name) for one in done.ladders] == [("alice", "bob+cache")]


def test_a_block_is_traced_as_a_command_is(engine, lab, fakes):
    with trace.Tracing(engine, lab(), [], Options()) as tracing:
        crossing(fakes.packets, "alice", "bob", tcp(ALICE, 1, BOB, 2, 7, 8, ACK | PSH, b"hello"), 2_000_000_000)
    done = tracing.trace
    assert [(one.left.name, one.right.name) for one in done.ladders] == [("alice", "bob")]
    turned = done.between("bob", "alice", Options())
    assert [(arrow.rightwards, arrow.label.text) for arrow in turned.arrows] == [(False, "hello")]
    assert done.between("alice", "web", Options()).arrows == (), "they said nothing, which can be drawn, too"
    refused("no-recording", "at carol", done.between, "alice", "carol", Options())


def test_a_block_that_fails_is_not_drawn(engine, lab, fakes):
    with pytest.raises(ZeroDivisionError), trace.Tracing(engine, lab(), [], Options()) as tracing:
        raise ZeroDivisionError
    assert tracing.trace is None
