"""Changes of state between two looks at the kernel's table; the states that nobody saw among them."""

import contextlib
import json
import os
import socket
import threading
import time
from itertools import count
from types import SimpleNamespace

import pytest
import sockets
from labprocess import recorder, watching
from labprocess.backlog import event_line
from labprocess.history import History
from labprocess.lifeline import WAKE, Lifeline
from labprocess.sockets import packets, watch
from labprocess.sockets.changes import Changes, Counts
from labprocess.sockets.diag import Row
from labprocess.sockets.owners import Owner
from labprocess.sockets.states import CLOSED, LISTEN, WAYS, ending, passed

from labnode.loop import Loop

A, B = ("10.77.0.4", 40000), ("10.77.0.3", 7)
COOKIES = count(1)


def row(state: str, local=A, peer=B, proto="tcp", inode=0, cookie=0) -> Row:
    return Row(proto, state, local, peer, 0, 0, 0, inode, cookie or next(COOKIES))


LISTENER = row(LISTEN, ("0.0.0.0", 7), None, cookie=9000)


class Looks:
    def __init__(self, *rows: Row):
        self.changes = Changes(lambda inodes: {inode: Owner(inode, "python3") for inode in inodes if inode < 100})
        assert self.changes.look(rows, [], Counts()) == []

    def then(self, *rows: Row, gone=(), **counts: int) -> list[str]:
        found = self.changes.look(rows, gone, Counts(**counts))
        return [f"{change.before}>{change.after}" + ("" if change.seen else "?") for change in found]


def test_what_was_there_before_is_no_change():
    looks = Looks(LISTENER, row("ESTAB"))
    assert looks.then(LISTENER, row("ESTAB")) == []


@pytest.mark.parametrize(
    ("before", "after", "between"),
    [
        ("CLOSED", "ESTAB", ["SYN-SENT"]),
        ("LISTEN", "ESTAB", ["SYN-RECV"]),
        ("ESTAB", "TIME-WAIT", ["FIN-WAIT-1"]),  # FIN-WAIT-2 or CLOSING: nobody can say
        ("ESTAB", "LAST-ACK", ["CLOSE-WAIT"]),
        ("SYN-SENT", "FIN-WAIT-2", ["ESTAB", "FIN-WAIT-1"]),
        ("CLOSED", "TIME-WAIT", ["SYN-SENT", "ESTAB", "FIN-WAIT-1"]),
        ("LISTEN", "CLOSE-WAIT", ["SYN-RECV", "ESTAB"]),
    ],
)
def test_ways_in_the_diagram(before, after, between):
    assert passed(before, after) == between
    for one, other in zip([before, *passed(before, after)], [*passed(before, after), after], strict=True):
        assert other in WAYS[one]


def test_no_way_leads_back():
    assert passed("ESTAB", "SYN-SENT") == passed("TIME-WAIT", "ESTAB") == []


def test_no_state_that_is_named_is_a_guess():
    """Each of them lies on every way from one to the other: without it there is none."""
    for before in WAYS:
        for after in WAYS.keys() - {before, CLOSED}:  # of ends `ending` tells
            for state in passed(before, after):
                assert not reaches(before, after, without=state), (before, after, state)


def reaches(before: str, after: str, without: str) -> bool:
    seen, left = {before}, [before]
    while left:
        for state in WAYS[left.pop()]:
            if state == after:
                return True
            if state not in seen and state not in (without, CLOSED):
                seen.add(state)
                left.append(state)
    return False


def test_the_side_that_calls_and_the_side_that_is_called():
    assert Looks().then(row("ESTAB")) == ["CLOSED>SYN-SENT?", "SYN-SENT>ESTAB"]
    assert Looks(LISTENER).then(LISTENER, row("ESTAB", B, A)) == ["LISTEN>SYN-RECV?", "SYN-RECV>ESTAB"]
    assert Looks(LISTENER).then(LISTENER, row("SYN-RECV", B, A)) == ["LISTEN>SYN-RECV"]
    # One that listens on another address of the node has nothing to do with it.
    other = row(LISTEN, ("10.99.0.3", 7), None)
    assert Looks(other).then(other, row("SYN-SENT", B, A)) == ["CLOSED>SYN-SENT"]
    mapped = row("ESTAB", ("::ffff:10.77.0.3", 7), ("::ffff:10.77.0.4", 1))
    six = row(LISTEN, ("::", 7), None)
    assert Looks(six).then(six, mapped) == ["LISTEN>SYN-RECV?", "SYN-RECV>ESTAB"]


def test_a_close_that_passed_between_two_looks():
    assert Looks(row("ESTAB")).then() == ["ESTAB>CLOSE-WAIT?", "CLOSE-WAIT>LAST-ACK?", "LAST-ACK>CLOSED"]
    assert Looks(row("CLOSE-WAIT")).then() == ["CLOSE-WAIT>LAST-ACK?", "LAST-ACK>CLOSED"]
    assert Looks(row("ESTAB")).then(row("TIME-WAIT")) == ["ESTAB>FIN-WAIT-1?", "FIN-WAIT-1>TIME-WAIT"]
    assert Looks(row("TIME-WAIT")).then() == ["TIME-WAIT>CLOSED"]
    assert Looks(row("FIN-WAIT-2")).then() == ["FIN-WAIT-2>CLOSED"]
    assert Looks(LISTENER).then() == ["LISTEN>CLOSED"]


def test_the_same_two_addresses_once_more():
    again = ["TIME-WAIT>CLOSED?", "CLOSED>SYN-SENT?", "SYN-SENT>ESTAB"]
    assert Looks(row("TIME-WAIT")).then(row("ESTAB")) == again
    again = ["TIME-WAIT>CLOSED?", "LISTEN>SYN-RECV"]
    assert Looks(LISTENER, row("TIME-WAIT", B, A)).then(LISTENER, row("SYN-RECV", B, A)) == again


def test_where_it_may_have_been_a_reset_nothing_is_made_up():
    assert Looks(row("ESTAB")).then(reset=1) == ["ESTAB>CLOSED"]
    assert ending("ESTAB", True) == []
    assert Looks(row("SYN-RECV")).then() == ["SYN-RECV>CLOSED"]
    opened = Looks(row("SYN-RECV")).then(opened=1)
    assert opened == ["SYN-RECV>ESTAB?", "ESTAB>CLOSE-WAIT?", "CLOSE-WAIT>LAST-ACK?", "LAST-ACK>CLOSED"]
    assert Looks(row("SYN-SENT")).then(failed=1) == ["SYN-SENT>CLOSED"]


def test_a_connection_that_came_and_went_between_two_looks():
    gone = row(CLOSED, B, A)
    whole = ["LISTEN>SYN-RECV?", "SYN-RECV>ESTAB?", "ESTAB>CLOSE-WAIT?", "CLOSE-WAIT>LAST-ACK?", "LAST-ACK>CLOSED"]
    assert Looks(LISTENER).then(LISTENER, gone=[gone]) == whole
    assert Looks().then(gone=[row(CLOSED)], reset=1) == ["CLOSED>SYN-SENT?", "SYN-SENT>ESTAB?", "ESTAB>CLOSED"]
    # What listened for it came and went as well; the kernel calls it CLOSED by then.
    assert Looks().then(gone=[gone, row(CLOSED, ("0.0.0.0", 7), None)], reset=1)[0] == "LISTEN>SYN-RECV?"
    # It goes on in TIME-WAIT: its socket is given up, it is not.
    assert Looks().then(row("TIME-WAIT"), gone=[row(CLOSED)])[-1] == "FIN-WAIT-1>TIME-WAIT"


def test_an_end_is_told_once():
    looks = Looks(row("ESTAB", cookie=77))
    assert looks.then()[-1] == "LAST-ACK>CLOSED"
    assert looks.then(gone=[row(CLOSED, cookie=77)]) == []


def test_a_call_that_was_refused_between_two_looks():
    socket = row(CLOSED, ("0.0.0.0", 40000), None)
    looks = Looks()
    assert looks.then(failed=1) == []
    # The program closes it later; its peer is taken from it by then.
    assert looks.then(gone=[socket]) == ["CLOSED>SYN-SENT?", "SYN-SENT>CLOSED"]
    assert looks.then(gone=[row(CLOSED, ("0.0.0.0", 40001), None)]) == [], "that one never called anybody"
    seen = Looks(row("SYN-SENT", cookie=5))
    assert seen.then(failed=1) == ["SYN-SENT>CLOSED"]
    assert seen.then(gone=[row(CLOSED, ("0.0.0.0", 40000), None, cookie=5)]) == []


def test_datagrams():
    bound = row("UNCONN", ("0.0.0.0", 5005), None, "udp", cookie=3)
    looks = Looks()
    assert looks.then(bound) == ["CLOSED>UNCONN"]
    assert looks.then(row("ESTAB", A, B, "udp", cookie=3)) == ["UNCONN>ESTAB"]
    assert looks.then() == ["ESTAB>CLOSED"]
    assert looks.then(gone=[row(CLOSED, A, None, "udp")]) == ["CLOSED>UNCONN?", "UNCONN>CLOSED"]


def test_programs():
    looks = Looks()
    [_, seen] = looks.changes.look([row("ESTAB", inode=7)], [], Counts())
    assert seen.fields() == {"from": "SYN-SENT", "to": "ESTAB", "seen": True, "program": "python3", "pid": 7}
    # By now nobody holds it; it is still known who did.
    [*_, end] = looks.changes.look([row("TIME-WAIT")], [], Counts())
    assert end.fields()["pid"] == 7
    dns = row("UNCONN", ("127.0.0.11", 40000), None, "udp", inode=200)
    [found] = looks.changes.look([row("TIME-WAIT"), dns], [], Counts())
    assert found.fields()["program"] == "docker dns"


def test_a_socket_is_told_of_at_one_of_the_nodes_that_share_a_network():
    """Also once no program holds it any more: `find` knows programs of the node alone."""
    shared = "first"
    looks = Looks()
    for state, inode in (("ESTAB", 200), ("FIN-WAIT-2", 0), ("TIME-WAIT", 0)):
        found = looks.changes.look([row(state, inode=inode)], [], Counts())
        assert found
        assert not any(sockets.is_told(change.row, change.owner, shared) for change in found), "the other one does"
    # The same addresses once more, and nobody has accepted it yet.
    [_, *found] = looks.changes.look([row("SYN-SENT")], [], Counts())
    assert all(sockets.is_told(change.row, change.owner, shared) for change in found)
    shared = "other"
    looks = Looks()
    for state, inode in (("ESTAB", 7), ("TIME-WAIT", 0)):
        found = looks.changes.look([row(state, inode=inode)], [], Counts())
        assert all(sockets.is_told(change.row, change.owner, shared) for change in found)


def test_what_a_probe_knows_of_others_is_what_it_was_told_last(tmp_path, monkeypatch):
    monkeypatch.setattr(sockets, "SHARES", "first")
    monkeypatch.setattr(sockets, "SHARES_NOW", str(tmp_path / "shares"))
    assert sockets.shares() == "first", "as the probe was made"
    for word in ("", "first"):
        sockets.learn(word)
        assert sockets.shares() == word
    assert [file.name for file in tmp_path.iterdir()] == ["shares"]


class Kernel:
    """Stands in for the kernel's table and for what it tells by itself."""

    def __init__(self):
        self.lost, self.rows, self.counts = 0, [], Counts()

    def read(self):
        return []

    def look(self, proto):
        return self.rows if proto == "tcp" else []


def test_ends_that_the_kernel_had_no_room_to_tell_of_are_told_as_missing(monkeypatch):
    kernel, told = Kernel(), []
    for name in ("Destroyed", "Diag", "Counters"):
        monkeypatch.setattr(watch, name, lambda: kernel)
    looking = watch.Watch(lambda changes: told.append([change.after for change in changes]), told.append)
    looking._look(True)
    kernel.lost, kernel.rows = 2, [row("SYN-SENT")]
    looking._look(True)
    looking._look(True)
    kernel.lost, kernel.rows = 3, []
    looking._look(True)
    assert told == [2, ["SYN-SENT"], 1, ["CLOSED"]], "each time once, before what was found then"


class Busy(Kernel):
    """A kernel that counts how often it is asked, and whose counters move when a test says so."""

    def __init__(self):
        super().__init__()
        self.looks, self.value, self.datagrams = {"tcp": 0, "udp": 0}, 0, []

    def read(self):
        return self.value

    def look(self, proto):
        self.looks[proto] += 1
        return self.rows if proto == "tcp" else self.datagrams


class Pipe:
    """Something that wakes; `end` is where a test writes."""

    def __init__(self):
        self.source, self.end = os.pipe()
        os.set_blocking(self.source, False)

    def fileno(self):
        return self.source

    def forget(self):
        with contextlib.suppress(BlockingIOError):
            while os.read(self.source, 4096):
                pass


class Destroyed(Pipe):
    lost = 0

    def read(self):
        self.forget()
        return []


@pytest.fixture
def idle(monkeypatch):
    """A watch at a kernel that does nothing: `idle.until(seconds or a condition)` lets it look on."""
    kernel, packets, destroyed, line = Busy(), Pipe(), Destroyed(), Pipe()
    for name in ("Diag", "Counters", "Quiet"):
        monkeypatch.setattr(watch, name, lambda: kernel)
    monkeypatch.setattr(watch, "Destroyed", lambda: destroyed)
    monkeypatch.setattr(watch, "packets", lambda: packets)
    told = []
    looking = watch.Watch(lambda changes: told.extend(change.after for change in changes), told.append)
    lifeline = Lifeline(line.source)

    def until(condition, within=5.0):
        end = time.monotonic() + within
        looking.run(lifeline, lambda: not condition() and time.monotonic() < end)
        assert condition(), "it did not come true in time"

    def rest(seconds):
        end = time.monotonic() + seconds
        looking.run(lifeline, lambda: time.monotonic() < end)

    yield SimpleNamespace(
        kernel=kernel, packets=packets, destroyed=destroyed, line=line, told=told, until=until, rest=rest
    )
    for pipe in (packets, destroyed, line):
        os.close(pipe.source)
        os.close(pipe.end)


def test_what_happens_before_the_first_packet_is_no_beginning(idle):
    """A watch says that it watches before it first sleeps; what wakes it then must not be taken for what was there."""
    idle.kernel.value, idle.kernel.rows = 1, [row("SYN-SENT")]
    os.write(idle.packets.end, b"x")
    idle.until(lambda: idle.told)
    assert idle.told == ["SYN-SENT"]


def test_nothing_is_looked_at_while_nothing_happens(idle):
    idle.until(lambda: idle.kernel.looks["tcp"] == 1)
    idle.rest(0.6)
    assert idle.kernel.looks["tcp"] == 1, "the whole table is looked at every second at most"
    assert idle.kernel.looks["udp"] <= 3, "nor that of UDP, whose text shows that it is as it was"
    idle.rest(watch.SLOW)
    assert idle.kernel.looks["tcp"] >= 2, "and in any case now and then"


@pytest.mark.parametrize("wakes", ["packets", "destroyed"])
def test_what_happens_is_looked_for_at_once(idle, wakes, monkeypatch):
    idle.rest(0.3)
    for name in ("TICK", "SLOW"):  # so that nothing but the sign can be why it is found
        monkeypatch.setattr(watch, name, 60.0)

    def happen():
        idle.kernel.value, idle.kernel.rows = 1, [row("SYN-SENT")]
        os.write(getattr(idle, wakes).end, b"x")

    threading.Timer(0.1, happen).start()
    idle.until(lambda: idle.told)
    assert idle.told == ["SYN-SENT"]
    idle.kernel.value, idle.kernel.rows = 2, [row("ESTAB")]
    idle.until(lambda: len(idle.told) == 2)
    assert idle.told[1] == "ESTAB"


def test_what_happens_in_the_moment_of_falling_asleep_is_looked_for_at_once(idle, monkeypatch):
    """Its packet came after the last look, and before those that came while the watch was awake are forgotten."""
    idle.rest(0.3)
    monkeypatch.setattr(watch, "TICK", 30.0)
    monkeypatch.setattr(watch, "SLOW", 60.0)
    forget, begun = idle.packets.forget, time.monotonic()

    def last_moment():
        if not idle.kernel.rows:
            idle.kernel.value, idle.kernel.rows = 1, [row("SYN-SENT")]
        forget()

    idle.packets.forget = last_moment
    idle.until(lambda: idle.told)
    assert time.monotonic() - begun < 20, "it was not slept over"


def test_a_call_asks_for_datagram_sockets_too(idle):
    idle.rest(0.3)
    idle.kernel.datagrams = [row("ESTAB", proto="udp")]
    os.write(idle.line.end, b"\n")
    os.write(idle.line.end, WAKE)
    idle.until(lambda: idle.told, within=1)
    assert idle.told == ["ESTAB"]


def test_without_a_packet_it_is_found_a_moment_later(idle):
    idle.rest(0.3)
    idle.kernel.value, idle.kernel.rows = 1, [row("LISTEN", peer=None)]
    idle.until(lambda: idle.told, within=1)


def test_what_no_packet_tells_of_is_in_the_kernels_text():
    quiet = watch.Quiet()
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp, socket.socket() as other:
        for act in (
            lambda: tcp.bind(("127.0.0.1", 0)) or tcp.listen(),
            lambda: udp.bind(("127.0.0.1", 0)),
            lambda: udp.connect(("127.0.0.1", 9)),
            lambda: other.bind(("127.0.0.1", 0)) or other.listen(),
        ):
            before = quiet.read()
            act()
            assert quiet.read() != before
        with contextlib.ExitStack() as stack:  # more than a page of them: the last one counts
            for _ in range(64):
                last = stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))
                last.bind(("127.0.0.1", 0))
            before = quiet.read()
            last.connect(("127.0.0.1", 9))
            assert quiet.read() != before


def test_other_namespaces_do_not_wake():
    """Of /proc/net/sockstat some numbers are the whole machine's."""
    text = (
        b"sockets: used 59\nTCP: inuse 2 orphan 1 tw 3 alloc 124 mem 237\nUDP: inuse 0 mem 15\nFRAG: inuse 0 memory 9\n"
    )
    assert watch._OTHERS.sub(b"", text) == b"sockets: used 59\nTCP: inuse 2 tw 3\nUDP: inuse 0\nFRAG: inuse 0\n"


def taken(packet: bytes) -> int:
    """What the filter of packets.py gives: an interpreter of the four instructions of bpf(4) that it has."""
    at = value = 0
    while True:
        code, holds, fails, k = packets._PROGRAM[at]
        at += 1
        if code == packets._LOAD:
            value = packet[k]
        elif code == packets._SHIFT:
            value >>= k
        elif code == packets._EQUAL:
            at += holds if value == k else fails
        else:
            return k


@pytest.mark.parametrize(("number", "wakes"), [(6, 1), (17, 1), (1, 1), (58, 1), (2, 0), (89, 0)])
def test_packets_that_wake(number, wakes):
    assert taken(bytes([0x45, *bytes(8), number, *bytes(10)])) == wakes
    assert taken(bytes([0x60, *bytes(5), number, *bytes(33)])) == wakes
    assert taken(bytes([0x00, 0x01, 0x08, 0x00, 6, 4, number, 1, 6, number])) == 0, "ARP"


@pytest.fixture
def looked(monkeypatch):
    """Watches for changes with `cat` in place of what looks at sockets: what it is told it gives back."""
    monkeypatch.setattr(recorder, "Diag", lambda: None)
    monkeypatch.setattr(watching, "COMMAND", ("cat",))
    found = watching.Watching(Loop())
    yield found
    found.leave(None)


def test_a_recorder_keeps_what_is_missing_beside_the_states(looked):
    published = []
    keeping = recorder.Recorder(
        looked._loop, lambda kind, line: published.append((kind, json.loads(line)["event"])), looked
    )
    keeping.histories, keeping.since = {kind: History() for kind in recorder.KINDS}, 1
    looked.join(keeping, watching.Member(keeping._begin, keeping._states, keeping._begin))
    for event in ("watching", "socket-state", "missed"):
        looked._write(event_line(event) + b"\n")
    looked._loop.run(lambda: len(published) == 2)
    assert published == [("states", "socket-state"), ("states", "missed")]
    assert len(keeping.histories["states"].since(0)) == 2
    keeping.stop()
    assert looked._child is None


def test_a_recording_can_be_ended_whose_watch_has_ended(looked, monkeypatch):
    monkeypatch.setattr(watching, "COMMAND", ("true",))
    keeping = recorder.Recorder(looked._loop, lambda kind, line: None, looked)
    looked.join(keeping, watching.Member(keeping._begin, keeping._states, keeping._begin))
    looked._child.wait(20)
    looked._write(WAKE)
    keeping.stop()
    assert looked._child is None


def test_it_records_once_sockets_are_watched_too(looked, monkeypatch):
    monkeypatch.setattr(recorder.owners, "pids", lambda: [1])
    monkeypatch.setattr(recorder, "_tracer", lambda pid: 0)
    monkeypatch.setattr(recorder.Recorder, "_follow_new", lambda self: None)

    class Tracer:
        def __init__(self, loop, pids, happened, attached, let_go):
            self.refused: dict[int, str] = {}
            loop.later(0, lambda: attached(self))

        def stop(self):
            pass

    monkeypatch.setattr(recorder, "Tracer", Tracer)
    loop, told = looked._loop, []
    keeping = recorder.Recorder(loop, lambda kind, line: None, looked)
    keeping.start(told.append)
    over: list[bool] = []
    loop.later(0.1, lambda: over.append(True))
    loop.run(lambda: bool(over))
    assert told == [], "the watch has not begun"
    begun = keeping.since
    looked._write(event_line("watching") + b"\n")
    loop.later(20, lambda: over.append(True))
    loop.run(lambda: bool(told) or len(over) > 1)
    assert told == [{}]
    assert keeping.since > begun
    keeping.stop()


def test_the_last_call_of_a_row_wakes_the_watch_too(looked):
    """socket(2), and at once connect(2) of UDP: of that no counter and no packet tells."""
    loop, written = looked._loop, []
    looked._child = SimpleNamespace(stdin=SimpleNamespace(write=written.append, flush=lambda: None))
    for _ in range(3):
        looked.called()
    assert written == [WAKE]
    over: list[bool] = []
    loop.later(10 * watching.WAKE, lambda: over.append(True))
    loop.run(lambda: bool(over))
    assert written == [WAKE, WAKE], "and no more of them than that"
    looked._child = None


def test_history_is_bounded_and_says_so():
    history = History(count=3, size=100)
    for moment in range(5):
        history.add(moment, b"x" * 10)
    assert (history.since(0), history.cut, history.cut_until) == ([(at, b"x" * 10) for at in (2, 3, 4)], 2, 1)
    assert len(history.since(4)) == 1
    history.add(5, b"y" * 95)
    assert history.since(0) == [(5, b"y" * 95)]
    assert history.cut == 5
