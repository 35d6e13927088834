"""Recorders on a lab of the in-memory engine: which are started, what is made of what they tell, and all that fails."""

import io
import json
import struct
import time

import pytest
from memory_lab import event
from traffic import tcp, udp

from labctl.engine.memory import Execution, MemoryEngine
from labctl.engine.model import COMPOSE_SERVICE, LABEL_PROBED, LABEL_SOURCE, PROBE_IMAGE, Image, Line
from labctl.errors import LabError
from labctl.lab import capture, ladder, probes, record, recording, trace
from labctl.lab.change import change
from labctl.lab.model import find
from labctl.packets.capture import read
from labctl.packets.decode import decode
from labctl.packets.ladder import Options
from labctl.packets.link import ETHERNET, RAW
from labctl.packets.live import Seen
from labctl.packets.model import ACK, PSH, Interface, Record
from labctl.packets.write import Writer

ALICE, BOB, WEB = "10.77.0.5", "10.77.0.6", "10.77.1.7"
ETHER = bytes(12) + b"\x08\0"
USER = 147  # a link type that is nobody's


class Recorders:
    """What the recorders would answer, without any kernel: `packets` by node, as (tap, nanoseconds ago, bytes)."""

    def __init__(self, engine: MemoryEngine):
        self.packets: dict[str, list[tuple[str, int, bytes]]] = {}
        self.asked: list[tuple[str, list[str]]] = []
        self.status, self.words, self.refused, self.drops, self.problems = 0, b"", "", 0, []
        self.orders: list = []
        self.since: float | None = None  # seconds from now, when the recorder began
        self.on_asked = lambda node: None
        engine.probe_commands = self.commands

    def commands(self, order):
        node = order.labels[LABEL_PROBED]
        self.orders.append(order)

        def run(command) -> Execution:
            self.asked.append((node, list(command[2:])))
            self.on_asked(node)
            if self.refused:
                return Execution([Line(json.dumps({"refused": self.refused}).encode() + b"\n", stderr=True)], 2)
            if self.status or self.words:
                return Execution([Line(self.words, stderr=True)], self.status)
            now = time.time_ns()
            out = io.BytesIO()
            writer = Writer(out)
            wanted = float(command[command.index("--last") + 1]) * 1e9 if "--last" in command else now
            for tap, ago, data in self.packets.get(node, []):
                if ago > wanted:
                    continue
                number = writer.interface(f"eth0:{tap}", RAW if tap == "sent" else ETHERNET)
                writer.packet(number, now - ago, data)
            state = {
                "now_ns": now,
                "begin_ns": 0,
                "since_ns": 0 if self.since is None else now + int(self.since * 1e9),
                "live": False,
                "ended": True,
                "drops": self.drops,
                "interfaces": {"2": "eth0"},
                "problems": self.problems,
            }
            writer.packet(writer.interface("recorder:state", USER), now, json.dumps(state).encode())
            return Execution([Line(out.getvalue())])

        return run


@pytest.fixture
def lab(engine):
    engine.add("lab", "alice", role="chat", addresses={"ab": (ALICE,)})
    engine.add("lab", "bob", role="chat", addresses={"ab": (BOB,)})
    engine.add("lab", "web", role="http", addresses={"w": (WEB,)}, gateways=("10.77.1.1",))
    engine.add("lab", "off", role="udp", addresses={"ab": ("10.77.0.8",)}, state="exited")
    return lambda: find(engine, "lab")


@pytest.fixture
def fakes(engine):
    return Recorders(engine)


def refused(code, word, act, *args, **options):
    with pytest.raises(LabError) as found:
        act(*args, **options)
    assert found.value.code == code, found.value.message
    assert word in found.value.message


def arp(asking, asked, *, operation=1, target=b"\xff" * 6):
    ends = [bytes(6) + bytes(map(int, address.split("."))) for address in (asking, asked)]
    head = target + bytes(6) + b"\x08\x06"
    return head + struct.pack(">HHBBH", 1, 0x0800, 6, 4, operation) + ends[0] + ends[1]


def test_first_ladder_starts_recorders(engine, lab, fakes):
    nodes = ladder.ends(lab(), "alice", "bob")
    refused("not-recorded", "alice and bob until now", ladder.drawn, engine, lab(), nodes, 30, Options())
    assert sorted(probes.all_of(engine, "lab", probes.CAPTURE)) == ["alice", "bob"]
    data = tcp(ALICE, 1, BOB, 2, 7, 8, ACK | PSH, b"hello")
    fakes.packets = {"alice": [("out", 2000, ETHER + data)], "bob": [("in", 1000, ETHER + data)]}
    found = ladder.drawn(engine, lab(), nodes, 30, Options())
    assert [(arrow.fate, arrow.rightwards, arrow.latency_ns is not None) for arrow in found.arrows] == [
        ("delivered", True, True)
    ]
    assert fakes.asked[-1] == ("bob", ["--last", "30.000000000"])


def test_what_a_recorder_can_not_do_is_a_note(engine, lab, fakes):
    fakes.problems = ["what is sent on links with faults can't be recorded here: no"]
    fakes.packets = {"alice": [("left", 2000, ETHER + udp(ALICE, 1, BOB, 2, b"x"))]}
    capture.start(engine, lab(), lab().nodes[:2])
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
    refused("recorder-gone", told, capture.start, engine, lab(), [lab().node("alice")])


def test_a_filter_that_is_none(engine, lab, fakes):
    capture.start(engine, lab(), [lab().node("alice")])
    fakes.refused = "syntax error"
    where = recording.place(lab(), ["alice"], "tcp prt 7")
    refused("bad-filter", "'tcp prt 7' is none: syntax error", seen, engine, lab, where)


def test_paused_recorders(engine, lab, fakes):
    capture.start(engine, lab(), lab().nodes[:2])
    held = probes.all_of(engine, "lab", probes.CAPTURE)["alice"]
    engine.change("pause", held.id)
    assert sorted(capture.recorders(engine, lab())) == ["bob"]
    refused("recorder-gone", "is paused", ladder.recorders_now, engine, lab(), [lab().node("alice")])
    ladder.recorders_now(engine, lab(), [lab().node("bob"), lab().node("web")])
    assert held.id in {probe.id for probe in probes.all_of(engine, "lab", probes.CAPTURE).values()}
    assert capture.stop(engine, lab(), lab().nodes) == ["alice", "bob", "web"]
    assert probes.all_of(engine, "lab", probes.CAPTURE) == {}
    assert capture.stop(engine, lab(), lab().nodes) == []


def test_recorders_of_what_a_node_was_before(engine, lab, fakes):
    capture.start(engine, lab(), [lab().node("alice")])
    assert sorted(capture.recorders(engine, lab())) == ["alice"]
    engine.change("restart", lab().node("alice").container.id)
    assert capture.recorders(engine, lab()) == {}, "its network namespace is another one"
    capture.start(engine, lab(), [lab().node("alice")])
    assert sorted(capture.recorders(engine, lab())) == ["alice"]
    engine.images[PROBE_IMAGE] = Image("new", {LABEL_SOURCE: "newer"})
    assert capture.recorders(engine, lab()) == {}, "labctl is a newer one"


@pytest.mark.parametrize("limit", [record.USUAL, record.HOLD])
@pytest.mark.parametrize("verbs", [["restart"], ["stop", "start"], ["kill", "start"]])
def test_a_recorded_node_that_starts_again_waits_for_its_recorder(engine, lab, fakes, verbs, limit):
    """Also where a labctl that was killed has left it waiting."""
    alice = engine._get(lab().node("alice").container.id)
    alice.processes = limit
    capture.start(engine, lab(), [lab().node("alice")])
    seen: list = []

    def asked(node):
        seen.append((node, alice.processes, fakes.orders[-1].environment.get("LABCTL_SIGN")))
        event(alice, "ready")

    fakes.on_asked = asked
    for verb in verbs:
        change(engine, lab(), verb, "alice", timeout=5)
    assert seen[0] == ("alice", record.HOLD, "1")
    assert alice.processes == record.USUAL
    assert sorted(capture.recorders(engine, lab())) == ["alice"]


def test_a_node_that_was_not_recorded_starts_as_it_did(engine, lab, fakes):
    web = engine._get(lab().node("web").container.id)
    web.processes = 7
    refused("not-ready", "web", change, engine, lab(), "restart", "web", timeout=0)
    assert (web.processes, fakes.orders) == (7, [])


def test_a_node_whose_recorder_fails_waits_no_more(engine, lab, fakes):
    alice = engine._get(lab().node("alice").container.id)
    alice.processes = record.USUAL
    capture.start(engine, lab(), [lab().node("alice")])
    fakes.status = 3
    refused("recorder-gone", "did not answer", change, engine, lab(), "restart", "alice", timeout=5)
    assert alice.processes == record.USUAL


def test_places(engine, lab):
    place = recording.place
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
    with recording.Capture(engine, lab(), where, last=last, seconds=0) as found:
        return list(found), found.summary


def test_what_was_recorded_in_order_and_as_a_file(engine, lab, fakes):
    data = udp(ALICE, 1, BOB, 2, b"x")
    fakes.packets = {
        "alice": [("sent", 9_000_000, data), ("left", 3_000_000, ETHER + data)],
        "bob": [("in", 1_000_000, ETHER + data)],
    }
    fakes.drops = 4
    where = recording.place(lab(), ["bob", "alice"])
    found, summary = seen(engine, lab, where)
    assert [(one.packet.node, one.tap) for one in found] == [("alice", "sent"), ("alice", "left"), ("bob", "in")]
    assert (summary.packets, summary.drops) == (3, {"alice": 4, "bob": 4})
    out = io.BytesIO()
    file = recording.File(out, where.nodes)
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
    where = recording.place(lab(), ["alice"])
    with recording.Capture(engine, lab(), where, last=30, seconds=0) as found:
        given = [one.packet.ts_ns for _, one in zip(range(4), found, strict=False)]
        given += [one.packet.ts_ns for one in found.rest()]
    assert len(given) == len(set(given)) == found.summary.packets == 9
    assert given == sorted(given)


def test_the_newest_packet_is_looked_for_further_and_further_back(engine, lab, fakes):
    capture.start(engine, lab(), [lab().node("alice")])
    data = ETHER + udp(ALICE, 1, BOB, 2, b"x")
    fakes.packets = {"alice": [("out", 300_000_000_000, data), ("out", 2_000_000, data)]}
    fakes.asked.clear()
    assert time.time_ns() - recording.newest(engine, lab(), 1).ts_ns < 10_000_000_000
    assert len(fakes.asked) == 1
    assert recording.newest(engine, lab(), 2).ts_ns < time.time_ns() - 299_000_000_000
    refused("no-such-packet", "it has 2", recording.newest, engine, lab(), 3)


@pytest.mark.parametrize(("since", "said"), [(-20, []), (-5, ["alice"])])
def test_what_was_not_recorded_yet_is_said(engine, lab, fakes, since, said):
    fakes.since = since
    assert list(seen(engine, lab, recording.place(lab(), ["alice"]), last=10)[1].since_ns) == said


def test_files_name_the_interfaces_of_a_node_on_several_networks(engine, lab):
    """Always the same names, whichever speaks first."""
    engine.add("lab", "router", role="router", addresses={"a": ("10.1.0.1",), "b": ("10.2.0.1",)})
    out = io.BytesIO()
    file = recording.File(out, [lab().node("router"), lab().node("alice")])
    for node, device in (("router", "eth1"), ("router", "eth0"), ("alice", "eth0"), ("router", "eth1")):
        record = Record(1, ETHER + udp(ALICE, 1, BOB, 2, b"x"), 40, Interface(0, f"{device}:in", ETHERNET))
        file.add(Seen(decode(record, 0, node), "in"))
    file.finish(recording.Summary())
    out.seek(0)
    assert [item.interface.name for item in read(out)] == ["router eth1", "router eth0", "alice", "router eth1"]


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


def test_a_node_on_the_machines_own_network_is_left_alone(engine, lab, fakes):
    engine.add("lab", "dashboard", addresses={"host": ()}, host_network=True)
    refused("host-namespace", "network_mode: host", capture.start, engine, lab(), [lab().node("dashboard")])
    refused("host-namespace", "this machine's", recording.place, lab(), ["dashboard"])
    assert "dashboard" not in [node.name for node in recording.place(lab(), []).nodes]
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
    capture.start(engine, lab(), [alice])
    found = [one for one in engine.containers() if one.labels.get(LABEL_PROBED) == "alice"]
    assert [(one.name, one.state) for one in found] == [("lab-alice-capture", "running")]


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


def test_nodes_that_wait_to_be_recorded(engine, lab, fakes):
    ours = {"healthcheck": {"disable": True}, "pids_limit": 64}
    config = {"services": {"alice": ours, "bob": ours | {"pids_limit": 63}, "web": {"image": "somebody/else"}}}
    assert record.can_wait(config)
    assert not record.can_wait({"services": {**config["services"], "x": {"depends_on": {"alice": {}}}}})
    assert not record.can_wait({"services": {str(n): ours for n in range(record.MOST + 1)}})
    held = record.waiting(config, [node.container for node in lab().nodes])
    assert [item.labels[COMPOSE_SERVICE] for item in held] == ["alice"], "bob waits for his links' conditions"
    record.hold(engine, held)
    limit = lambda: engine._get(held[0].id).processes  # noqa: E731
    assert limit() == record.HOLD
    record.record(engine, lab(), held)
    assert limit() == record.USUAL
    assert sorted(capture.recorders(engine, lab())) == ["alice", "bob", "web"]
    before = {probe.id for probe in probes.all_of(engine, "lab", probes.CAPTURE).values()}
    record.record(engine, lab())
    assert {probe.id for probe in probes.all_of(engine, "lab", probes.CAPTURE).values()} == before


def test_nobody_waits_for_good(engine, lab, fakes):
    """Also where a recorder fails, the next start of a node isn't held up."""
    alice = lab().node("alice").container
    record.hold(engine, [alice])
    fakes.status = 3
    refused("recorder-gone", "did not answer", record.record, engine, lab(), [alice])
    assert engine._get(alice.id).processes == record.USUAL
