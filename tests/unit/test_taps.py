"""What a recorder's taps become: one side of a ladder, and packets of several nodes in order of time."""

import struct
from dataclasses import replace

import pytest
from traffic import BEGIN, MS, icmp, ip, tcp, udp, verdict

from labctl.packets.matching import taps
from labctl.packets.matching.live import CONVERSATIONS, Conversations, InOrder
from labctl.packets.matching.match import match
from labctl.packets.model import ACK, FIN, PSH, SYN, Interface, Record
from labctl.packets.protocols.checksum import remainder
from labctl.packets.protocols.ip import decode
from labctl.packets.protocols.link import RAW

A, B = "10.77.0.11", "10.77.0.12"
TAPS = {name: Interface(number, f"eth0:{name}", RAW, "<") for number, name in enumerate(("in", "out", "left", "sent"))}


def record(tap, data, at=0, length=0):
    return Record(BEGIN + at, data, length or len(data), TAPS[tap])


def test_sides():
    """What was sent is what left where no fault was in force, and else what was seen before one."""
    plain, back = udp(A, 1, B, 2, b"plain", id=1), udp(B, 2, A, 1, b"back", id=2)
    faulted, lost = udp(A, 1, B, 2, b"late", id=3), udp(A, 1, B, 2, b"lost", id=4)
    records = [
        record("sent", faulted, 30),
        record("sent", lost, 40),
        record("out", plain, 10),
        record("in", back, 20),
        record("left", faulted, 90),
    ]
    side = taps.side("alice", records, addresses=(A,), kernel_drops=3, since_ns=BEGIN, until_ns=BEGIN + 99)
    assert [(one.payload, one.ts_ns - BEGIN) for one in side.sent] == [(b"plain", 10), (b"late", 30), (b"lost", 40)]
    assert [one.payload for one in side.arrived] == [b"back"]
    assert [one.index for one in side.sent] == [0, 1, 2]
    assert (side.kernel_drops, side.since_ns, side.until_ns) == (3, BEGIN, BEGIN + 99)
    # A kernel that can't log packets shows only what left.
    blind = taps.side("alice", records, logs=False)
    assert [one.payload for one in blind.sent] == [b"plain", b"late"]
    assert blind.sent[1].ts_ns == BEGIN + 90


def test_the_better_time_is_taken():
    """The log's time is that of its reading, which may be after the packet has left."""
    data = udp(A, 1, B, 2, b"x", id=3)
    unfinished = data[:26] + b"\0\0" + data[28:]  # the checksum is completed on the way to the wire
    side = taps.side("alice", [record("sent", unfinished, 50), record("left", data, 20)])
    assert [one.ts_ns - BEGIN for one in side.sent] == [20]
    side = taps.side("alice", [record("sent", data, 50), record("left", udp(A, 1, B, 2, b"y", id=4), 20)])
    assert [one.ts_ns - BEGIN for one in side.sent] == [50]


def test_segments_as_on_the_wire():
    body = bytes(n % 251 for n in range(4000))
    whole = tcp(A, 1, B, 2, 2**32 - 1000, 5, ACK | PSH | FIN, body, id=0xFFFF)
    pieces = taps.as_on_wire(record("sent", whole), 1500)
    found = [decode(piece) for piece in pieces]
    assert b"".join(one.payload for one in found) == body
    assert [one.payload_length for one in found] == [1460, 1460, 1080]
    assert [one.tcp.seq for one in found] == [2**32 - 1000, 460, 1920]
    assert [one.ip_id for one in found] == [0xFFFF, 0, 1]
    assert [bool(one.tcp.flags & (PSH | FIN)) for one in found] == [False, False, True]
    assert [one.ip_checksum for one in found] == ["ok"] * 3
    assert all(remainder(piece.data[:20]) == 0xFFFF or not remainder(piece.data[:20]) for piece in pieces)


@pytest.mark.parametrize("make", [lambda body: udp(A, 1, B, 2, body, flags=0), lambda body: icmp(A, B, 8, 0, body)])
def test_fragments_as_on_the_wire(make):
    whole = make(bytes(n % 251 for n in range(3500)))
    pieces = [piece.data for piece in taps.as_on_wire(record("sent", whole), 1500)]
    offsets = [struct.unpack_from(">H", piece, 6)[0] for piece in pieces]
    assert [offset & 0x1FFF for offset in offsets] == [0, 185, 370]
    assert [bool(offset & 0x2000) for offset in offsets] == [True, True, False]
    assert b"".join(piece[20:] for piece in pieces) == whole[20:]
    assert [decode(Record(0, piece, len(piece), TAPS["sent"])).ip_checksum for piece in pieces] == ["ok"] * 3


A6, B6 = "fd00:77::11", "fd00:77::12"


def fragments_6(whole, number, room=1448):
    """As a kernel makes them (RFC 8200, section 4.5)."""
    body = whole[40:]
    return [
        ip(A6, B6, 44, struct.pack(">BBHI", whole[6], 0, at | (at + room < len(body)), number) + body[at : at + room])
        for at in range(0, len(body), room)
    ]


def test_ipv6_segments_as_on_the_wire():
    body = bytes(n % 251 for n in range(4000))
    whole = tcp(A6, 1, B6, 2, 2**32 - 1000, 5, ACK | PSH | FIN, body)
    found = [decode(piece) for piece in taps.as_on_wire(record("sent", whole), 1500)]
    assert b"".join(one.payload for one in found) == body
    assert [(one.total_length, one.payload_length, one.malformed) for one in found] == [
        (1500, 1440, ""),
        (1500, 1440, ""),
        (1180, 1120, ""),
    ]
    assert [one.tcp.seq for one in found] == [2**32 - 1000, 440, 1880]
    assert [bool(one.tcp.flags & (PSH | FIN)) for one in found] == [False, False, True]


@pytest.mark.parametrize(
    "make", [lambda body: udp(A6, 1, B6, 2, body), lambda body: icmp(A6, B6, 128, 0, b"\0\1\0\1" + body)]
)
def test_ipv6_fragments_are_those_that_left(make):
    """The id that the kernel gave them stands nowhere else."""
    late, lost, twice = (make(bytes([n]) * 3000) for n in range(3))
    unsummed = bytearray(late)
    unsummed[46:48] = b"\0\0"
    unsummed = bytes(unsummed) if late[6] == 17 else late  # the checksum is completed on the way to the wire
    records = [record("sent", data, at) for at, data in ((10, unsummed), (20, lost), (30, twice), (40, twice))]
    gone = [(50_000, late, 7), (60_000, twice, 9), (70_000, twice, 8)]
    records += [record("left", piece, at + n) for at, whole, i in gone for n, piece in enumerate(fragments_6(whole, i))]
    side = taps.side("alice", records, addresses=(A6,))
    assert [(one.ts_ns - BEGIN, one.ip_id, one.fragment_offset) for one in side.sent] == [
        (at, number, offset) for at, number in ((10, 7), (20, 0), (30, 9), (40, 8)) for offset in (0, 1448, 2896)
    ]
    arrived = [record("in", piece, at + n) for at, whole, i in gone for n, piece in enumerate(fragments_6(whole, i))]
    found = match([side, taps.side("bob", arrived, addresses=(B6,))])
    assert [one.fate for one in found] == ["delivered"] * 3 + ["lost"] * 3 + ["delivered"] * 6
    assert b"".join(one.record.data[48:] for one in side.sent[3:6]) == lost[40:]


HOP_BY_HOP = struct.pack(">BB6s", 17, 0, b"\1\4\0\0\0\0")


def test_what_a_fault_did_to_one_segment_it_did_not_to_its_neighbours():
    """The log sees two segments in one; the queue that faults decide on is given each for itself."""
    merged = tcp(A, 1, B, 2, 1000, 1, ACK | PSH, b"z" * 2896, id=5)
    first, second = taps.as_on_wire(record("left", merged, 1 * MS), 1500)
    alice = taps.side("alice", [record("sent", merged, 1 * MS), record("left", second.data, 1 * MS)], addresses=(A,))
    bob = taps.side("bob", [record("in", second.data, 1 * MS + 100_000)], addresses=(B,))
    told = verdict(decode(first, 0, "alice"), "alice", "f1", "drop", 1 * MS)
    found = match([alice, bob], [told])
    assert [(one.fate, [fault.rule for fault in one.faults]) for one in found] == [("lost", ["f1"]), ("delivered", [])]


@pytest.mark.parametrize(("a", "b"), [(A, B), ("fd00:77::11", "fd00:77::12")])
def test_what_a_fault_did_to_a_datagram_it_did_to_all_fragments(a, b):
    """It saw the datagram whole; the one beside it, which looks just like it to a fault, is another matter."""
    dropped, passed = (udp(a, 1, b, 2, letter * 4000, id=n) for n, letter in ((7, b"x"), (8, b"y")))
    whole = decode(record("sent", dropped, 1 * MS), 0, "alice")
    pieces = taps.as_on_wire(record("left", passed, 9 * MS), 1500)
    left = [record("left", piece.data, 9 * MS) for piece in pieces]
    alice = taps.side("alice", [record("sent", dropped, 1 * MS), record("sent", passed, 9 * MS), *left], addresses=(a,))
    bob = taps.side("bob", [record("in", piece.data, 9 * MS + 100_000) for piece in pieces], addresses=(b,))
    found = match([alice, bob], [verdict(whole, "alice", "f1", "drop", 1 * MS)])
    assert [one.fate for one in found] == ["lost"] * 3 + ["delivered"] * 3
    assert [[fault.rule for fault in one.faults] for one in found] == [["f1"]] * 3 + [[]] * 3


@pytest.mark.parametrize("data", [b"", ip(A6, B6, 0, HOP_BY_HOP + udp(A6, 1, B6, 2, bytes(3000))[40:])])
def test_what_can_not_be_cut_stays(data):
    assert taps.as_on_wire(record("sent", data), 1500) == [record("sent", data)]
    cut = record("sent", udp(A, 1, B, 2, bytes(3000))[:2000], length=3028)
    assert taps.as_on_wire(cut, 1500) == [cut]


def seen(node, tap, data, at):
    return decode(record(tap, data, at), 0, node), tap


def texts(order, **how):
    return [one.packet.payload for one in order.take(**how)]


def test_order_of_several_nodes():
    order = InOrder(["alice", "bob"])
    order.add(*seen("alice", "out", udp(A, 1, B, 2, b"first"), 10))
    order.add(*seen("alice", "out", udp(A, 1, B, 2, b"third"), 30))
    order.told("alice", BEGIN + 40)
    assert texts(order) == [], "bob may still tell of something before that"
    order.add(*seen("bob", "in", udp(A, 1, B, 2, b"second"), 20))
    order.told("bob", BEGIN + 25)
    assert texts(order) == [b"first", b"second"]
    assert order.has_all_until(BEGIN + 25)
    assert not order.has_all_until(BEGIN + 26)
    order.told("bob", BEGIN + 5)  # an older word changes nothing
    assert order.has_all_until(BEGIN + 25)
    order.ended("bob")
    assert texts(order) == [b"third"]


def test_rest_is_given_in_order():
    order = InOrder(["alice", "bob"])
    order.add(*seen("bob", "in", udp(A, 1, B, 2, b"later"), 20))
    order.add(*seen("alice", "out", udp(A, 1, B, 2, b"sooner"), 10))
    assert texts(order) == []
    assert texts(order, everything=True) == [b"sooner", b"later"]
    assert texts(order, everything=True) == []


def test_faults_are_told_of_what_they_saw():
    order = InOrder(["alice"])
    packet, _ = seen("alice", "sent", tcp(A, 1, B, 2, 7, 8, ACK, b"x", id=5), 10)
    order.blame(verdict(packet, "alice", "f1", "delay", 11))
    order.blame(verdict(packet, "alice", "f2", "drop", 12))
    order.add(packet, "left")
    order.add(replace(packet, ts_ns=packet.ts_ns + 5), "sent")
    order.ended("alice")
    given = [(one.tap, [found.rule for found in one.verdicts]) for one in order.take()]
    assert given == [("left", []), ("sent", ["f1", "f2"])]


def alike(order, count, *, dropped=(), lag=50_000, gap=10 * MS):
    """Datagrams without an id, of one length; and what is told of some of them."""
    for number in range(count):
        packet, tap = seen("alice", "sent", udp(A, 1, B, 2, b"seq=%d" % (number % 10)), number * gap)
        order.add(packet, tap)
        if number in dropped:
            order.blame(verdict(packet, "alice", "f1", "drop", number * gap + lag))


def given(order, **how):
    return [[found.rule for found in one.verdicts] for one in order.take(**how)]


@pytest.mark.parametrize(("lag", "gap"), [(50_000, 10 * MS), (160_000, 100_000)])
def test_each_of_those_that_look_alike_has_its_own_verdict(lag, gap):
    order = InOrder(["alice"])
    alike(order, 5, dropped=(2, 3, 4) if gap < MS else (2, 4), lag=lag, gap=gap)
    order.told("alice", BEGIN + 1000 * MS)
    assert given(order) == [[], [], ["f1"], ["f1"] if gap < MS else [], ["f1"]]


def test_what_is_told_too_late_is_no_later_packets():
    order = InOrder(["alice"])
    first, tap = seen("alice", "sent", udp(A, 1, B, 2, b"seq=0"), 0)
    order.add(first, tap)
    order.told("alice", BEGIN + 10)
    assert given(order) == [[]]
    order.blame(verdict(first, "alice", "f1", "drop", 50_000))
    second, tap = seen("alice", "sent", udp(A, 1, B, 2, b"seq=1"), 100 * MS)
    order.add(second, tap)
    order.blame(verdict(second, "alice", "f2", "drop", 100 * MS + 50_000))
    order.told("alice", BEGIN + 200 * MS)
    assert given(order) == [["f2"]]


def test_a_packet_waits_for_what_a_fault_did_to_it():
    """The journal of faults may be slower than all recorders; what no fault has seen need not wait for it."""
    order = InOrder(["alice", "bob"], 500 * MS)
    order.add(*seen("alice", "out", udp(A, 1, B, 2, b"plain"), 0))
    struck, tap = seen("alice", "sent", udp(A, 1, B, 2, b"struck", id=3), 10)
    order.add(struck, tap)
    order.add(*seen("bob", "in", udp(B, 2, A, 1, b"after"), 20))
    for node in ("alice", "bob"):
        order.told(node, BEGIN + 400 * MS)
    assert texts(order) == [b"plain"]
    assert not order.has_all_until(BEGIN + 100 * MS), "what was done to it may still come"
    assert order.has_all_until(BEGIN + 5)
    order.blame(verdict(struck, "alice", "f1", "drop", 50_000))
    assert texts(order) == []
    for node in ("alice", "bob"):
        order.told(node, BEGIN + 600 * MS)
    assert order.has_all_until(BEGIN + 100 * MS)
    assert [(one.packet.payload, [found.rule for found in one.verdicts]) for one in order.take()] == [
        (b"struck", ["f1"]),
        (b"after", []),
    ]


def test_a_verdict_waits_for_its_packet():
    """The journal of faults may be faster than the recorder."""
    order = InOrder(["alice"])
    packets = [seen("alice", "sent", udp(A, 1, B, 2, b"seq=%d" % n), n * 50 * MS) for n in range(3)]
    for number in (1, 2):
        order.blame(verdict(packets[number][0], "alice", f"f{number}", "drop", number * 50 * MS + 50_000))
    out = []
    for number, (packet, tap) in enumerate(packets):
        order.add(packet, tap)
        order.told("alice", BEGIN + number * 50 * MS + 10_000)
        out += given(order)
    assert out == [[], ["f1"], ["f2"]]


def test_verdicts_are_let_go_of():
    order = InOrder(["alice"])
    for number in range(5000):
        packet, tap = seen("alice", "sent", udp(A, 1, B, 2, b"x", id=number + 1), number * 1000)
        order.add(packet, tap)
        order.blame(verdict(packet, "alice", "f1", "delay", number * 1000 + 10))
    order.told("alice", BEGIN + 1000 * MS)
    assert given(order) == [["f1"]] * 5000
    assert not any(one.verdicts for one in order._alike.values())
    assert len(order._alike) <= CONVERSATIONS


def test_numbers_are_relative_to_their_conversation():
    known = Conversations()
    see = lambda data, at=0: known.see(decode(record("out", data, at)))  # noqa: E731
    assert see(tcp(A, 1, B, 2, 1000, 0, SYN)).seq == 0
    assert see(tcp(B, 2, A, 1, 9000, 1001, SYN | ACK)).ack == 1
    found = see(tcp(A, 1, B, 2, 1001, 9001, ACK | PSH, b"hi"))
    assert (found.seq, found.ack) == (1, 1)
    assert see(udp(A, 1, B, 2, b"no segment")) is None
    assert see(tcp(A, 1, B, 3, 5000, 0, SYN)).seq == 0


@pytest.mark.parametrize(("a", "b"), [(A, B), ("fd00::1", "fd00::2")])
def test_of_a_merged_segment_each_piece_has_its_own_verdict(a, b):
    """A fault judges the segments that the kernel makes of it, one by one."""
    whole = tcp(a, 1, b, 2, 1000, 1, ACK | PSH, b"z" * 4000, id=5)
    pieces = taps.segments_of(record("sent", whole, 10))
    assert [len(piece.data) for piece in pieces[:2]] == [1500, 1500]
    order = InOrder(["alice"])
    packets = [decode(piece, place, "alice") for place, piece in enumerate(pieces)]
    order.blame(verdict(packets[1], "alice", "f1", "drop", 11))
    for packet in packets:
        order.add(packet, "sent")
    order.ended("alice")
    given = [[found.rule for found in one.verdicts] for one in order.take()]
    assert given == [[], ["f1"], []]


def test_what_no_fault_sees_in_pieces_stays_whole():
    merged = tcp(A, 1, B, 2, 1000, 1, ACK | PSH, b"z" * 4000, id=5)
    datagram = udp(A, 1, B, 2, b"z" * 4000, id=6)
    for tap, data in (("out", merged), ("in", merged), ("sent", datagram), ("sent", b"")):
        assert taps.segments_of(record(tap, data, 10)) == [record(tap, data, 10)]


def test_where_the_wire_takes_more_nothing_is_cut():
    """On a network with a larger MTU, what left after a fault tells how long a packet may be."""
    passed, dropped = (tcp(A, 1, B, 2, 1000 + n * 8948, 5, ACK, bytes(8948), id=7 + n) for n in range(2))
    side = taps.side("alice", [record("sent", passed), record("sent", dropped, 10), record("left", passed)])
    assert [one.payload_length for one in side.sent] == [8948, 8948]
