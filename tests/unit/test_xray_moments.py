"""System calls and states beside packets: which belong to a conversation, and where they stand."""

from test_packets_ladders import made

from labctl.engine.memory import MemoryEngine
from labctl.events.codec import stamp_of
from labctl.events.model import Event
from labctl.lab import model
from labctl.lab.recording.xray import Between, _untold, calls_of
from labctl.packets.ladder.ladder import Options, two_sided
from labctl.packets.ladder.transitions import Transition, transitions
from labctl.render.ladder import text
from labctl.render.xray import with_moments

MINE, THEIRS, STRANGER = ("10.0.0.1", 4000), ("10.0.0.2", 80), ("10.0.0.9", 80)


def lab(**roles):
    engine = MemoryEngine()
    for number, name in enumerate(("a", "b"), 1):
        engine.add("x", name, role=roles.get(name), addresses={"net": (f"10.0.0.{number}",)})
    engine.add("x", "router", role="router", addresses={"net": ("10.0.0.254",)})
    return model.find(engine, "x")


def call(name, fd=None, result=0, *, at=0, local=None, peer=None, pid=1, **more):
    fields = {"pid": pid, "call": name, "result": result, "args": [str(fd)], **more}
    if fd is not None:
        fields["fd"] = fd
    return Event(f"2026-01-31T12:00:{at:02d}.000000000Z", "a", "syscall", local, peer, fields)


def between(port=None):
    found = lab()
    return Between(found, found.node("b"), port)


def names(events):
    return [event.get("call") for event in events]


def test_a_socket_s_calls_belong_to_whom_it_speaks_with_from_its_birth_to_its_end():
    events = [
        call("socket", result=3, at=1),
        call("setsockopt", 3, at=2),
        call("connect", 3, at=3, local=MINE, peer=THEIRS),
        call("close", 3, at=4, local=MINE, peer=THEIRS),
        call("socket", result=3, at=5),  # the same number again, for somebody else
        call("connect", 3, at=6, peer=STRANGER),
        call("close", 3, at=7, peer=STRANGER),
        call("socket", result=3, at=8, pid=2),  # another process has numbers of its own
        call("connect", 3, at=9, peer=STRANGER, pid=2),
    ]
    assert calls_of(events, between()) == events[:4]


def test_a_listening_socket_gives_those_that_came_from_the_other_node():
    events = [
        call("socket", result=3, at=1),
        call("bind", 3, at=2, local=("0.0.0.0", 80)),
        call("listen", 3, at=3, local=("0.0.0.0", 80)),
        call("accept4", 3, -1, at=4, local=("0.0.0.0", 80), error="EAGAIN"),
        call("accept4", 3, 4, at=5, local=MINE, peer=THEIRS),
        call("recv", 4, 2, at=6, local=MINE, peer=THEIRS),
        call("accept4", 3, 5, at=7, local=MINE, peer=STRANGER),
        call("recv", 5, 2, at=8, local=MINE, peer=STRANGER),
        call("close", 4, at=9, local=MINE, peer=THEIRS),
    ]
    assert names(calls_of(events, between())) == ["socket", "bind", "listen", "accept4", "recv", "close"]
    strangers = [event for event in events if event.peer == STRANGER]
    assert calls_of(strangers, between()) == []


def test_looks_that_found_nobody_are_left_out_whatever_their_number(monkeypatch):
    """Each event is looked at by itself: comparing each with all idle ones goes by their square."""
    idle = [call("accept4", 3, -1, at=1, local=("0.0.0.0", 80), error="EAGAIN") for _ in range(1000)]
    made = [call("accept4", 3, 4, at=2, local=MINE, peer=THEIRS), call("recv", 4, 2, at=3, local=MINE, peer=THEIRS)]
    compared = []
    monkeypatch.setattr(Event, "__eq__", lambda one, other: compared.append(1) or one is other)
    assert list(map(id, calls_of([*idle, *made], between()))) == list(map(id, made))
    assert compared == []


def test_datagrams_of_one_socket_are_told_apart_by_their_peers():
    events = [
        call("socket", result=3, at=1),
        call("sendto", 3, at=2, local=MINE, peer=THEIRS),
        call("sendto", 3, at=3, local=MINE, peer=STRANGER),
        call("recvfrom", 3, -1, at=4, local=MINE, error="EAGAIN"),
    ]
    assert calls_of(events, between()) == [events[0], events[1], events[3]]


def test_one_call_for_several_datagrams_belongs_to_each_of_their_peers():
    to = [[{"peer": list(peer), "bytes": 1} for peer in peers] for peers in ((STRANGER, THEIRS), (STRANGER, STRANGER))]
    events = [
        call("socket", result=3, at=1),
        call("sendmmsg", 3, 2, at=2, local=MINE, datagrams=to[0]),
        call("sendmmsg", 3, 2, at=3, local=MINE, datagrams=to[1]),
        call("recvmmsg", 3, 0, at=4, local=MINE, datagrams=[]),
    ]
    assert calls_of(events, between()) == [events[0], events[1], events[3]]
    assert calls_of([events[0], events[2]], between()) == []


def test_other_families_and_other_ports_are_left_out_and_a_router_may_stand_for_the_other_node():
    unix = call("connect", 3, at=1, family="unix")
    here = call("connect", 4, at=2, local=MINE, peer=THEIRS)
    through = call("connect", 5, at=3, local=MINE, peer=("10.0.0.254", 80))
    assert calls_of([unix, here, through], between()) == [here, through]
    assert calls_of([here], between(80)) == calls_of([here], between(4000)) == [here]
    assert calls_of([here], between(81)) == []


def test_a_dual_stack_socket_s_ends_are_those_of_its_packets():
    """A socket of IPv6 that speaks IPv4 says so in addresses of IPv6 (RFC 4291, section 2.5.5.2)."""
    mine, theirs, stranger = (("::ffff:" + host, port) for host, port in (MINE, THEIRS, STRANGER))
    events = [
        call("accept4", 3, 4, at=1, local=mine, peer=theirs),
        call("recvfrom", 4, 2, at=2, local=mine, peer=theirs),
        call("accept4", 3, 5, at=3, local=mine, peer=stranger),
    ]
    assert calls_of(events, between()) == events[:2]

    def state(after, peer=theirs):
        fields = {"proto": "tcp", "from": "x", "to": after, "seen": True}
        return Event("2026-01-31T12:00:00.000000000Z", "a", "socket-state", mine, peer, fields)

    states = [state("SYN-RECV"), state("ESTAB"), state("ESTAB", stranger), state("CLOSED")]
    moved = [Transition(1, MINE, THEIRS, "x", after) for after in ("SYN-RECEIVED", "ESTABLISHED")]
    assert _untold(states, between(), moved) == [states[3]]


def moves(name):
    _, sides = made(name)
    return [[(one.before, one.after) for one in transitions(side)] for side in sides]


def test_states_are_those_of_the_diagram_at_the_end_that_they_are_of():
    client, server = moves("four-way-close")
    assert client == [
        ("CLOSED", "SYN-SENT"),
        ("SYN-SENT", "ESTABLISHED"),
        ("ESTABLISHED", "FIN-WAIT-1"),
        ("FIN-WAIT-1", "FIN-WAIT-2"),
        ("FIN-WAIT-2", "TIME-WAIT"),
    ]
    assert server == [
        ("LISTEN", "SYN-RECEIVED"),
        ("SYN-RECEIVED", "ESTABLISHED"),
        ("ESTABLISHED", "CLOSE-WAIT"),
        ("CLOSE-WAIT", "LAST-ACK"),
        ("LAST-ACK", "CLOSED"),
    ]


def test_a_simultaneous_close_goes_through_closing_at_both_ends():
    for side in moves("simultaneous-close"):
        assert [after for _, after in side][-3:] == ["FIN-WAIT-1", "CLOSING", "TIME-WAIT"]


def test_a_slow_call_stands_where_it_began_and_where_it_ended_if_packets_passed_meanwhile():
    wire, sides = made("handshake")
    ladder = two_sided(*sides, wire.verdicts)
    first, last = ladder.arrows[0], ladder.arrows[2]
    long = f'"{"x" * 300}"'

    def event(at, took, name):
        fields = {"call": name, "args": ["3", long], "fd": 3, "proto": "tcp", "result": 0, "duration_ns": took}
        return Event(stamp_of(at), ladder.left.name, "syscall", None, None, fields)

    took = last.at_ns - first.at_ns + 2_000_000
    slow, quick = event(first.at_ns - 1_000_000, took, "connect"), event(last.at_ns + 10**9, 2_000_000, "send")
    found = with_moments(ladder, [slow, quick], {})
    assert [moment.at_ns for moment in found.moments] == [slow.nanoseconds, slow.nanoseconds + took, quick.nanoseconds]
    assert found.moments[0].text.endswith(" ...")
    assert "after" in found.moments[1].text
    assert found.moments[2].text.endswith(" = 0 (2.0 ms)")  # nothing passed: one line
    assert all(len(moment.text) < 80 for moment in found.moments)
    assert "connect ... = 0" in text.draw(found, columns=80)


def test_what_is_beyond_the_limit_is_counted_and_nothing_stands_behind_the_last_arrow():
    wire, sides = made("handshake")
    whole = two_sided(*sides, wire.verdicts)
    times = [arrow.at_ns for arrow in whole.arrows]
    events = [call("send", 3, at=0) for _ in range(4)]
    events = [event._replace(ts=stamp_of(at - 1)) for event, at in zip(events, [times[0], *times], strict=False)]
    assert len(with_moments(whole, events, {}).moments) == len(events)
    few = with_moments(whole, events, {}, 2)
    assert len(few.moments) == 2
    assert f"Not shown: {len(events) - 2} more" in few.notes[-1]
    cut = with_moments(two_sided(*sides, wire.verdicts, Options(limit=1)), events, {})
    assert [moment.at_ns for moment in cut.moments] == [times[0] - 1] * 2
    assert "Not shown" in cut.notes[-1]
