"""What a program sees of a real lab and does to its links; the examples of docs/api.md try traces and x-rays."""

import io
import threading

import pytest

import labctl
from labctl.errors import InvalidArgument, NoAnswer, NotRecorded, ReachError
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
    assert seen.xray("udp1", "udp2").arrows
    assert seen.node("udp1").syscalls() == ()
    assert set(seen.forget()) >= {"udp1", "udp2"}


def test_a_capture_goes_on_until_another_thread_says_so(seen):
    stop, found = labctl.Cancel(), []

    def capture() -> None:
        found.append(seen.capture("udp2", filter="icmp", until=stop))

    seen.record("udp2")
    thread = threading.Thread(target=capture)
    thread.start()
    try:
        with pytest.raises(NoAnswer), seen.link("udp2:udp1").fault(loss=1.0, seed=1):
            seen.node("udp1").ping("udp2", count=1, timeout=1)
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
    assert [hop.owner for hop in alice.route("bob").hops] == ["bob"]
    assert any(entry.destination == "default" for entry in alice.routes())
    assert lab.address("bob") in alice.dns("bob").addresses
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
