"""`labctl chat send` on the in-memory engine: how a line and its arrival are matched, and how it fails."""

import json

import pytest
from memory_lab import ALICE, BOB, Chat, event, opened

from labctl.errors import LabError
from labctl.lab.roles.chat import send


def code_of(act) -> str:
    with pytest.raises(LabError) as caught:
        act()
    return caught.value.code


def test_a_line_is_delivered_with_both_ends_and_its_position(engine, chat, lab_of):
    first = send(engine, lab_of(), "alice", "hi")
    second = send(engine, lab_of(), "alice", "hi")
    assert (first.sender, first.receiver, first.text) == ("alice", "bob", "hi")
    assert (first.local, first.peer) == (ALICE, BOB)
    assert (first.offset, second.offset) == (0, 3)
    assert 0 <= first.seconds < 5


@pytest.mark.parametrize("text", ["", "byebye ", '{"id": 1}', 'with "quotes"', "😀", "x" * 65536, "\x1e{}", "-"])
def test_any_text_arrives_as_it_was_given(engine, chat, lab_of, text):
    assert send(engine, lab_of(), "alice", text).text == text


def test_the_same_text_at_another_position_is_not_taken_for_it(engine, chat, lab_of):
    chat.before = [
        {"name": "message", "local": BOB, "peer": ALICE, "offset": 99, "bytes": 3, "text": "hi"},
        {"name": "message", "local": BOB, "peer": ("10.77.0.9", 1), "offset": 0, "bytes": 3, "text": "hi"},
        {"name": "message", "local": ("10.77.0.6", 1), "peer": ALICE, "offset": 0, "bytes": 3, "text": "hi"},
    ]
    chat.arrives = False
    assert code_of(lambda: send(engine, lab_of(), "alice", "hi")) == "not-confirmed"


def test_what_does_not_arrive_is_not_confirmed(engine, chat, lab_of):
    chat.arrives = False
    with pytest.raises(LabError, match="sent, not confirmed: nothing showed it at 10.77.0.6"):
        send(engine, lab_of(), "alice", "hi")


def test_a_partner_outside_the_lab_can_not_be_confirmed(engine, lab_of):
    Chat(engine, roles=("chat", "http"))
    with pytest.raises(LabError, match=r"alice talks to bob \(10.77.0.6\), which is no chat node"):
        send(engine, lab_of(), "alice", "hi")


def test_a_line_that_waits_has_no_partner(engine, chat, lab_of):
    def typed(node, line):
        event(node, "input", id=opened(line)["id"], bytes=2, text="hi")
        event(node, "queued", id=opened(line)["id"], waiting=1, reason="nobody is there")

    chat.alice.program = typed
    with pytest.raises(LabError, match="alice has no partner: nobody is there"):
        send(engine, lab_of(), "alice", "hi")


def test_the_nodes_own_refusal_is_told(engine, chat, lab_of):
    def typed(node, line):
        event(node, "input", id=opened(line)["id"], bytes=2, text="hi")
        event(node, "error", id=opened(line)["id"], error="ENOBUFS", reason="too many lines wait")

    chat.alice.program = typed
    with pytest.raises(LabError, match=r"alice refused the line: too many lines wait \(ENOBUFS\)") as caught:
        send(engine, lab_of(), "alice", "hi")
    assert caught.value.values["may_go_out"] is False


def test_a_node_that_ignores_its_keyboard_has_not_taken_the_line(engine, chat, lab_of):
    chat.alice.program = lambda node, line: event(node, "input", id="somebody else's", bytes=1, text="x")
    with pytest.raises(LabError) as caught:
        send(engine, lab_of(), "alice", "hi")
    assert (caught.value.code, caught.value.values["may_go_out"]) == ("maybe-taken", True)


def test_a_line_that_is_read_later_is_not_called_lost(engine, chat, lab_of):
    """A resend would double it: the node reads it once it goes on."""
    lab = lab_of()
    engine.change("pause", chat.alice.record.id)
    with pytest.raises(LabError, match="which may still go out") as caught:
        send(engine, lab, "alice", "hi")
    assert caught.value.values["may_go_out"]
    engine.change("unpause", chat.alice.record.id)
    send(engine, lab_of(), "alice", "again")
    said = [json.loads(line.text) for line in chat.bob.output]
    assert [event["text"] for event in said if event["event"] == "message"] == ["hi", "again"]


def test_a_line_is_on_its_way_when_a_signal_or_the_engine_ends_it(engine, chat, lab_of):
    def interrupted(node, line):
        raise KeyboardInterrupt

    chat.alice.program = interrupted
    with pytest.raises(KeyboardInterrupt) as told:
        send(engine, lab_of(), "alice", "hi")
    assert told.value.__notes__ == ["it was typed at alice: the line may have gone out, or may still"]

    def gone(node, line):
        raise LabError("engine-unreachable", endpoint="x", why="gone")

    chat.alice.program = gone
    with pytest.raises(LabError) as caught:
        send(engine, lab_of(), "alice", "hi")
    assert caught.value.values["may_go_out"]
    assert caught.value.hint.endswith("; the line may have gone out, or may still")


def test_a_partner_that_has_another_nodes_network(engine, chat, lab_of):
    """Its journal is its own, and not that of who has the network."""
    app = engine.add("lab", "app", addresses={"lab_net": (BOB[0],)})
    chat.bob.record = chat.bob.record._replace(addresses={}, network_of=app.record.id)
    found = send(engine, lab_of(), "alice", "hi")
    assert (found.receiver, found.peer) == ("bob", BOB)


def test_a_partner_that_stopped_is_one_of_the_lab(engine, chat, lab_of):
    """Stopped, it has no address any more; its journal tells whose that was."""
    send(engine, lab_of(), "alice", "hi")
    chat.bob.record = chat.bob.record._replace(addresses={"lab_net": ()})
    chat.bob.end(137)
    with pytest.raises(LabError) as caught:
        send(engine, lab_of(), "alice", "still there?")
    assert caught.value.code == "not-confirmed"
    assert "alice's partner bob (10.77.0.6) has stopped" in caught.value.message
    assert "labctl start bob" in caught.value.hint


def test_a_partner_that_stops_meanwhile_is_named_at_once(engine, chat, lab_of):
    chat.arrives = False
    engine.later(lambda: chat.bob.end(137))
    engine.later(lambda: pytest.fail("it went on waiting"))
    with pytest.raises(LabError, match="alice's partner bob .* has stopped"):
        send(engine, lab_of(), "alice", "hi")


def test_a_node_that_stops_meanwhile_is_named(engine, chat, lab_of):
    chat.alice.program = lambda node, line: node.end(1)
    with pytest.raises(LabError, match="alice stopped while labctl waited"):
        send(engine, lab_of(), "alice", "hi")


@pytest.mark.parametrize(
    ("node", "text", "code"),
    [
        ("alice", "two\nlines", "newline-in-line"),
        ("alice", "x" * 65537, "text-too-long"),
        ("alicia", "hi", "unknown-node"),
        ("web", "hi", "wrong-role"),
        ("carol", "hi", "not-running"),
    ],
)
def test_what_can_not_be_sent_is_refused_before_anything_is_typed(engine, chat, lab_of, node, text, code):
    engine.add("lab", "web", role="http")
    engine.add("lab", "carol", role="chat", state="exited")
    assert code_of(lambda: send(engine, lab_of(), node, text)) == code
    assert not chat.alice.output


def test_errors_name_what_would_do(engine, chat, lab_of):
    engine.add("lab", "web", role="http")
    with pytest.raises(LabError) as caught:
        send(engine, lab_of(), "web", "hi")
    assert caught.value.message == "web is an HTTP server, and `chat send` needs a chat node"
    assert caught.value.hint == "a chat node here: alice, bob"
    with pytest.raises(LabError, match="no node alcie in the lab lab; did you mean alice"):
        send(engine, lab_of(), "alcie", "hi")
