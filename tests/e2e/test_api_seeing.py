"""What a program sees of a real lab and does to its links; the examples of docs/api.md try traces and x-rays."""

import io
import threading

import pytest

import labctl
from labctl.errors import InvalidArgument, LabTimeout, NoAnswer, NodeError, NotRecorded, ReachError
from labctl.packets.files.capture import read


@pytest.fixture
def seen(lab):
    """The lab as a program has it."""
    return labctl.find(lab.name)


def test_what_is_recorded_is_forgotten_and_who_looks_begins_nothing(seen):
    seen.forget()
    with pytest.raises(NotRecorded):
        seen.ladder("udp1", "udp2")
    assert seen.record("udp1", "udp2", syscalls=True) == ("udp1", "udp2")
    with pytest.raises(NotRecorded):
        seen.node("alice").syscalls()
    seen.node("udp1").ping("udp2", count=2, interval=0.01)
    assert [arrow.label.head for arrow in seen.ladder("udp1", "udp2").arrows if arrow.flow.startswith("icmp")]
    deep = seen.xray("udp1", "udp2")
    assert deep.arrows
    assert deep.perfetto()["traceEvents"]
    assert seen.node("udp1").syscalls() == ()
    assert set(seen.forget()) >= {"udp1", "udp2"}


def test_a_capture_goes_on_until_another_thread_says_so(seen, lab):
    stop, found = labctl.Cancel(), []

    def capture() -> None:
        found.append(seen.capture("udp2", filter="icmp", until=stop))

    seen.record("udp2")
    thread = threading.Thread(target=capture)
    thread.start()
    try:
        with pytest.raises(NoAnswer), seen.link("udp2:udp1").fault(loss=1.0, seed=1):
            seen.node("udp1").ping("udp2", count=1, timeout=1)
        [verdict] = [one for one in seen.verdicts(since="1m") if one.node == "udp2" and one.proto == "icmp"]
        assert (verdict.action, verdict.src, verdict.dst) == ("drop", lab.address("udp2"), lab.address("udp1"))
        assert seen.node("udp1").ping("udp2", count=3, interval="10ms").summary.received == 3
    finally:
        stop.cancel()
        thread.join(30)
    [taken] = found
    packets = [record for record in read(io.BytesIO(taken.pcapng)) if record.data]
    assert taken.packets == len(packets) >= 6


def test_a_ladder_grows_with_what_is_sent(seen):
    said = "grows with this"
    told = []

    def ready(hosts):
        told.append(list(hosts))
        threading.Thread(target=seen.node("alice").send, args=(said,)).start()

    late = threading.Timer(60, seen.cancel)  # raises Cancelled here, in place of going on for ever
    late.start()
    fresh: list[str] = []
    for step in (steps := seen.follow_ladder("alice", "bob", ready=ready)):
        fresh += [arrow.label.text for arrow in step.fresh]
        if any(said in text for text in fresh):
            steps.close()
    late.cancel()
    assert told == [["alice", "bob"]]
    assert sum(said in text for text in fresh) == 1


def test_ping_route_names_and_sockets(seen, lab):
    alice = seen.node("alice")
    pinged = alice.ping("bob", count=2, interval="20ms")
    assert [answer.owner for answer in pinged.answers] == ["bob", "bob"]
    assert pinged.as_json().keys() | {"schema_version"} == lab.json("ping", "alice", "bob", "-c", "1").keys()
    assert [answer.counts for answer in pinged.answers] == [True, True]
    way = alice.route("bob")
    assert [(hop.number, hop.owner, hop.reached) for hop in way.hops] == [(1, "bob", True)]
    assert way.entry.via is None, "they share a network"
    assert any(entry.destination == "default" for entry in alice.routes())
    resolved = alice.dns("bob")
    assert lab.address("bob") in resolved.addresses
    assert resolved.lookup.servers
    with pytest.raises(ReachError):
        alice.dns("nobody.invalid")
    assert any(one.state == "LISTEN" and one.local[1] == 12345 for one in alice.sockets())
    assert {one.node for one in seen.sockets("alice", "bob")} == {"alice", "bob"}


def test_a_partition_cuts_off_until_it_is_healed(seen):
    rule = seen.partition("alice", "bob,web", lasting=60)
    assert set(rule.links) >= {"alice:bob", "bob:alice", "alice:web", "web:alice"}
    with pytest.raises(NoAnswer):
        seen.node("alice").ping("web", count=1, timeout=0.3)
    assert {one.id for one in seen.heal()} == {rule.id}
    assert seen.node("alice").ping("web", count=1).summary.received == 1
    assert rule.clear() == ()
    with pytest.raises(InvalidArgument):
        seen.link("alice:alice").fault(loss="10%")
    with pytest.raises(InvalidArgument):
        seen.link("alice:bob").fault(loss="much")


def test_speed_is_counted_where_it_arrives(seen):
    with seen.link("udp1:udp2").fault(rate="2mbit"):
        found = seen.speed("udp1", "udp2", seconds=1.0)
    assert 1e6 < found.bits_per_second < 3e6
    assert found.as_json()["bits_per_second"] == round(found.bits_per_second)
    assert 0 <= found.share_lost < 0.5
    with seen.link("udp1:udp2").fault(loss="50%", seed=3):
        found = seen.speed("udp1", "udp2", udp=True, seconds=0.5, rate="1mbit", size=100)
    assert found.share_lost == found.measured.lost / found.measured.packets
    assert 0.3 < found.share_lost < 0.7


def test_a_datagram_and_a_connection_are_answered(seen, lab):
    """From the program of a peer itself, from a helper at another node, and from this machine."""
    udp1, alice = seen.node("udp1"), seen.node("alice")
    typed = udp1.send_datagram("echo:7", "hey")
    assert (typed.local, typed.peer) == ((lab.address("udp1"), 5005), (lab.address("echo"), 7))
    assert (typed.answer, typed.bytes, 0 < typed.seconds < 2) == ("hey", 3, True)
    sent = alice.send_datagram("udp2:5005", "from alice", timeout=0.3)
    assert (sent.local[0], sent.answer, sent.seconds) == (lab.address("alice"), None, 0.3)
    assert seen.node("udp2").wait_for('recv "from alice"', since="1m", timeout=10).peer == sent.local
    with pytest.raises(ReachError, match="nothing listens at that port"):
        alice.send_datagram("udp2:9", "hey")
    taken = seen.wait_for_answer("echo:7", source="alice", timeout=10)
    assert (taken.local[0], taken.peer) == (lab.address("alice"), (lab.address("echo"), 7))
    assert seen.wait_for_answer("web:8080", timeout=10).peer[0] == "127.0.0.1"
    with pytest.raises(LabTimeout):
        seen.wait_for_answer("echo:1", source="alice", timeout=0.3)


def test_files_are_carried_both_ways(seen, tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_text("carried")
    alice = seen.node("alice")
    done = alice.copy_in(tmp_path / "a", "/dev/shm/b")
    assert (done.files, done.bytes) == (1, 7)
    assert alice.copy_out("/dev/shm/b/x", tmp_path / "back").files == 1
    assert (tmp_path / "back").read_text() == "carried"
    assert seen.copy("alice:/dev/shm/b/x", str(tmp_path / "again"))[1:] == (
        "alice:/dev/shm/b/x",
        str(tmp_path / "again"),
    )
    with pytest.raises(NodeError, match="No such file"):
        alice.copy_out("/dev/shm/none", tmp_path / "none")
    with pytest.raises(InvalidArgument, match="one of the two"):
        seen.copy("alice:/x", "bob:/x")
