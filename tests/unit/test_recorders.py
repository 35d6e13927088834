"""Recorders on a lab of the in-memory engine: which are started, what is made of what they tell, and all that fails."""

import io
import time

import pytest
from recorder_fakes import ALICE, BOB, ETHER, refused
from traffic import tcp, udp

from labctl.engine.model import LABEL_PROBED
from labctl.lab import probes
from labctl.lab.recording import capture, ladder, recorders, write
from labctl.packets.files.capture import read
from labctl.packets.ladder.ladder import Options
from labctl.packets.matching.live import Seen
from labctl.packets.model import ACK, PSH, Interface, Record
from labctl.packets.protocols.ip import decode
from labctl.packets.protocols.link import ETHERNET


def test_a_ladder_is_of_what_was_recorded(engine, lab, fakes):
    nodes = ladder.ends(lab(), "alice", "bob")
    refused("no-recording", "at alice and bob", ladder.drawn, engine, lab(), nodes, 30, Options())
    assert probes.all_of(engine, "lab", probes.CAPTURE) == {}, "who only looks begins nothing"
    assert recorders.begin(engine, lab(), nodes)[1] == ["alice", "bob"]
    assert recorders.begin(engine, lab(), nodes)[1] == []
    assert sorted(probes.all_of(engine, "lab", probes.CAPTURE)) == ["alice", "bob"]
    data = tcp(ALICE, 1, BOB, 2, 7, 8, ACK | PSH, b"hello")
    fakes.packets = {"alice": [("out", 2000, ETHER + data)], "bob": [("in", 1000, ETHER + data)]}
    found = ladder.drawn(engine, lab(), nodes, 30, Options())
    assert [(arrow.fate, arrow.rightwards, arrow.latency_ns is not None) for arrow in found.arrows] == [
        ("delivered", True, True)
    ]
    assert fakes.asked[-1] == ("bob", ["--last", "60.000000000"])


def test_recorders_that_answer_one_after_the_other_are_asked_for_the_same_time(engine, lab, fakes):
    """On a busy machine bob's answers 3 s after alice's; what is older than asked for is at neither end."""
    recorders.start(engine, lab(), lab().nodes[:2])
    packets = {ago: ETHER + tcp(ALICE, 1, BOB, 2, ago, 8, ACK | PSH, b"hello") for ago in (5, 1)}
    sent = [("out", int(ago * 1e9), data) for ago, data in packets.items()]
    fakes.packets = {"alice": sent, "bob": [("in", ago, data) for _, ago, data in sent]}
    fakes.late = {"bob": 3.0}
    found = ladder.drawn(engine, lab(), ladder.ends(lab(), "alice", "bob"), 2.0, Options())
    assert [arrow.fate for arrow in found.arrows] == ["delivered"]


def test_what_a_recorder_can_not_do_is_a_note(engine, lab, fakes):
    fakes.problems = ["what is sent on links with faults can't be recorded here: no"]
    fakes.packets = {"alice": [("left", 2000, ETHER + udp(ALICE, 1, BOB, 2, b"x"))]}
    recorders.start(engine, lab(), lab().nodes[:2])
    found = ladder.drawn(engine, lab(), ladder.ends(lab(), "alice", "bob"), 30, Options())
    assert f"At alice {fakes.problems[0]}." in found.notes
    assert len(found.arrows) == 1, "what left stands in for what was sent"


def test_ends(lab):
    refused("bad-link-name", "no link to itself", ladder.ends, lab(), "alice", "alice")
    refused("no-link", "alice: ab; web: w", ladder.ends, lab(), "alice", "web")
    refused("not-running", "off is exited", ladder.ends, lab(), "alice", "off")
    refused("unknown-node", "did you mean alice", ladder.ends, lab(), "alise", "bob")


@pytest.mark.parametrize(
    ("status", "words", "told"), [(3, b"", "did not answer"), (1, b"Killed\n", "ended (status 1)")]
)
def test_recorders_that_fail(engine, lab, fakes, status, words, told):
    fakes.status, fakes.words = status, words
    refused("recorder-gone", told, recorders.start, engine, lab(), [lab().node("alice")])


def test_a_filter_that_is_none(engine, lab, fakes):
    recorders.start(engine, lab(), [lab().node("alice")])
    fakes.refused = "syntax error"
    where = capture.place(lab(), ["alice"], "tcp prt 7")
    refused("bad-filter", "'tcp prt 7' is none: syntax error", seen, engine, lab, where)


def test_paused_recorders(engine, lab, fakes):
    recorders.start(engine, lab(), lab().nodes[:2])
    held = probes.all_of(engine, "lab", probes.CAPTURE)["alice"]
    engine.change("pause", held.id)
    assert sorted(recorders.recorders(engine, lab())) == ["bob"]
    refused("recorder-gone", "is paused", recorders.begin, engine, lab(), [lab().node("alice")])
    recorders.begin(engine, lab(), [lab().node("bob"), lab().node("web")])
    assert held.id in {probe.id for probe in probes.all_of(engine, "lab", probes.CAPTURE).values()}
    assert recorders.stop(engine, lab(), lab().nodes) == ["alice", "bob", "web"]
    assert probes.all_of(engine, "lab", probes.CAPTURE) == {}
    assert recorders.stop(engine, lab(), lab().nodes) == []


def test_places(engine, lab):
    place = capture.place
    assert [node.name for node in place(lab(), []).nodes] == ["alice", "bob", "web"]
    assert [node.name for node in place(lab(), ["bob", "alice", "bob"]).nodes] == ["bob", "alice"]
    both = place(lab(), ["alice-bob"], "tcp port 7")
    assert [node.name for node in both.nodes] == ["alice", "bob"]
    assert both.expression == f"(tcp port 7) and (host {ALICE}) and (host {BOB})"
    assert place(lab(), ["bob:alice"]).expression == f"(src host {BOB}) and (dst host {ALICE})"
    refused("bad-link-name", "a link stands alone", place, lab(), ["alice-bob", "web"])
    refused("no-link", "they share no network", place, lab(), ["alice-web"])
    refused("not-running", "off is exited", place, lab(), ["off"])
    refused("unknown-node", "did you mean alice", place, lab(), ["alise"])
    for node in lab().nodes:
        if node.is_running:
            engine.change("stop", node.container.id)
    refused("none-running", "lab", place, lab(), [])


def seen(engine, lab, where, last=30):
    with capture.Capture(engine, lab(), where, last=last, seconds=0) as found:
        return list(found), found.summary


def test_what_was_recorded_in_order_and_as_a_file(engine, lab, fakes):
    data = udp(ALICE, 1, BOB, 2, b"x")
    fakes.packets = {
        "alice": [("sent", 9_000_000, data), ("left", 3_000_000, ETHER + data)],
        "bob": [("in", 1_000_000, ETHER + data)],
    }
    fakes.drops = 4
    where = capture.place(lab(), ["bob", "alice"])
    found, summary = seen(engine, lab, where)
    assert [(one.packet.node, one.tap) for one in found] == [("alice", "sent"), ("alice", "left"), ("bob", "in")]
    assert (summary.packets, summary.drops) == (3, {"alice": 4, "bob": 4})
    out = io.BytesIO()
    file = write.File(out, where.nodes)
    for one in found:
        file.add(one)
    file.finish(summary)
    out.seek(0)
    records = list(read(out))
    assert [item.interface.name for item in records] == ["alice before faults", "alice", "bob"]
    assert [item.ts_ns for item in records] == [one.packet.ts_ns for one in found]


def test_capture_that_has_enough(engine, lab, fakes):
    """Whoever stops in the middle gets the rest of what has come, each packet once."""
    data = ETHER + udp(ALICE, 1, BOB, 2, b"x")
    fakes.packets = {"alice": [("out", ago * 1_000_000, data) for ago in range(9, 0, -1)]}
    where = capture.place(lab(), ["alice"])
    with capture.Capture(engine, lab(), where, last=30, seconds=0) as found:
        given = [one.packet.ts_ns for _, one in zip(range(4), found, strict=False)]
        given += [one.packet.ts_ns for one in found.rest()]
    assert len(given) == len(set(given)) == found.summary.packets == 9
    assert given == sorted(given)


def test_the_newest_packet_is_looked_for_further_and_further_back(engine, lab, fakes):
    recorders.start(engine, lab(), [lab().node("alice")])
    data = ETHER + udp(ALICE, 1, BOB, 2, b"x")
    fakes.packets = {"alice": [("out", 300_000_000_000, data), ("out", 2_000_000, data)]}
    fakes.asked.clear()
    assert time.time_ns() - capture.newest(engine, lab(), 1).ts_ns < 10_000_000_000
    assert len(fakes.asked) == 1
    assert capture.newest(engine, lab(), 2).ts_ns < time.time_ns() - 299_000_000_000
    refused("no-such-packet", "it has 2", capture.newest, engine, lab(), 3)


@pytest.mark.parametrize(("since", "said"), [(-20, []), (-5, ["alice"])])
def test_what_was_not_recorded_yet_is_said(engine, lab, fakes, since, said):
    fakes.since = since
    assert list(seen(engine, lab, capture.place(lab(), ["alice"]), last=10)[1].since_ns) == said


def test_files_name_the_interfaces_of_a_node_on_several_networks(engine, lab):
    """Always the same names, whichever speaks first."""
    engine.add("lab", "router", role="router", addresses={"a": ("10.1.0.1",), "b": ("10.2.0.1",)})
    out = io.BytesIO()
    file = write.File(out, [lab().node("router"), lab().node("alice")])
    for node, device in (("router", "eth1"), ("router", "eth0"), ("alice", "eth0"), ("router", "eth1")):
        record = Record(1, ETHER + udp(ALICE, 1, BOB, 2, b"x"), 40, Interface(0, f"{device}:in", ETHERNET))
        file.add(Seen(decode(record, 0, node), "in"))
    file.finish(capture.Summary())
    out.seek(0)
    assert [item.interface.name for item in read(out)] == ["router eth1", "router eth0", "alice", "router eth1"]


def test_a_node_on_the_machines_own_network_is_left_alone(engine, lab, fakes):
    engine.add("lab", "dashboard", addresses={"host": ()}, host_network=True)
    refused("host-namespace", "network_mode: host", recorders.start, engine, lab(), [lab().node("dashboard")])
    refused("host-namespace", "this machine's", capture.place, lab(), ["dashboard"])
    assert "dashboard" not in [node.name for node in capture.place(lab(), []).nodes]
    assert probes.all_of(engine, "lab", probes.CAPTURE) == {}


def test_two_labctl_at_the_same_moment_make_one_recorder(engine, lab, fakes):
    """The other one has its own already, and has not started it yet."""
    alice = lab().node("alice")
    create = engine.create_probe

    def slower(order):
        engine.create_probe = create
        create(order)
        return create(order)

    engine.create_probe = slower
    recorders.start(engine, lab(), [alice])
    found = [one for one in engine.containers() if one.labels.get(LABEL_PROBED) == "alice"]
    assert [(one.name, one.state) for one in found] == [("lab-alice-capture", "running")]


def test_merged_segments_of_a_link_with_faults_are_shown_as_faults_see_them(engine, lab, fakes):
    fakes.packets = {"alice": [("sent", 9_000_000, tcp(ALICE, 1, BOB, 2, 1, 1, ACK, b"z" * 4000, id=5))]}
    found, summary = seen(engine, lab, capture.place(lab(), ["alice"]))
    assert [one.packet.total_length for one in found] == [1500, 1500, 1120]
    assert summary.packets == 3


@pytest.mark.parametrize(
    ("mtu", "subnets", "lengths"),
    [
        (9000, ["10.77.0.0/24"], [9000, 1080]),
        (9000, [], [9000, 1080]),
        (None, ["10.77.0.0/24"], [1500] * 6 + [1280]),
        (1400, ["10.77.0.0/24"], [1400] * 7 + [520]),
    ],
)
def test_merged_segments_are_cut_at_what_their_network_takes(engine, lab, fakes, mtu, subnets, lengths):
    """Also of a node that is on another network, of another MTU, too; without a subnet by whose address it is."""
    engine.add("lab", "both", role="chat", addresses={"ab": ("10.77.0.20",), "w": ("10.78.0.20",)})
    engine.subnets("ab", *subnets, mtu=mtu)
    engine.subnets("w", "10.78.0.0/24", mtu=4000)
    fakes.packets = {"both": [("sent", 9_000_000, tcp("10.77.0.20", 1, BOB, 2, 1, 1, ACK, b"z" * 10_000, id=5))]}
    found, _ = seen(engine, lab, capture.place(lab(), ["both"]))
    assert [one.packet.total_length for one in found] == lengths
