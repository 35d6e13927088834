"""A run as one file: what is saved is what is read, and what is drawn of it is what was drawn of the lab."""

import base64
import json
from dataclasses import replace
from zipfile import ZipFile

import pytest
from saved_runs import ALICE, BOB, lossy, run_of, tapped
from traffic import Wire, ip, udp

from labctl.bundle import bare, file, looks
from labctl.bundle.model import Mark
from labctl.bundle.page import document
from labctl.errors import LabError
from labctl.packets.crossings import Side
from labctl.packets.ladder.ladder import Options, two_sided
from labctl.packets.matching import taps
from labctl.packets.model import Interface, Record
from labctl.packets.protocols.link import RAW
from labctl.render.ladder.document import document as ladder_document

ALL = Options(None, True, 0)


@pytest.fixture
def saved(tmp_path):
    """A run, and the same after it was in a file."""
    path = tmp_path / "run.labrun"
    file.write(run_of(), path)
    return run_of(), file.read(path)


def test_what_is_read_is_what_was_saved(saved):
    before, after = saved
    for name in ("events", "faults", "inputs", "sockets", "picture", "compose", "notes", "versions", "saved", "since"):
        kept = getattr(before, name)
        if name == "faults":
            kept = tuple(replace(one, answers=False) for one in kept)
        assert getattr(after, name) == kept, name
    assert after.recordings == before.recordings
    nodes = [(node.name, node.role, node.addresses, node.container.state) for node in after.lab.nodes]
    assert nodes == [(node.name, node.role, node.addresses, node.container.state) for node in before.lab.nodes]


def test_of_several_machines_whose_clock_is_whose_is_saved(tmp_path):
    run = run_of()
    apart = {"alice": ("a", 300_000), "bob": ("b", 500_000)}
    sides = [
        replace(side, clock=machine, clock_error_ns=error)
        for side in run.sides
        for machine, error in [apart[side.node]]
    ]
    nodes = [node._replace(container=node.container._replace(machine=apart[node.name][0])) for node in run.lab.nodes]
    drawn = [replace(node, machine=apart[node.name][0]) for node in run.picture.nodes]
    lab, picture = run.lab.with_nodes(nodes), replace(run.picture, nodes=tuple(drawn))
    path = tmp_path / "run.labrun"
    file.write(replace(run, sides=tuple(sides), lab=lab, picture=picture), path)
    found = file.read(path)
    assert {node.name: node.container.machine for node in found.lab.nodes} == {"alice": "a", "bob": "b"}
    assert [node.machine for node in found.picture.nodes] == ["a", "b"]
    assert looks.ladder(found, "alice", "bob", ALL).clock_error_ns == 800_000
    assert [node.get("machine") for node in document(found)["topology"]["nodes"]] == ["a", "b"]


def test_the_ladder_is_the_same(saved):
    before, after = saved
    found = [ladder_document(looks.ladder(run, "alice", "bob", ALL)) for run in saved]
    assert found[0] == found[1]
    marks = [mark["word"] for arrow in found[1]["arrows"] for mark in arrow["marks"]]
    assert any("lost" in mark for mark in marks)
    assert any("retransmission" in mark for mark in marks)
    assert before.sides[0].sent[0].record.interface.name == after.sides[0].sent[0].record.interface.name == "eth0:out"


def test_an_xray_has_the_calls(saved):
    found = looks.xray(saved[1], "alice", "bob", ALL)
    assert [event.get("call") for event in found.events] == ["send"]
    assert "A note." in found.notes


def test_what_was_typed_follows_what_was_seen(saved):
    first, second = saved[1].inputs
    assert (first.node, first.text, first.followed) == ("alice", "hello", (Mark("bob", "ready"),))
    assert (second.node, second.text, second.to, second.to_node) == ("bob", "bye", f"{ALICE}:40022", "alice")
    assert Mark("bob", "message", "hello", 1) in second.followed
    assert Mark("alice", "input", "hello", 1) in second.followed


def test_last_counts_from_when_it_was_saved(saved):
    run = saved[1]
    assert len(looks.ladder(run, "alice", "bob", ALL, 1.0).arrows) == len(looks.ladder(run, "alice", "bob", ALL).arrows)
    late = looks.ladder(run, "alice", "bob", ALL, 0.9).arrows  # 100 ms after the beginning
    assert late
    assert all(arrow.at_ns >= looks.end_ns(run) - 900_000_000 for arrow in late)
    assert looks.journal(run, ["bob"], tail=1)[0].name == "input"
    assert [event.node for event in looks.journal(run, ["alice"])] == ["alice", "alice"]


def test_a_node_without_packets_is_named(saved):
    run = replace(saved[1], sides=saved[1].sides[:1])
    with pytest.raises(LabError) as found:
        looks.ladder(run, "alice", "bob", ALL)
    assert (found.value.code, found.value.message) == ("not-in-run", "the run has no packets of bob")


def test_packets_are_numbered_as_on_the_page(saved):
    packets, shown = looks.seen(saved[1]), document(saved[1])
    assert [packet.index + 1 for packet in packets] == [one["number"] for one in shown["packets"]]
    assert (shown["lab"], len(shown["events"]), shown["notes"]) == ("hello", 5, ["A note."])
    lost, again = (one for one in shown["packets"] if one["text"] == "hello\n")
    assert again["retransmits"] == lost["number"]
    assert looks.packet(saved[1], -1) == packets[-1]
    with pytest.raises(LabError, match="has no packet 99"):
        looks.packet(saved[1], 99)


def test_the_file_is_a_zip_that_others_read(tmp_path):
    path = tmp_path / "run.labrun"
    file.write(run_of(), path)
    with ZipFile(path) as archive:
        assert archive.testzip() is None
        manifest = json.loads(archive.read("manifest.json"))
        lines = archive.read("journal.jsonl").decode().splitlines()
    assert (manifest["format"], manifest["schema_version"], manifest["lab"]) == ("labctl-run", 1, "hello")
    assert json.loads(lines[1])["event"] == "input"


def test_nothing_of_the_machine_is_saved(tmp_path):
    path = tmp_path / "run.labrun"
    file.write(run_of(), path)
    with ZipFile(path) as archive:
        text = b"".join(archive.read(name) for name in archive.namelist())
    assert b"somebodys-machine" not in text
    assert str(tmp_path).encode() not in text


SECRETS = (b"hello", b"bye", b"Ynll")


def test_without_payload_no_word_of_it_is_there(tmp_path):
    path = tmp_path / "run.labrun"
    file.write(bare.without_payload(run_of()), path)
    with ZipFile(path) as archive:
        for name in archive.namelist():
            content = archive.read(name)
            if name in ("topology.json", "compose.yaml", "manifest.json"):  # where it is the lab's name
                content = content.replace(b'"lab": "hello"', b"").replace(b'"name": "hello"', b"")
                content = content.replace(b'"dev.labctl.lab": "hello"', b"").replace(b"hello_lab", b"")
            assert not [word for word in SECRETS if word in content], name
    run = file.read(path)
    assert not run.payload
    assert run.inputs[0].text is None
    drawn = looks.ladder(run, "alice", "bob", ALL)
    whole = looks.ladder(run_of(), "alice", "bob", ALL)
    assert [(a.fate, a.label.head, a.segment.length) for a in drawn.arrows] == [
        (a.fate, a.label.head, a.segment.length) for a in whole.arrows
    ]
    for one in (run, bare.without_payload(run_of())):  # from the file, and as a page of the lab itself
        for packet in document(one)["packets"]:
            text = json.dumps(packet).encode() + base64.b64decode(packet["bytes"])
            assert not [word for word in SECRETS if word in text], packet
            assert [layer[0] for layer in packet["layers"]], "headers are there"


def test_an_error_quotes_no_payload(tmp_path):
    """What ICMP sends back has the beginning of what it is about in it."""
    wire = Wire()
    sent = udp(ALICE, 5000, BOB, 7, b"a secret that is long enough to be quoted")
    wire.send(sent)
    wire.send(ip(BOB, ALICE, 1, bytes([3, 3, 0, 0, 0, 0, 0, 0]) + sent))
    sides = tuple(map(tapped, wire.sides()))
    run = replace(run_of(), sides=sides, events=(), inputs=(), recordings={})
    path = tmp_path / "run.labrun"
    file.write(bare.without_payload(run), path)
    with ZipFile(path) as archive:
        assert b"secret" not in archive.read("packets.pcapng")
    arrows = looks.ladder(file.read(path), "alice", "bob", ALL).arrows
    assert [arrow.label.head for arrow in arrows] == [
        arrow.label.head for arrow in looks.ladder(run, "alice", "bob", ALL).arrows
    ]


def test_pieces_of_a_datagram_are_judged_together_again(tmp_path):
    """A fault sees a datagram before the kernel cuts it up."""
    data = udp(ALICE, 5000, BOB, 7, bytes(3000))
    wire = lossy(b"x")
    logged = [Record(wire.sides()[0].sent[0].ts_ns, data, len(data), Interface(0, "eth0:sent", RAW))]
    alice = taps.side("alice", logged, addresses=(ALICE,))
    assert len(alice.sent) == 3
    run = replace(run_of(), sides=(alice, Side("bob", [], [], (BOB,))), events=(), recordings={})
    path = tmp_path / "run.labrun"
    file.write(run, path)
    again = file.read(path).sides[0].sent
    wholes = [packet.record.piece_of for packet in again]
    assert [len(one.data) for one in wholes if one] == [len(data)] * 3
    assert len({id(one) for one in wholes}) == 1
    drawn = [two_sided(*one.sides, [], ALL) for one in (run, file.read(path))]
    assert ladder_document(drawn[0]) == ladder_document(drawn[1])
