"""Ladders of capture files: one, and two that were taken at both ends by clocks that don't agree."""

import io
import json
import struct
import subprocess

import pytest
from test_packet_command import LABCTL, labctl
from traffic import BEGIN, Peer, Wire, connected, icmp, tcp, udp

from labctl.lab.recording import ladder_files
from labctl.packets.files.write import Writer
from labctl.packets.matching.two_files import aligned
from labctl.packets.model import ACK, PSH, SYN
from labctl.packets.protocols.link import RAW

pytestmark = pytest.mark.turn(2)  # most run labctl as a process of its own

A, B, C = "10.77.0.11", "10.77.0.12", "10.77.0.13"
AHEAD = 3_725_000_000_123  # ns: bob's clock, by which an hour is gone


def written(path, packets, ahead=0):
    """A file with what one observer saw: (ns since the beginning, bytes)."""
    out = io.BytesIO()
    writer = Writer(out)
    number = writer.interface("eth0", RAW)
    for at, data in sorted(packets, key=lambda item: item[0]):
        writer.packet(number, BEGIN + at + ahead, data)
    path.write_bytes(out.getvalue())
    return str(path)


def seen_at(wire, node):
    return [*wire.sent.get(node, []), *wire.arrived.get(node, [])]


def talk():
    wire, alice, bob = connected()
    alice.say(b"lost", lost=True)
    alice.say(b"there")
    bob.confirm(1001)
    wire.wait(250)
    alice.say(b"lost", seq=1001)
    bob.confirm(alice.seq)
    return wire


@pytest.fixture
def files(tmp_path):
    wire = talk()
    return (
        written(tmp_path / "alice.pcapng", seen_at(wire, "alice")),
        written(tmp_path / "bob.pcapng", seen_at(wire, "bob"), AHEAD),
    )


def document(*args):
    code, out, err = labctl("ladder", *args, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)


def test_both_ends_are_put_on_one_clock(files):
    code, out, err = labctl("ladder", *files)
    assert (code, err) == (0, "")
    ahead = f"The clock of {files[1]} is 3725 s ({AHEAD} ns) ahead of that of {files[0]}"
    assert "".join(ahead.split()) in "".join(out.split())  # a long name is cut where the line ends
    assert "! lost" in out
    assert "retransmission by timeout" in out
    found = document(*files)
    assert [arrow["fate"] for arrow in found["arrows"]] == ["delivered"] * 3 + ["lost"] + ["delivered"] * 4
    assert {arrow["latency_ns"] for arrow in found["arrows"]} == {120_000, None}
    assert [found[side]["node"] for side in ("left", "right")] == [A, B]


def test_the_other_way_round_the_other_end_is_on_the_left(files):
    found = document(files[1], files[0])
    assert [found[side]["node"] for side in ("left", "right")] == [B, A]
    assert [arrow["fate"] for arrow in found["arrows"]] == ["delivered"] * 3 + ["lost"] + ["delivered"] * 4
    assert "behind that of" in found["notes"][0]


def test_behind_a_router_that_translates_both_ends_are_found(tmp_path):
    outside = "192.0.2.1"
    here, there = [], []
    for number, (ends, numbers, flags, data) in enumerate(
        [
            ((A, 5000, B, 80), (10, 0), SYN, b""),
            ((B, 80, A, 5000), (90, 11), SYN | ACK, b""),
            ((A, 5000, B, 80), (11, 91), PSH | ACK, b"hello"),
            ((B, 80, A, 5000), (91, 16), PSH | ACK, b"world"),
        ]
    ):
        forth = ends[0] == A
        packet = {"id": number + 7}
        mine = tcp(*ends, *numbers, flags, data, ttl=64 if forth else 63, **packet)
        far = (outside, 61000, B, 80) if forth else (B, 80, outside, 61000)
        other = tcp(*far, *numbers, flags, data, ttl=63 if forth else 64, **packet)
        here.append((number * 1_000_000 + (0 if forth else 200_000), mine))
        there.append((number * 1_000_000 + (200_000 if forth else 0), other))
    files = written(tmp_path / "a.pcap", here), written(tmp_path / "b.pcap", there, -AHEAD)
    for more in ((), ("--flow", "1")):
        found = document(*files, *more)
        assert [arrow["fate"] for arrow in found["arrows"]] == ["delivered"] * 4
        assert {arrow["latency_ns"] for arrow in found["arrows"]} == {200_000}
        assert found["right"]["node"] == B


def test_what_goes_one_way_tells_the_way_with_the_clock(tmp_path):
    wire = Wire()
    for number in range(5):
        wire.send(udp(A, 5005, B, 5005, b"train %d" % number, id=wire.id()), late=number * 1000)
    files = written(tmp_path / "a.pcap", seen_at(wire, "alice")), written(tmp_path / "b.pcap", seen_at(wire, "bob"))
    found = document(*files)
    assert "All of these went one way" in found["notes"][0]
    assert [found[side]["node"] for side in ("left", "right")] == [A, B]
    assert [arrow["latency_ns"] for arrow in found["arrows"]] == [0, 1000, 2000, 3000, 4000]


def test_files_that_have_nothing_in_common(tmp_path):
    one = written(tmp_path / "a.pcap", [(0, udp(A, 1, B, 2, b"one thing"))])
    other = written(tmp_path / "b.pcap", [(0, udp(A, 1, B, 2, b"another one"))])
    code, out, err = labctl("ladder", one, other)
    assert (code, out) == (1, "")
    assert err.startswith(f"labctl: {one} and {other} have no packet in common")


def test_packets_that_look_alike_tell_nothing_of_clocks():
    wire = Wire()
    for _ in range(4):
        wire.send(udp(A, 1, B, 2, b"the same", id=7))
    sides = wire.sides()
    assert aligned(sides[0].sent, sides[1].arrived) is None


def several():
    wire = talk()
    wire.send(udp(A, 5005, B, 5005, b"aside"))
    wire.send(udp(A, 5005, C, 53, b"to somebody else"))
    wire.send(icmp(B, A, 3, 3, bytes(4) + udp(A, 5005, B, 5005, b"aside")[:28]))
    return seen_at(wire, "alice")


def test_of_one_file_the_two_hosts_are_drawn_that_sent_each_other_most(tmp_path):
    file = written(tmp_path / "a.pcap", several())
    code, out, err = labctl("ladder", file)
    assert code == 0
    assert "drawn is what 10.77.0.11 and 10.77.0.12 sent each other; --flow N chooses among all" in err
    assert f"3 udp {A}:5005 > {C}:53 (1)" in err
    assert out.splitlines()[1].split() == [A, B]
    assert "lost" not in out.replace('"lost"', "")


@pytest.mark.parametrize(
    ("flow", "protocols"),
    [
        ("1", ["tcp"] * 8),
        (f"{A}:40022-{B}:80", ["tcp"] * 8),
        (f"{B}:80-{A}:40022", ["tcp"] * 8),
        ("2", ["udp", "icmp"]),
        (f"{C}:53", ["udp"]),
        (C, ["udp"]),
    ],
)
def test_a_conversation_is_chosen(tmp_path, flow, protocols):
    file = written(tmp_path / "a.pcap", several())
    found = document(file, "--flow", flow)
    assert [arrow["packet"]["protocol"] for arrow in found["arrows"]] == protocols


def test_a_conversation_of_two_files_is_chosen(tmp_path):
    wire = talk()
    wire.send(udp(A, 5005, B, 5005, b"aside"))
    names = [written(tmp_path / f"{node}.pcap", seen_at(wire, node)) for node in ("alice", "bob")]
    assert {arrow["packet"]["protocol"] for arrow in document(*names)["arrows"]} == {"tcp", "udp"}
    found = document(*names, "--flow", "2")
    assert [(arrow["number"], arrow["packet"]["protocol"]) for arrow in found["arrows"]] == [(1, "udp")]
    found = document(*names, "--flow", "1", "--limit", "2", "--no-ack")
    assert ([arrow["number"] for arrow in found["arrows"]], found["cut"], found["hidden_acks"]) == ([1, 2], 5, 1)


def test_a_conversation_that_is_not_there(files):
    code, out, err = labctl("ladder", files[0], "--flow", "7")
    assert (code, out) == (1, "")
    assert f"has no conversation 7; it has 1 tcp {A}:40022 > {B}:80 (8)" in err


def test_a_host_that_speaks_with_itself_has_two_ends(tmp_path):
    wire = Wire(names={A: "alice"})
    one, other = Peer(wire, A, 4000, A, 80), Peer(wire, A, 80, A, 4000, isn=900)
    one.syn()
    other.ack = one.seq
    other.syn(SYN | ACK)
    one.confirm(other.seq)
    found = document(written(tmp_path / "lo.pcap", wire.sent["alice"]))
    assert [found[side]["node"] for side in ("left", "right")] == [f"{A}:4000", f"{A}:80"]
    assert [arrow["from"] for arrow in found["arrows"]] == [f"{A}:4000", f"{A}:80", f"{A}:4000"]


def test_a_file_that_is_broken_is_drawn_as_far_as_it_goes(files):
    with open(files[0], "rb") as stream:
        data = stream.read()
    with open(files[0], "wb") as out:
        out.write(data[:-20])
    code, out, err = labctl("ladder", files[0])
    assert code == 1
    assert "SYN, ACK" in out
    assert "the capture ends inside a block" in err


def test_standard_input_and_formats(files):
    with open(files[0], "rb") as stream:
        data = stream.read()
    code, out, _ = labctl("ladder", "-", "--format", "mermaid", input=data)
    assert (code, out.startswith("sequenceDiagram")) == (0, True)
    code, out, _ = labctl("ladder", *files, "--format", "svg", "--no-ack")
    assert (code, out.startswith("<svg")) == (0, True)


@pytest.mark.parametrize(
    "args",
    [("alice",), ("-", "-"), ("a.pcap", "--follow"), ("a.pcap", "--last", "5m"), ("alice", "bob", "--flow", "1")],
)
def test_wrong_usage(args):
    assert labctl("ladder", *args)[0] == 2


def of_interfaces(path, packets, drops=0):
    """A file of several interfaces: (interface, ns since the beginning, bytes)."""
    out = io.BytesIO()
    writer = Writer(out)
    for name, at, data in sorted(packets, key=lambda item: item[1]):
        writer.packet(writer.interface(name, RAW), BEGIN + at, data)
    if drops:
        writer.drops(writer.interface(packets[0][0], RAW), BEGIN, drops)
    path.write_bytes(out.getvalue())
    return str(path)


def test_of_a_file_that_two_nodes_saw_the_view_of_one_is_drawn(tmp_path):
    wire = talk()
    seen = [(node, at, data) for node in ("alice", "bob") for at, data in seen_at(wire, node)]
    file = of_interfaces(tmp_path / "both.pcapng", seen)
    code, out, err = labctl("ladder", file, "--json")
    found = json.loads(out)
    assert (code, [arrow["packet"]["node"] for arrow in found["arrows"]]) == (0, ["alice"] * 8)
    assert f"1 tcp {A}:40022 > {B}:80 (8) at alice, 2 tcp {A}:40022 > {B}:80 (7) at bob" in err
    found = document(file, "--flow", "2")
    assert [arrow["packet"]["node"] for arrow in found["arrows"]] == ["bob"] * 7
    listed = json.loads(labctl("packet", file, "--json")[1])["packets"]
    notes = [(one["node"], note.split(",")[0]) for one in listed for note in one["notes"] if "retr" in note]
    assert notes == [("alice", "retransmission by timeout"), ("bob", "retransmission of what was not seen")]


def test_what_labctl_wrote_of_a_link_with_faults_counts_once(tmp_path):
    """What was sent before a fault, and what that let through, are two interfaces of a file."""
    wire = talk()
    here = [("alice before faults", at + 40_000, data) for at, data in wire.sent["alice"]]
    passed = [data for _, data in wire.arrived["bob"]]
    here += [("alice", at, data) for at, data in wire.sent["alice"] if data in passed]
    here += [("alice", at, data) for at, data in wire.arrived["alice"]]
    there = [("bob", at, data) for at, data in seen_at(wire, "bob")]
    found = document(of_interfaces(tmp_path / "a.pcapng", here), of_interfaces(tmp_path / "b.pcapng", there))
    assert [arrow["fate"] for arrow in found["arrows"]] == ["delivered"] * 3 + ["lost"] + ["delivered"] * 4
    assert {arrow["latency_ns"] for arrow in found["arrows"]} == {120_000, None}


def test_what_the_kernel_dropped_of_a_capture_is_not_lost(tmp_path):
    wire = talk()
    names = [
        of_interfaces(tmp_path / f"{node}.pcapng", [(node, *item) for item in seen_at(wire, node)], drops)
        for node, drops in (("alice", 0), ("bob", 3))
    ]
    found = document(*names)
    assert [arrow["fate"] for arrow in found["arrows"]] == ["delivered"] * 3 + ["unknown"] + ["delivered"] * 4
    assert "The kernel dropped 3 packets" in found["notes"][1]


def test_clocks_that_drift_lose_nothing(tmp_path):
    wire = talk()
    fast = [(at + at // 10, data) for at, data in seen_at(wire, "bob")]
    names = written(tmp_path / "a.pcap", seen_at(wire, "alice")), written(tmp_path / "b.pcap", fast)
    found = document(*names)
    assert sorted(arrow["fate"] for arrow in found["arrows"]) == ["delivered"] * 7 + ["lost"]
    assert found["notes"][1].startswith("Meanwhile the clocks moved by 24.9 ms")
    assert found["left"]["node"] == A
    assert not any(arrow["delayed_ns"] for arrow in found["arrows"])


def test_short_datagrams_without_an_id_are_known_by_their_text(tmp_path):
    wire = Wire()
    wire.send(udp(A, 5005, B, 7, b"hi"))
    wire.send(udp(B, 7, A, 5005, b"hi"))
    names = [written(tmp_path / f"{node}.pcap", seen_at(wire, node)) for node in ("alice", "bob")]
    assert [arrow["fate"] for arrow in document(*names)["arrows"]] == ["delivered"] * 2


def test_of_two_files_the_rest_is_told_and_can_be_chosen(tmp_path):
    wire = talk()
    wire.names |= {"fd00::11": "alice", "fd00::12": "bob"}
    for number in range(2):
        wire.send(udp("fd00::11", 5005, "fd00::12", 7, b"number %d of six" % number))
    names = [written(tmp_path / f"{node}.pcap", seen_at(wire, node)) for node in ("alice", "bob")]
    code, _, err = labctl("ladder", *names)
    assert code == 0
    assert f"drawn is what {A} and {B} sent each other; --flow N chooses among all" in err
    found = document(*names, "--flow", "2")
    assert [arrow["packet"]["protocol"] for arrow in found["arrows"]] == ["udp"] * 2


def test_a_script_that_waits_for_a_file_is_refused():
    assert labctl("ladder", "a.pcap", "--ready-fd", "1")[0] == 2


def test_which_end_is_whose_is_told_by_what_was_left_to_the_card(tmp_path):
    """Of what goes one way, between hosts whose clocks don't agree."""
    here, there = [], []
    for number in range(3):
        data = udp(A, 5005, B, 5005, b"number %d of six" % number, id=number + 1)
        for seen, at, finished in ((here, 0, False), (there, 120_000, True)):
            bare = data[:26] + pseudo_sum(data) + data[28:]
            seen.append((number * 1_000_000 + at, data if finished else bare))
    files = written(tmp_path / "a.pcap", here), written(tmp_path / "b.pcap", there, -AHEAD)
    found = document(*files)
    assert ([found[side]["node"] for side in ("left", "right")], "alone" in found["notes"][0]) == ([A, B], False)
    files = written(tmp_path / "c.pcap", there), files[1]
    assert "is told by the clocks alone" in document(*files)["notes"][0]


def pseudo_sum(data):
    """What a kernel leaves in the place of a datagram's checksum for the card to go on from."""
    words = struct.unpack(">8H", data[12:20] + struct.pack(">HHHH", 17, len(data) - 20, 0, 0))
    total = sum(words)
    return struct.pack(">H", (total & 0xFFFF) + (total >> 16))


def test_of_a_capture_that_is_too_large_the_beginning_is_shown(files, monkeypatch):
    """A packet is 16 bytes in a file, and hundreds here: of a small file all memory could be gone."""
    whole = len(ladder_files.packets_of(str(files[0])).packets)
    monkeypatch.setattr(ladder_files, "MOST", whole)
    assert ladder_files.packets_of(str(files[0])).problem is None
    monkeypatch.setattr(ladder_files, "MOST", whole - 1)
    found = ladder_files.packets_of(str(files[0]))
    assert len(found.packets) == whole - 1
    assert found.problem
    assert found.problem.code == "capture-large"


def test_a_conversation_by_any_number(files):
    assert labctl("ladder", files[0], "--flow", "0001") == labctl("ladder", files[0], "--flow", "1")
    for flow in ("9" * 5000, "²"):
        code, out, err = labctl("ladder", files[0], "--flow", flow)
        assert (code, out) == (1, "")
        assert "bug" not in err


def test_a_pattern_that_has_no_end():
    """A device: what is read of it is limited, and not only what is taken of it."""
    bounded = ["sh", "-c", 'ulimit -v 2000000; exec "$@"', "sh"]
    command = [*bounded, LABCTL, "expect", "/dev/zero", "--run", "none.labrun"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "more than 16 MiB" in done.stderr) == (1, True)
