"""What a program sees of a lab of the in-memory engine: ladders, traces, captures; and where nothing was recorded."""

import io
import xml.etree.ElementTree as ET

import pytest
from recorder_fakes import ALICE, BOB, ETHER
from traffic import tcp, udp

import labctl
from labctl.api.results.drawn import Ladder
from labctl.engine.model import LABEL_SOURCE, PROBE_IMAGE, Image
from labctl.errors import BadFilter, CaptureError, FileError, InvalidArgument, NodeNotFound, NotRecorded
from labctl.lab import probes
from labctl.packets.files.capture import read
from labctl.packets.model import ACK, PSH, RST, SYN
from labctl.topology import shipped
from labctl.topology.digest import digest

HELLO = tcp(ALICE, 1, BOB, 2, 7, 8, ACK | PSH, b"hello")


@pytest.fixture
def seen(engine, lab, fakes) -> labctl.Lab:
    source = digest(shipped.root() / "services")
    engine.images[PROBE_IMAGE] = Image("probe", {LABEL_SOURCE: source})
    lab()
    return labctl.find("lab", engine=engine)


def cross(fakes, ago=2_000_000, data=HELLO):
    fakes.packets.setdefault("alice", []).append(("out", ago, ETHER + data))
    fakes.packets.setdefault("bob", []).append(("in", ago - 1_000_000, ETHER + data))


def recorders(engine) -> list[str]:
    return sorted(probes.all_of(engine, "lab", probes.CAPTURE))


def test_who_looks_begins_nothing(engine, seen, fakes):
    for look in (seen.ladder, seen.xray):
        with pytest.raises(NotRecorded, match="nothing is recorded at alice and bob") as problem:
            look("alice", "bob")
        assert problem.value.code == "no-recording"
    with pytest.raises(NotRecorded):
        seen.capture("alice", last=10)
    assert recorders(engine) == []


def test_what_was_recorded_is_drawn_as_text_svg_mermaid_and_data(engine, seen, fakes):
    assert seen.record("alice", "bob") == ("alice", "bob")
    assert seen.record("alice", "bob") == ()
    cross(fakes)
    found = seen.ladder("alice", "bob", last="30s")
    assert (found.left, found.right) == ("alice", "bob")
    [arrow] = found.rows
    assert (arrow.fate, arrow.label.text, arrow.latency_ns is not None) == ("delivered", "hello", True)
    text = found.text(columns=80)
    assert '"hello"' in text
    assert max(map(len, text.splitlines())) <= 80
    assert str(found) == found.text(columns=100) != text
    assert ET.fromstring(found.svg()).tag == "{http://www.w3.org/2000/svg}svg"
    assert found.mermaid().startswith("sequenceDiagram")
    assert found.as_json()["arrows"][0]["from"] == "alice"
    assert found.notes == ()
    assert seen.forget() == ("alice", "bob")
    assert recorders(engine) == []


def test_a_port_and_a_limit_choose(seen, fakes):
    seen.record()
    cross(fakes)
    cross(fakes, 1_500_000, tcp(ALICE, 5, BOB, 6, 7, 8, ACK | PSH, b"other"))
    assert [arrow.label.text for arrow in seen.ladder("alice", "bob", port=6).arrows] == ["other"]
    cut = seen.ladder("alice", "bob", limit=1)
    assert (len(cut.arrows), cut.drawn.cut) == (1, 1)


def test_a_trace_tells_what_its_block_caused(engine, seen, fakes):
    with seen.trace() as trace:
        with pytest.raises(RuntimeError, match="when its block has ended"):
            trace.ladder("alice", "bob")
        cross(fakes, 2_000_000_000)
    assert [(one.left, one.right) for one in trace.ladders] == [("alice", "bob")]
    assert (trace.quiet, trace.packets, trace.remark, trace.aside) == (True, 2, "", "")
    found = trace.ladder("bob", "alice")
    assert isinstance(found, Ladder)
    assert [arrow.rightwards for arrow in found.arrows] == [False]
    assert trace.ladder("alice", "web").rows == ()
    assert trace.as_json()["ladders"][0]["left"]["node"] == "alice"
    with pytest.raises(NodeNotFound, match="did you mean alice"):
        trace.ladder("alise", "bob")
    with pytest.raises(InvalidArgument, match="no link to itself"):
        trace.ladder("bob", "bob")


def test_a_trace_whose_block_fails_hides_no_error(seen):
    with pytest.raises(ZeroDivisionError), seen.trace("alice") as trace:
        raise ZeroDivisionError
    with pytest.raises(RuntimeError):
        trace.ladders  # noqa: B018


def test_a_capture_is_pcapng(seen, fakes, tmp_path):
    seen.record()
    cross(fakes, data=udp(ALICE, 1, BOB, 2, b"x"))
    fakes.drops = 3
    found = seen.capture("alice", "bob", last=30)
    assert (found.packets, found.drops) == (2, {"alice": 3, "bob": 3})
    assert "the kernel could not hand over 3 packets at alice: they are missing here" in found.remarks
    names = [record.interface.name for record in read(io.BytesIO(found.pcapng))]
    assert names == ["alice", "bob"]
    file = tmp_path / "c.pcapng"
    written = seen.capture("alice", "bob", last=30, file=file)
    assert (written.packets, written.pcapng) == (2, b"")
    with file.open("rb") as stream:
        assert [record.interface.name for record in read(stream)] == names


def test_a_capture_is_told_how_long_it_is(seen, fakes):
    with pytest.raises(InvalidArgument, match="give last, seconds or until"):
        seen.capture()
    with pytest.raises(InvalidArgument, match="'soon' is no time"):
        seen.capture(last="soon")


def test_a_capture_that_can_not_begin_leaves_an_older_file_as_it_was(seen, fakes, tmp_path):
    file = tmp_path / "c.pcapng"
    file.write_bytes(b"older")
    with pytest.raises(NotRecorded):
        seen.capture("alice", last=30, file=file)
    assert file.read_bytes() == b"older"
    with pytest.raises(NotRecorded):
        seen.capture("alice", last=30, file=tmp_path / "new")
    assert not (tmp_path / "new").exists()
    with pytest.raises(FileError):
        seen.capture("alice", last=30, file=tmp_path / "no" / "folder")


def test_packets_come_one_by_one_in_order_of_time(engine, seen, fakes):
    cross(fakes)
    cross(fakes, 1_500_000, udp(ALICE, 1, BOB, 2, b"later"))
    with seen.packets("alice:bob", last=30, seconds=0) as capture:
        found = [(one.packet.record.ts_ns, one.packet.protocol) for one in capture]
    assert found == sorted(found)
    assert sorted(protocol for _, protocol in found) == ["tcp", "tcp", "udp", "udp"]
    assert recorders(engine) == ["alice", "bob"], "it begins recording"
    with pytest.raises(NodeNotFound):
        seen.packets("alcie")
    with pytest.raises(InvalidArgument):
        seen.packets("alice", last="soon")


def test_the_newest_packet(seen, fakes):
    with pytest.raises(NotRecorded):
        seen.newest_packet()
    seen.record()
    cross(fakes)
    cross(fakes, 1_500_000, udp(ALICE, 1, BOB, 2, b"later"))
    assert (seen.newest_packet().protocol, seen.newest_packet(4).protocol) == ("udp", "tcp")
    with pytest.raises(CaptureError, match="it has 4"):
        seen.newest_packet(5)


def test_a_filter_is_judged_where_something_is_recorded(seen, fakes):
    seen.check_filter("frob")
    seen.record()
    seen.check_filter("udp")
    fakes.refused = "syntax error in filter expression"
    with pytest.raises(BadFilter, match="syntax error"):
        seen.check_filter("frob", "alice")


def test_a_capture_that_nobody_has_begun(seen):
    with pytest.raises(RuntimeError, match="`with` begins it"):
        next(iter(seen.packets("alice")))


def test_what_was_on_the_wire_is_counted(seen, fakes):
    seen.record()
    cross(fakes, 9_000_000, tcp(ALICE, 1, BOB, 2, 6, 0, SYN))
    cross(fakes, 8_000_000)
    cross(fakes, 7_000_000, tcp(BOB, 2, ALICE, 1, 8, 12, RST))
    cross(fakes, 6_000_000, udp(ALICE, 1, BOB, 2, b"x", id=9))
    fakes.packets["bob"].append(("in", 4_000_000, ETHER + udp(ALICE, 1, BOB, 2, b"x", id=9)))
    wire = seen.wire("alice", "bob")
    assert (wire.datagrams, wire.duplicates, wire.lost, wire.corrupted) == (1, 1, 0, 0)
    assert (wire.retransmissions, wire.reordered, wire.handshakes, wire.resets) == (0, 0, 0, 1)
    assert len(wire.ladders) == 1


def test_a_trace_that_waits_and_what_it_remarks(seen, fakes):
    with seen.trace("alice", "bob") as trace:
        cross(fakes, 0)
    assert trace.patience >= 0
    assert (trace.packets >= 0, isinstance(trace.quiet, bool), isinstance(trace.remark, str)) == (True, True, True)
    assert [(one.left, one.right) for one in trace.packets_only] == [(one.left, one.right) for one in trace.ladders]


def test_system_calls_that_nobody_records(seen):
    with pytest.raises(NotRecorded, match="nothing is recorded at alice"):
        seen.node("alice").syscalls()
