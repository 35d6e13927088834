"""Two captures of one conversation: exactly what was faulted is named, for any mix of faults."""

import random
import time
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sampling import examples
from traffic import BEGIN, MS, Wire, connected, icmp, ip, packet, tcp, udp, verdict

from labctl.packets.crossings import Rules, Side, Verdict
from labctl.packets.ladder.ladder import Options, two_sided
from labctl.packets.matching.match import match
from labctl.packets.matching.pairing import Sending, paired
from labctl.packets.model import ACK, PSH, RST
from labctl.render.ladder import text

A, B = "10.77.0.11", "10.77.0.12"
A6, B6 = "fd00:77::11", "fd00:77::12"


def fates(wire, verdicts=None, **more):
    return match(wire.sides(), wire.verdicts if verdicts is None else verdicts, **more)


def places(crossings, chosen, wire, node="alice"):
    """The chosen ones' positions among what a node sent."""
    times = {BEGIN + at: number for number, (at, _) in enumerate(wire.sent[node])}
    return {times[one.sent.ts_ns] for one in crossings if one.sent and one.sender == node and chosen(one)}


def mixed(seed, *, count=40, v6=False, same=False, kind="udp"):
    """Traffic from alice to bob of which some is lost, doubled, delayed, reordered or harmed; and which is."""
    chance = random.Random(seed)
    one, other = (A6, B6) if v6 else (A, B)
    wire = Wire(names={one: "alice", other: "bob"})
    truth = {name: set() for name in ("drop", "duplicate", "delay", "reorder", "corrupt")}
    sequence = 1000
    for number in range(count):
        body = b"always the same" if same else chance.randbytes(chance.randrange(1, 60))
        if kind == "tcp":
            data = tcp(one, 4000, other, 80, sequence, 1, PSH | ACK, body, id=wire.id())
            sequence += len(body)
        else:
            data = udp(one, 4000, other, 9000, body, id=wire.id())
        roll = chance.random()
        what = {0: "drop", 1: "duplicate", 2: "delay", 3: "reorder", 4: "corrupt"}.get(int(roll * 15))
        # A reordered one is overtaken by the next one.
        alone = what == "reorder" and number == count - 1
        if (what == "corrupt" and same) or number - 1 in truth["reorder"] or alone:
            what = None
        how = {}
        if what == "drop":
            how = {"lost": True}
        elif what == "duplicate":
            how = {"copies": (chance.randrange(10_000, 900_000),)}
        elif what == "delay":
            how = {"late": chance.randrange(40, 300) * MS}
        elif what == "reorder":
            how = {"late": chance.randrange(300_000, 900_000)}
        elif what == "corrupt":
            harmed = bytearray(data)
            place = len(data) - 1 - chance.randrange(len(body))
            harmed[place] ^= chance.randrange(1, 256)
            how = {"arrives": bytes(harmed)}
        if what:
            truth[what].add(number)
            how["by"] = [(f"f{what}", what)]
        wire.send(data, **how)
    return wire, truth


def overtaken(wire):
    """By the definition: arrived after something that was sent later."""
    out = set()
    sent = [(at, data) for at, data in wire.sent["alice"]]
    arrived = {}
    for at, data in wire.arrived.get("bob", []):
        arrived[data[:8]] = min(at, arrived.get(data[:8], at))
    for number, (_, data) in enumerate(sent):
        mine = arrived.get(data[:8])
        if mine is not None and any(arrived.get(later[:8], mine) < mine for _, later in sent[number + 1 :]):
            out.add(number)
    return out


@pytest.mark.turn(2)
@pytest.mark.parametrize("kind", ["udp", "tcp"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32))
def test_a_mix_of_faults_is_named_packet_by_packet_without_the_verdicts(kind, seed):
    wire, truth = mixed(seed, kind=kind)
    found = fates(wire, ())
    assert places(found, lambda one: one.fate == "lost", wire) == truth["drop"]
    assert places(found, lambda one: one.duplicated, wire) == truth["duplicate"]
    assert places(found, lambda one: one.delayed, wire) == truth["delay"]
    assert places(found, lambda one: one.corrupted, wire) == truth["corrupt"]
    assert places(found, lambda one: one.reordered, wire) == overtaken(wire)
    assert not [one for one in found if one.fate in ("elsewhere", "unknown")]


@pytest.mark.turn(2)
@pytest.mark.parametrize("v6", [False, True])
@pytest.mark.parametrize("same", [False, True])
@settings(max_examples=examples(60), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32))
def test_each_fault_is_on_the_packet_that_it_was_done_to(v6, same, seed):
    wire, truth = mixed(seed, v6=v6, same=same)
    found = fates(wire)
    for action, numbers in truth.items():
        assert places(found, lambda one, a=action: any(v.action == a for v in one.faults), wire) == numbers
    assert places(found, lambda one: one.fate == "lost", wire) == truth["drop"]
    assert places(found, lambda one: one.duplicated, wire) == truth["duplicate"]
    assert places(found, lambda one: one.delayed, wire) == truth["delay"]


@settings(max_examples=examples(60))
@given(seed=st.integers(0, 2**32))
def test_no_packet_is_in_two_crossings_and_none_is_left_out(seed):
    wire, _ = mixed(seed, same=bool(seed % 2), v6=bool(seed % 3))
    sides = wire.sides()
    found = match(sides, wire.verdicts)
    sent = [id(one.sent) for one in found if one.sent]
    arrived = [id(one) for each in found for one in (each.arrived, *each.copies) if one]
    assert sorted(sent) == sorted(id(one) for side in sides for one in side.sent)
    assert sorted(arrived) == sorted(id(one) for side in sides for one in side.arrived)


def test_a_retransmission_is_another_packet():
    wire, alice, _bob = connected()
    alice.say(b"hello", lost=True)
    wire.wait(200)
    alice.say(b"hello", seq=1001)
    found = [one for one in fates(wire) if one.packet.payload == b"hello"]
    assert [one.fate for one in found] == ["lost", "delivered"]


def test_latency_is_one_way_and_never_negative():
    wire = Wire(latency=-2 * MS)
    wire.send(udp(A, 1, B, 2, b"early"))
    assert [one.latency_ns for one in fates(wire)] == [0]
    wire = Wire(latency=7 * MS)
    wire.send(udp(A, 1, B, 2, b"later"))
    assert [one.latency_ns for one in fates(wire)] == [7 * MS]


def test_an_arrival_long_before_its_sending_is_another_packet():
    wire = Wire(latency=-50 * MS)
    wire.send(udp(A, 1, B, 2, b"early"))
    assert sorted(one.fate for one in fates(wire)) == ["elsewhere", "lost"]


def test_a_delay_is_told_from_the_flows_own_median():
    wire = Wire()
    for number in range(9):
        wire.send(udp(A, 1, B, 2, b"%d" % number), late=19 * MS if number == 4 else 21 * MS if number == 6 else 0)
    assert places(fates(wire), lambda one: one.delayed, wire) == {6}
    assert places(fates(wire, rules=Rules(delay_floor=15 * MS)), lambda one: one.delayed, wire) == {4, 6}
    slow = Wire(latency=100 * MS)
    for number in range(9):
        slow.send(udp(A, 1, B, 2, b"%d" % number), late=50 * MS if number == 4 else 0)
    assert places(fates(slow), lambda one: one.delayed, slow) == set()  # not twice the median


def test_all_of_a_flow_may_be_delayed_by_a_fault():
    wire = Wire()
    for number in range(3):
        wire.send(udp(A, 1, B, 2, b"%d" % number), late=50 * MS, by=[("f1", "delay")])
    assert [one.late_ns for one in fates(wire)] == [50 * MS + 120_000] * 3
    assert not any(one.delayed for one in fates(wire, ()))


def test_what_the_kernel_dropped_is_never_called_lost():
    wire = Wire()
    wire.send(udp(A, 1, B, 2, b"gone"), lost=True)
    dropped = wire.send(udp(A, 1, B, 2, b"dropped"), lost=True)
    sides = [wire.side("alice"), wire.side("bob", kernel_drops=1)]
    told = [verdict(dropped, "alice", "f1", "drop", 200_000)]
    assert [one.fate for one in match(sides)] == ["unknown", "unknown"]
    assert [one.fate for one in match(sides, told)] == ["unknown", "lost"]
    assert [one.fate for one in match([wire.side("alice", kernel_drops=9), wire.side("bob")])] == ["lost", "lost"]


def test_what_arrived_without_a_sender_is_from_elsewhere_unless_its_capture_missed_packets():
    wire = Wire()
    wire.stray("bob", udp(A, 1, B, 2, b"spoofed"))
    assert [one.fate for one in fates(wire)] == ["elsewhere"]
    sides = [wire.side("alice", kernel_drops=2), wire.side("bob")]
    assert [one.fate for one in match(sides)] == ["unknown"]


def test_the_ends_of_a_capture_lose_nothing():
    wire = Wire()
    wire.send(udp(A, 1, B, 2, b"first"), lost=True)
    wire.wait(1000)
    wire.send(udp(A, 1, B, 2, b"last"), lost=True)
    bob = wire.side("bob", since_ns=BEGIN + 1, until_ns=BEGIN + wire.now)
    assert [one.fate for one in match([wire.side("alice"), bob])] == ["unknown", "unknown"]


@pytest.mark.parametrize(("told", "fate", "is_open"), [(-1, "unknown", True), (100, "elsewhere", False)])
def test_what_was_sent_after_its_senders_capture_had_ended(told, fate, is_open):
    """Two captures of one conversation do not end at the same instant."""
    wire = Wire()
    wire.stray("bob", udp("10.77.0.11", 1, "10.77.0.12", 2, b"late"))
    [one] = match([wire.side("alice", until_ns=BEGIN + told * MS), wire.side("bob")])
    assert (one.sender, one.fate, one.open) == ("alice", fate, is_open)
    assert "alice had ended" in one.why or not is_open


def test_a_reset_by_a_fault_names_its_rule_at_both_ends():
    wire, alice, _bob = connected()
    alice.say(b"hello", lost=True, by=[("f9", "reset")])
    wire.stray("alice", tcp(B, 80, A, 40022, 5001, 0, RST))
    wire.stray("bob", tcp(A, 40022, B, 80, 1006, 0, RST))
    found = [one for one in fates(wire) if one.faults]
    assert [(one.fate, one.faults[0].rule) for one in found] == [
        ("lost", "f9"),
        ("elsewhere", "f9"),
        ("elsewhere", "f9"),
    ]


def test_through_a_router_that_rewrites_udp_and_icmp():
    wire = Wire(names={A: "alice", B: "bob"})
    for number in range(3):
        wire.send(
            udp(A, 5000, B, 53, b"question %d" % number, id=wire.id()),
            arrives=udp("10.88.0.1", 33000, B, 53, b"question %d" % number, id=wire.ids, ttl=63),
        )
    echo = b"\x00\x01\x00\x07ping"
    wire.send(icmp(A, B, 8, 0, echo, id=77), arrives=icmp("10.88.0.1", B, 8, 0, b"\x99\x99" + echo[2:], id=77, ttl=63))
    found = fates(wire)
    assert [one.fate for one in found] == ["delivered"] * 4
    assert {one.rewritten.new_source for one in found} == {("10.88.0.1", 33000), ("10.88.0.1", None)}


def test_short_datagrams_of_two_senders_are_not_taken_for_one_rewritten():
    wire = Wire()
    wire.send(udp(A, 1, B, 2, b"hi"), lost=True)
    wire.stray("bob", udp("10.88.0.1", 1, B, 2, b"hi", ttl=63))
    assert [one.fate for one in fates(wire)] == ["lost", "elsewhere"]


def test_multicast_arrives_at_each_that_listens():
    wire = Wire(names={A: "alice", B: "bob", "10.77.0.13": "carol"})
    data = udp(A, 1, "239.1.1.1", 2, b"all")
    wire.send(data, to="bob")
    wire.arrived["carol"] = [(300_000, data)]
    assert sorted((one.sender, one.receiver) for one in fates(wire)) == [("alice", "bob"), ("alice", "carol")]


def test_a_corrupted_copy_of_what_arrived_is_its_copy():
    wire = Wire()
    data = udp(A, 1, B, 2, b"whole", id=8)
    wire.send(data)
    wire.stray("bob", data[:-1] + b"X")
    assert [(one.fate, one.duplicated, one.corrupted) for one in fates(wire)] == [("delivered", True, True)]


def test_a_corrupted_header_is_known_by_its_ip_id():
    wire = Wire()
    data = tcp(A, 1, B, 2, 1000, 1, ACK, b"x", id=99)
    harmed = data[:24] + b"\xff" + data[25:]  # the sequence number's first byte
    wire.send(data, arrives=harmed)
    assert [(one.fate, one.corrupted) for one in fates(wire)] == [("delivered", True)]


def test_offloaded_checksums_are_no_corruption():
    data = bytearray(tcp(A, 1, B, 2, 1000, 1, ACK, b"x", id=99))
    import struct

    from traffic import packed

    pseudo = sum(struct.unpack(">8H", packed(A) + packed(B) + bytes(8))) + 6 + 21
    data[36:38] = struct.pack(">H", (pseudo & 0xFFFF) + (pseudo >> 16))
    half = packet(bytes(data), 0)
    whole = packet(tcp(A, 1, B, 2, 1000, 1, ACK, b"x", id=99), 1000)
    assert half.checksum == "partial"
    found = match([Side("alice", [half], [], (A,)), Side("bob", [], [whole], (B,))])
    assert [(one.fate, one.corrupted) for one in found] == [("delivered", False)]


def test_a_verdict_without_numbers_is_for_the_nearest_in_time():
    wire = Wire()
    for _ in range(3):
        wire.send(udp(A6, 1, B6, 2, b"same"), to="bob")
        wire.wait(10)
    vague = Verdict(BEGIN + 10_300_000, "alice", "f1", "delay", A6, 1, B6, 2, "udp")
    wire.names = {A6: "alice", B6: "bob"}
    wire.sent["alice"] = wire.sent.pop(A6)
    assert places(fates(wire, [vague]), lambda one: one.faults, wire) == {1}


def test_of_two_that_look_alike_the_lost_one_was_not_the_copied_one():
    """Resets of a kernel: the same bytes, no number of IP's, and times that are read a little later than they left."""
    wire = Wire()
    again = tcp(A, 1, B, 2, 9, 0, RST, id=0)
    wire.send(again, lost=True, by=[("f1", "drop")])
    wire.send(again, copies=(20_000,), by=[("f2", "duplicate")])
    dropped, copied = wire.verdicts
    told = [dropped, replace(copied, ts_ns=dropped.ts_ns + 40_000)]
    arrows = two_sided(*wire.sides(), told).arrows
    assert [(one.fate, one.faults) for one in arrows if not one.copy] == [("lost", ("f1",)), ("delivered", ("f2",))]


def test_a_fault_on_a_packet_that_no_capture_shows_is_said():
    wire = Wire()
    seen = wire.send(udp(A, 1, B, 2, b"seen", id=5))
    hidden = packet(udp(A, 1, B, 2, b"hidden", id=6))
    told = [verdict(seen, "alice", "f1", "delay", 1000), verdict(hidden, "alice", "f2", "drop", 1000)]
    assert two_sided(*wire.sides(), told).notes == ("f2 acted on 1 packet that the captures don't show.",)
    assert two_sided(*wire.sides(), told[:1]).notes == ()


def test_a_fault_on_a_later_fragment_names_no_ports():
    wire = Wire()
    whole = udp(A, 5, B, 6, bytes(48))[20:]
    wire.send(ip(A, B, 17, whole[:24], id=9, flags=0x2000))
    wire.send(ip(A, B, 17, whole[24:], id=9, flags=3), lost=True, by=[("f1", "drop")])
    assert wire.verdicts[0].sport is None
    found = two_sided(*wire.sides(), wire.verdicts, Options(port=6))
    assert [(arrow.fate, arrow.faults) for arrow in found.arrows] == [("delivered", ()), ("lost", ("f1",))]


def test_pairing_of_packets_that_look_alike():
    one = [Sending(0), Sending(100), Sending(200)]
    assert paired(one, [10, 110, 210], 10, 5, 200) == [[0], [1], [2]]
    assert paired(one, [110, 210], 10, 5, 200) == [[], [0], [1]]
    assert paired(one, [10, 210], 10, 5, 200) == [[0], [], [1]]
    assert paired(one, [10, 110], 10, 5, 200) == [[0], [1], []]
    assert paired(one, [10, 110, 111, 210], 10, 5, 200) == [[0], [1, 2], [3]]
    assert paired([Sending(0, delayed=True), Sending(100)], [110, 300], 10, 5, 200) == [[1], [0]]
    assert paired([Sending(0, dropped=True), Sending(100)], [110], 10, 5, 200) == [[], [0]]


def test_ten_thousand_packets_are_drawn_in_time():
    """The limit is generous, for machines that are busy; a quadratic step anywhere would miss it by far."""
    wire = Wire(latency=50_000)
    sequence = 1
    for number in range(5000):
        data = tcp(A, 4000, B, 80, sequence, 1, PSH | ACK, b"x" * 200, id=wire.id())
        wire.send(data, lost=number % 97 == 0)
        sequence += 200
    sent = [(BEGIN + at, data) for at, data in wire.sent["alice"]]
    assert len(sent) + len(wire.arrived["bob"]) > 9900
    begin = time.process_time()
    found = two_sided(*wire.sides(), (), Options(limit=0))
    drawn = text.draw(found)
    took = time.process_time() - begin
    assert drawn.count("! lost") == 52
    assert took < 6


def test_packets_that_all_look_alike_take_no_longer():
    wire = Wire(names={A6: "alice", B6: "bob"}, latency=50_000)
    for number in range(5000):
        wire.send(udp(A6, 1, B6, 2, b"same"), lost=number % 97 == 0)
    begin = time.process_time()
    found = fates(wire)
    assert time.process_time() - begin < 5
    assert places(found, lambda one: one.fate == "lost", wire) == set(range(0, 5000, 97))
