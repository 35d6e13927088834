"""`send`, `echo send` and `udp send` on the in-memory engine."""

import io
import os
import time

import pytest
from memory_lab import event, opened

from labctl.engine.memory import MemoryStream
from labctl.engine.model import StreamEvent
from labctl.errors import EngineUnreachable, LabError
from labctl.lab.keyboard.attach import attach
from labctl.lab.keyboard.send import send
from labctl.lab.reach import datagram
from labctl.lab.roles import echo, udp
from labctl.render import sending

CLIENT, ECHO = ("10.77.0.4", 50000), ("10.77.0.3", 7)
UDP1, UDP2 = ("10.77.0.7", 5005), ("10.77.0.8", 5005)


@pytest.fixture
def client(engine):
    def typed(node, line):
        fields = opened(line)
        ends = {"proto": "tcp", "local": CLIENT, "peer": ECHO}
        event(node, "input", id=fields["id"], bytes=len(fields["text"]), text=fields["text"])
        if fields["text"] == "exit":
            return
        if fields.get("to") == "nobody:1":
            event(node, "error", id=fields["id"], error="ECONNREFUSED", reason="10.77.0.3: Connection refused")
            return
        event(node, "send", id=fields["id"], offset=0, bytes=len(fields["text"]) + 1, **ends)
        if fields.get("to") != "silent:9":
            event(node, "answer", id=fields["id"], text=fields["text"], bytes=1, rtt_ms=0.5, **ends)

    engine.add("lab", "echo", role="echo", addresses={"net": (ECHO[0],)})
    return engine.add("lab", "client", role="echo-client", addresses={"net": (CLIENT[0],)}, program=typed)


def test_an_echo_is_answered(engine, client, lab_of):
    found = echo.send(engine, lab_of(), "client", "ping")
    assert (found.sender, found.receiver, found.answer, found.seconds) == ("client", "echo", "ping", 0.0005)


def test_exit_only_closes(engine, client, lab_of):
    assert echo.send(engine, lab_of(), "client", "exit") is None


def test_refused_and_silent_servers_are_told_apart(engine, client, lab_of):
    with pytest.raises(LabError, match=r"client refused the line: .*Connection refused \(ECONNREFUSED\)"):
        echo.send(engine, lab_of(), "client", "x", to="nobody:1")
    with pytest.raises(LabError, match="sent, but 10.77.0.3:7 did not answer"):
        echo.send(engine, lab_of(), "client", "x", to="silent:9")


class Datagrams:
    """udp1 and udp2, and a wire between them that does what `lost` says."""

    def __init__(self, engine):
        self.lost = False
        self.udp1 = engine.add("lab", "udp1", role="udp", addresses={"net": (UDP1[0],)}, program=self.typed)
        self.udp2 = engine.add("lab", "udp2", role="udp", addresses={"net": (UDP2[0],)})

    def typed(self, node, line):
        typed = opened(line)
        event(node, "input", id=typed["id"], bytes=0, text="")
        count = typed.get("count")
        if count:
            event(
                node, "train", state="sent", id=typed["id"], train="t1", count=count, local=UDP1, peer=UDP2, seconds=1
            )
            counts = {"received": count - 1, "lost": 1, "duplicated": 0, "reordered": 0}
            if not self.lost:
                event(self.udp2, "train", state="received", train="other", count=1, received=1, local=UDP2, peer=UDP1)
                event(self.udp2, "train", state="received", train="t1", count=count, local=UDP2, peer=UDP1, **counts)
            return
        payload = {"proto": "udp", "bytes": len(typed["text"].encode()), "text": typed["text"]}
        event(node, "send", id=typed["id"], local=UDP1, peer=UDP2, **payload)
        event(self.udp2, "recv", local=UDP2, peer=UDP1, **{**payload, "text": "another"})
        if not self.lost:
            event(self.udp2, "recv", local=UDP2, peer=UDP1, **payload)


@pytest.fixture
def datagrams(engine):
    return Datagrams(engine)


def test_a_datagram_is_seen_at_both_ends(engine, datagrams, lab_of):
    found = udp.send(engine, lab_of(), "udp1", "udp2", "hé")
    assert (found.local, found.peer, found.bytes) == (UDP1, UDP2, 3)


def test_who_can_not_be_told_to_send_one_has_a_helper_for_it(engine, datagrams, lab_of):
    engine.add("lab", "mute", role="udp", stdin_open=False)
    engine.add("lab", "echo", role="echo")
    found = {node.name: datagram.needs_probe(engine, node) for node in lab_of().nodes}
    assert found == {"udp1": False, "udp2": False, "mute": True, "echo": True}


def test_a_lost_datagram_is_not_confirmed(engine, datagrams, lab_of):
    datagrams.lost = True
    with pytest.raises(LabError, match="sent, not confirmed: udp2's journal did not show it within 2 s"):
        udp.send(engine, lab_of(), "udp1", "udp2", "hi")


def test_a_train_is_counted_by_its_receiver(engine, datagrams, lab_of):
    options = {"count": 10, "size": 0, "rate": 100, "timeout": 2}
    found = udp.send_train(engine, lab_of(), "udp1", "udp2", "", **options)
    assert (found.sent, found.received, found.lost) == (10, 9, 1)
    datagrams.lost = True
    with pytest.raises(LabError, match="udp1 sent 10 datagrams, and none of them reached udp2"):
        udp.send_train(engine, lab_of(), "udp1", "udp2", "", **options)


def test_a_train_with_a_text_has_room_for_it(engine, datagrams, lab_of):
    """As the node itself makes it: the text is in each of its datagrams."""
    sizes = []
    answer = datagrams.typed
    datagrams.udp1.program = lambda node, line: (sizes.append(opened(line)["size"]), answer(node, line))
    for text, size in (("hi", 0), ("", 0), ("hi", 100)):
        udp.send_train(engine, lab_of(), "udp1", "udp2", text, count=12, size=size, rate=0, timeout=1)
    assert sizes == [len("labctl-train 01234567 11 12\n") + len("hi"), 0, 100]


@pytest.mark.parametrize(
    "options", [{"count": 0}, {"count": 1_000_001}, {"size": -1}, {"size": 65508}, {"rate": -1}, {"rate": float("nan")}]
)
def test_a_train_out_of_range_is_refused(engine, datagrams, lab_of, options):
    with pytest.raises(LabError) as caught:
        udp.send_train(
            engine, lab_of(), "udp1", "udp2", "", **{"count": 1, "size": 0, "rate": 1, "timeout": 1, **options}
        )
    assert caught.value.code == "bad-option"
    assert not datagrams.udp1.output


def test_nodes_without_a_common_network_have_no_link(engine, datagrams, lab_of):
    engine.add("lab", "far", role="udp", addresses={"edge": ("10.88.0.1",)})
    with pytest.raises(LabError, match=r"udp1 has no link to far: they share no network \(udp1: net; far: edge\)"):
        udp.send(engine, lab_of(), "udp1", "far", "hi")


def test_any_node_can_be_typed_at(engine, client, lab_of):
    sent = send(engine, lab_of(), "client", "hello")
    assert sent.confirmed
    assert [event.name for event in sent.events] == ["send"]


def test_somebody_elses_image_is_typed_at_like_by_a_person(engine, lab_of):
    typed = []
    engine.add("lab", "cat", program=lambda node, line: typed.append(line))
    assert not send(engine, lab_of(), "cat", "héllo").confirmed
    assert typed == ["héllo".encode()]


def test_a_node_without_a_keyboard_is_told(engine, lab_of):
    engine.add("lab", "db", stdin_open=False)
    with pytest.raises(LabError, match="db has no keyboard: its container was started without stdin_open"):
        send(engine, lab_of(), "db", "x")


def test_attach_leaves_no_descriptor(engine, client, lab_of):
    def count() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = count()
    for _ in range(3):
        attach(engine, lab_of(), "client", io.BytesIO(b"hello\n"), lambda event: None)
    deadline = time.monotonic() + 10
    while count() > before:  # the one that types closes its end by itself
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(("state", "mend"), [("exited", "labctl start web"), ("paused", "labctl unpause web")])
def test_a_node_that_does_not_run_is_told_with_what_to_do(engine, lab_of, state, mend):
    engine.add("lab", "web", role="http", state=state)
    with pytest.raises(LabError) as caught:
        send(engine, lab_of(), "web", "x")
    assert caught.value.message == f"web is {state}, so nothing can be typed at it"
    assert mend in caught.value.hint


def test_a_line_that_was_taken_and_not_sent_may_still_go_out(engine, client, datagrams, lab_of):
    """At every verb that types."""

    def typed(node, line):
        event(node, "input", id=opened(line)["id"], bytes=1, text="x")

    client.program = datagrams.udp1.program = typed
    train = {"count": 10, "size": 0, "rate": 100, "timeout": 2}
    for act in (
        lambda: echo.send(engine, lab_of(), "client", "x"),
        lambda: udp.send(engine, lab_of(), "udp1", "udp2", "x"),
        lambda: udp.send_train(engine, lab_of(), "udp1", "udp2", "x", **train),
    ):
        with pytest.raises(LabError, match=r"took the line, and did not show .* it may still") as caught:
            act()
        assert (caught.value.code, caught.value.values["may_go_out"]) == ("not-shown", True)


def test_a_line_that_was_not_taken_may_still_go_out(engine, client, datagrams, lab_of):
    lab = lab_of()
    engine.change("pause", client.record.id)
    engine.change("pause", datagrams.udp1.record.id)
    for act in (
        lambda: send(engine, lab, "client", "x"),
        lambda: echo.send(engine, lab, "client", "x"),
        lambda: udp.send(engine, lab, "udp1", "udp2", "x"),
    ):
        with pytest.raises(LabError) as caught:
            act()
        assert (caught.value.code, caught.value.values["may_go_out"]) == ("maybe-taken", True)


def test_a_receiver_that_stops_is_named_at_once(engine, datagrams, lab_of):
    datagrams.lost = True
    engine.later(lambda: datagrams.udp2.end(1))
    engine.later(lambda: pytest.fail("it went on waiting"))
    with pytest.raises(LabError, match="sent, not confirmed: udp2 has stopped"):
        udp.send(engine, lab_of(), "udp1", "udp2", "hi")


@pytest.mark.parametrize(
    "act",
    [
        lambda engine, lab: udp.send(engine, lab, "udp1", "udp2", "x"),
        lambda engine, lab: udp.send_train(engine, lab, "udp1", "udp2", "", count=3, size=0, rate=0, timeout=5),
    ],
    ids=["datagram", "train"],
)
def test_an_engine_that_goes_away_is_no_receiver_that_stopped(engine, datagrams, lab_of, monkeypatch, act):
    """All journals end then, and the receiver's may be the first that is heard of."""

    def refuse(*_, **__):
        raise EngineUnreachable("engine-unreachable", endpoint="x", why="gone")

    def go_away():
        monkeypatch.setattr(engine, "containers", refuse)
        datagrams.udp2.end(1)

    lab, datagrams.lost = lab_of(), True
    engine.later(go_away)
    with pytest.raises(EngineUnreachable):
        act(engine, lab)


def test_what_overflowed_at_the_receiver_is_told_apart():
    ends = {"local": UDP1, "peer": UDP2, "id": "1", "sent": 9, "duplicated": 0, "reordered": 0, "seconds": 0.5}
    found = udp.Train("udp1", "udp2", received=4, lost=5, overflowed=3, **ends)
    assert "lost 5 (3 of them at udp2, whose receive queue was full), duplicated 0" in sending.train(found)
    assert found.as_json()["overflowed"] == 3
    unknown = udp.Train("udp1", "udp2", received=4, lost=5, **ends)
    assert "lost 5, duplicated 0" in sending.train(unknown)
    assert unknown.as_json()["overflowed"] is None


# To anybody


@pytest.fixture
def anybody(engine):
    """udp1, and whoever is at 10.77.0.3:7, who answers, and at [fd00::9]:9, who does not; the node finds names."""

    def typed(node, line):
        fields = opened(line)
        host, _, port = fields["to"].rpartition(":")
        peer = ({"pool.example": "10.77.0.3"}.get(host, host.strip("[]")), int(port))
        event(node, "input", id=fields["id"], bytes=0, text="")
        payload = {"proto": "udp", "bytes": len(fields["text"]), "text": fields["text"]}
        event(node, "send", id=fields["id"], local=UDP1, peer=peer, **payload)
        event(node, "recv", local=UDP1, peer=("10.77.0.3", 8), **{**payload, "text": "from another port"})
        if port == "7":
            event(node, "recv", local=UDP1, peer=peer, proto="udp", bytes=2, data="/wo=")

    engine.add("lab", "echo", addresses={"net": ("10.77.0.3",)})
    return engine.add("lab", "udp1", role="udp", addresses={"net": (UDP1[0],)}, program=typed)


@pytest.mark.parametrize(
    ("to", "peer", "answer"),
    [
        ("10.77.0.3:7", ("10.77.0.3", 7), "\\xff\n"),
        ("echo:7", ("10.77.0.3", 7), "\\xff\n"),
        ("pool.example:7", ("10.77.0.3", 7), "\\xff\n"),
        ("[fd00::9]:9", ("fd00::9", 9), None),
    ],
)
def test_a_datagram_to_anybody(engine, anybody, lab_of, to, peer, answer):
    found = datagram.send(engine, lab_of(), "udp1", to, "hi")
    assert (found.local, found.peer, found.bytes, found.answer) == (UDP1, peer, 2, answer)
    text = sending.datagram(found)
    assert text.startswith("udp1 -> ")
    assert ("answered" in text) is (answer is not None)
    assert ("no datagram came back within 2 s" in text) is (answer is None)
    assert found.as_json()["answer"] == answer


def test_an_address_of_ipv6_is_in_brackets(engine, anybody, client, lab_of):
    assert datagram.send(engine, lab_of(), "udp1", "[fd00::9]:9", "hi").as_json()["to"] == "[fd00::9]:9"

    def typed(node, line):
        ends = {"local": ("fd00::4", 50000), "peer": ("fd00::3", 7)}
        event(node, "input", id=opened(line)["id"], bytes=1, text="x")
        event(node, "send", id=opened(line)["id"], offset=0, bytes=2, **ends)

    client.program = typed
    with pytest.raises(LabError, match=r"but \[fd00::3\]:7 did not answer"):
        echo.send(engine, lab_of(), "client", "x")


@pytest.mark.parametrize(
    ("taken", "ends", "code"),
    [(0, False, "not-taken"), (3, False, "maybe-taken"), (0, True, "node-stopped"), (3, True, "node-stopped")],
)
def test_a_part_of_a_line_may_have_gone_to_somebody_elses_program(engine, lab_of, monkeypatch, taken, ends, code):
    """What the connection takes at once has gone out, too."""
    engine.add("lab", "cat")
    lab = lab_of()
    monkeypatch.setattr(MemoryStream, "write", lambda stream, data: stream.typed.extend(data[taken:]))
    monkeypatch.setattr(engine, "wait", lambda streams, _: iter([StreamEvent(streams[0], None)] if ends else []))
    with pytest.raises(LabError) as caught:
        send(engine, lab, "cat", "hello", timeout=0.1)
    assert (caught.value.code, caught.value.values["may_go_out"]) == (code, bool(taken))
