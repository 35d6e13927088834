"""A run as one document."""

import base64
import json

from traffic import connected

from labctl.events.model import Event
from labctl.lab.drawing.picture import Attachment, DrawnNetwork, DrawnNode, Picture
from labctl.lab.faults.rules import Fault
from labctl.packets.ladder.ladder import two_sided
from labctl.render.packets.layers import document as layers
from labctl.render.runs import document as run
from labctl.render.runs.shapes import Shapes

PICTURE = Picture(
    "hello",
    networks=(DrawnNetwork("lab", ("10.77.0.0/24",)),),
    nodes=(DrawnNode("alice", "chat", "running"), DrawnNode("bob", "chat", "exited")),
    attachments=(Attachment("alice", "lab", ("10.77.0.11",)), Attachment("bob", "lab", ("10.77.0.12",))),
)


def lossy():
    wire, alice, bob = connected()
    alice.say(b"hello", lost=True, by=[("f3", "drop")])
    wire.wait(201)
    alice.say(b"hello", seq=1001)
    bob.confirm(alice.seq)
    ladder = two_sided(*wire.sides(), wire.verdicts)
    packets = run.Packets()
    return [packets.document(arrow, ladder) for arrow in ladder.arrows], ladder


def test_a_packet_that_is_sent_again_names_the_one_that_was_lost():
    found, _ = lossy()
    lost, again = (packet for packet in found if packet["text"] == "hello")
    assert (lost["fate"], lost["faults"]) == ("lost", [{"rule": "f3", "action": "drop"}])
    assert (again["fate"], again["retransmits"]) == ("delivered", lost["number"])
    assert [packet["number"] for packet in found] == list(range(1, len(found) + 1))
    assert not any("retransmits" in packet for packet in found if packet is not again)


def test_a_packet_has_its_ends_and_its_bytes_and_can_leave_these_out():
    found, ladder = lossy()
    assert (found[0]["from"], found[0]["to"]) == ("alice", "bob")
    assert base64.b64decode(found[0]["bytes"]) == ladder.arrows[0].crossing.packet.record.data
    assert "bytes" not in run.Packets().document(ladder.arrows[0], ladder, data=False)


def test_the_layers_of_packets_say_once_what_they_have_in_common():
    _, ladder = lossy()
    shapes = Shapes()
    numbered = run.Packets(shapes=shapes)
    made = [numbered.document(arrow, ladder)["layers"] for arrow in ladder.arrows]
    known = shapes.document()
    for arrow, found in zip(ladder.arrows, made, strict=True):
        whole = layers(arrow.crossing.packet)["layers"]
        for (number, *values), layer in zip(found, whole, strict=True):
            shape = known[number]
            fields = [
                {"name": name, "value": value, "meaning": meaning, "offset": at, "length": size}
                for (name, meaning, at, size), value in zip(shape["fields"], values, strict=True)
            ]
            assert {**shape, "fields": fields} == layer
    assert len(known) < sum(map(len, made))


def test_the_topology_has_a_place_for_each_node_and_network():
    found = run.topology(PICTURE, {"alice": "ready"})
    assert [(node["name"], node["state"]) for node in found["nodes"]] == [("alice", "ready"), ("bob", "exited")]
    assert found["nodes"][0]["networks"] == [{"name": "lab", "addresses": ["10.77.0.11"]}]
    places = found["positions"]
    assert set(places["nodes"]) == {"alice", "bob"}
    assert places["nodes"]["alice"][0] < places["nodes"]["bob"][0]
    assert places["networks"]["lab"][1] < places["nodes"]["alice"][1]


def test_the_document_is_json_and_counts_its_events():
    event = Event("2026-11-28T09:00:00.000000001Z", "alice", "input", fields={"text": "hi"})
    rule = Fault("f3", "alice:bob", "alice", "drop", "drop", 7)
    made = run.document("hello", run.topology(PICTURE), [event, event], lossy()[0], [rule], ["a note"])
    found = json.loads(json.dumps(made))
    assert [one["seq"] for one in found["events"]] == [1, 2]
    assert found["events"][0]["event"] == "input"
    assert (found["schema_version"], found["lab"], found["notes"]) == (1, "hello", ["a note"])
    assert found["faults"][0]["id"] == "f3"
