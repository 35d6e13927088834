"""What records at a node, as it answers: over its socket, with a recorder that traces nothing."""

import contextlib
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import process_probe
import pytest
from labprocess import lifeline, watching
from labprocess.backlog import Backlog
from labprocess.history import History
from labprocess.lifeline import Lifeline

from labnode.loop import Loop

SERVICES = Path(__file__).parents[2] / "services"
LINE = b'{"event":"syscall","n":%d}'


class Recorder:
    """What is to be recorded is given to it."""

    def __init__(self, loop, publish, watching):
        self.publish = publish
        self.since: int | None = None
        self.histories: dict[str, History] = {}

    def start(self, ready) -> None:
        if self.since is None:
            self.since = 1
            self.histories = {kind: History() for kind in ("calls", "waits", "states")}
        ready({})

    def stop(self, over=lambda: None) -> None:
        self.since, self.histories = None, {}
        over()


class Client:
    """Whoever asks."""

    def __init__(self, loop: Loop, address: str, **request):
        self._loop, self.data, self.ended = loop, b"", False
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.connect(address)
        self._socket.setblocking(False)
        self._socket.sendall(json.dumps(request).encode() + b"\n")

    def read(self) -> None:
        """What there is now."""
        try:
            while not self.ended:
                found = self._socket.recv(1 << 20)
                self.data += found
                self.ended = not found
        except BlockingIOError:
            return

    def until(self, true) -> None:
        """Reads on until something is true."""

        def enough() -> bool:
            self.read()
            return true()

        self._loop.run(enough)

    def close(self) -> None:
        self._socket.close()

    def all(self) -> list[dict]:
        self.until(lambda: self.ended)
        self._socket.close()
        return self.events()

    def events(self) -> list[dict]:
        return [json.loads(line) for line in self.data.split(b"\n") if line]


@pytest.fixture
def probe(tmp_path, monkeypatch):
    monkeypatch.setattr(process_probe, "ADDRESS", str(tmp_path / "processes"))
    monkeypatch.setattr(process_probe, "Recorder", Recorder)
    found = process_probe.ProcessProbe(Loop())
    found.ask = lambda **request: Client(found.loop, process_probe.ADDRESS, **request)
    yield found
    found.close()


def names(events: list[dict]) -> list[str]:
    return [event["event"] for event in events]


@pytest.mark.parametrize("request_", [{"do": "start"}, {"do": "read", "kinds": ["calls"]}, {"do": "stop"}])
def test_an_answer_ends_with_a_word_that_this_was_all(probe, request_):
    assert names(probe.ask(**request_).all()) == ["recording", "complete"]


def test_only_who_began_takes_it_back(probe):
    assert probe.ask(do="start", mark="mine").all()[0]["fresh"] is True
    assert probe.ask(do="start", mark="yours").all()[0]["fresh"] is False
    assert probe.ask(do="stop", mark="yours").all()[0]["since"]
    assert probe.ask(do="read", kinds=[]).all()[0]["since"], "it was not theirs to end"
    assert probe.ask(do="stop", mark="mine").all()[0]["since"]
    assert probe.ask(do="read", kinds=[]).all()[0]["since"] is None
    probe.ask(do="start", mark="mine").all()
    probe.ask(do="stop").all()
    assert probe.ask(do="read", kinds=[]).all()[0]["since"] is None, "without a mark anybody's"


def record(probe, kind: str, moment: int, line: bytes) -> None:
    probe._recorder.histories[kind].add(moment, line)
    probe._recorder.publish(kind, line)


def test_what_was_recorded_is_told_whatever_its_size(probe, monkeypatch):
    """A reader that takes its time is waited for: it is kept anyway."""
    monkeypatch.setattr(process_probe, "Backlog", lambda: Backlog(1000))
    probe.ask(do="start").all()
    for moment in range(10_000):
        record(probe, ("calls", "waits")[moment % 2], moment, LINE % moment)
    found = probe.ask(do="read", kinds=["calls", "waits"], since=10).all()
    assert names(found) == ["recording", *["syscall"] * 9990, "complete"]
    assert [event["n"] for event in found[1:-1]] == list(range(10, 10_000)), "in order of time, whatever their kind"


def test_the_last_seconds_are_those_of_its_own_clock(probe, monkeypatch):
    """The day that begins meanwhile makes no difference."""
    midnight = 1_795_305_600_000_000_000  # 2026-11-22T00:00:00Z
    second = 1_000_000_000
    probe.ask(do="start").all()
    probe._recorder.since = midnight - 2 * second
    for moment in (-1, 1, 3):
        record(probe, "calls", midnight + moment * second, LINE % (moment + 1))
    monkeypatch.setattr(process_probe.time, "time_ns", lambda: midnight + 4 * second)

    def told(**asked) -> tuple[str, list[int]]:
        head, *events, _ = probe.ask(do="read", kinds=["calls"], **asked).all()
        return head["begin"], [event["n"] for event in events]

    assert told(last=3 * second) == ("2026-11-22T00:00:01.000000000Z", [2, 4])
    assert told(last=60 * second) == ("2026-11-21T23:59:58.000000000Z", [0, 2, 4])
    assert told(since=midnight) == ("2026-11-22T00:00:00.000000000Z", [2, 4])


def test_one_who_follows_and_is_too_slow_is_told_how_much_is_missing(probe, monkeypatch):
    monkeypatch.setattr(process_probe, "Backlog", lambda: Backlog(100_000))
    probe.ask(do="start").all()
    record(probe, "calls", 1, LINE % 0)
    slow, quick = (probe.ask(do="read", kinds=["calls"], follow=True) for _ in range(2))
    for client in (slow, quick):
        client.until(lambda client=client: b"syscall" in client.data)
    count = 0
    while count < 50_000:  # more than its socket and its backlog hold; it reads none of it
        for _ in range(1000):
            record(probe, "calls", 2, LINE % (count := count + 1))
        quick.until(lambda: LINE % count in quick.data)
    found = slow.all()
    assert names(found[:2]) == ["recording", "syscall"]
    assert found[-1]["event"] == "behind"
    assert found[-1]["count"] > 0
    assert [event["n"] for event in found[1:-1]] == list(range(len(found) - 2))
    assert len(found) - 3 + found[-1]["count"] == count
    probe.ask(do="stop").all()
    assert names(quick.all())[-1] == "complete", "who has kept up hears that it was ended"
    assert len(quick.events()) == count + 3


def test_a_backlog_s_limit_is_for_what_happens():
    backlog = Backlog(10)
    backlog.answer([b"x" * 100])
    backlog.add(b"1234567890")
    backlog.add(b"a")
    backlog.add(b"b")
    assert backlog.piece() == b"x" * 100 + b"\n1234567890\n"
    backlog.wrote(105)
    assert backlog.piece() == b"567890\n"
    backlog.wrote(7)
    assert not backlog.is_over
    last = backlog.piece()
    assert json.loads(last) == json.loads(last) | {"event": "behind", "count": 2}
    backlog.wrote(len(last))
    assert backlog.is_over
    assert backlog.piece() == b""


# -- what is run for one labctl


def test_who_was_held_up_listens_before_it_takes_labctl_for_dead(monkeypatch):
    source, sink = os.pipe()
    now = [100.0]
    monkeypatch.setattr(lifeline.time, "monotonic", lambda: now[0])
    line = Lifeline(source)
    os.write(sink, b"\n")
    now[0] += 60
    assert not line.is_cut
    now[0] += 4
    assert not line.is_cut
    now[0] += 2
    assert line.is_cut, "it has not said anything for six seconds"
    os.close(sink)
    os.close(source)


def program(code: str, *arguments: str) -> subprocess.Popen:
    """Code with the probe's programs at hand, labctl's end of its pipes here."""
    paths = os.pathsep.join(str(SERVICES / folder) for folder in ("base", "probe"))
    streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": paths}, **streams)


ASKING = "import sys; from labprocess import asking; asking.ask(sys.argv[2], sys.argv[1])"


@pytest.fixture
def server(tmp_path):
    with socket.socket(socket.AF_UNIX) as found:
        found.bind(str(tmp_path / "processes"))
        found.listen()
        found.settimeout(20)
        yield found


def test_what_the_recorder_says_is_printed_as_it_is(server):
    child = program(ASKING, server.getsockname(), '{"do": "read"}')
    sock, _ = server.accept()
    assert sock.recv(100) == b'{"do": "read"}\n'
    child.stdin.write(b"\n")
    child.stdin.flush()
    sock.setblocking(False)
    written = 0
    with contextlib.suppress(BlockingIOError):  # nobody reads: what can't be printed is not taken
        while written < 10_000_000:
            written += sock.send(b"x" * 10_000)
    assert written < 10_000_000
    sock.close()
    assert child.stdout.read() == b"x" * written
    assert child.wait(20) == 0
    child.communicate()


def test_what_nobody_wants_any_more_is_not_asked(server):
    child = program(ASKING, server.getsockname(), '{"do": "start"}')
    child.stdin.close()
    sock, _ = server.accept()
    assert sock.recv(100) == b""
    assert child.wait(20) == 0
    child.stdin = None
    child.communicate()


LOOKING = """
import sockets, sys
from labprocess.backlog import Backlog
from labprocess.sockets.changes import Change
from labprocess.sockets.diag import Row

row = Row("tcp", "ESTAB", ("10.77.0.5", 7), ("10.77.0.6", 9), 0, 0, 0, 1, 1)

class Watch:
    def __init__(self, tell, miss):
        self.tell, self.miss = tell, miss

    def run(self, line, goes_on):
        assert goes_on()
        self.miss(3)
        for _ in range(5000):
            self.tell([Change(row, "x", "ESTAB", True, None)])
        print("told", file=sys.stderr, flush=True)
        while goes_on():
            line.read()

sockets.Watch, sockets.Backlog = Watch, lambda: Backlog(100_000)
sockets.look(sockets.Lifeline())
"""


def test_a_watch_that_nobody_reads_looks_on_and_tells_what_is_missing():
    child = program(LOOKING)
    assert child.stderr.readline() == b"told\n", "it did not wait for its reader"
    events = [json.loads(line) for line in child.stdout]
    assert events[0]["event"] == "watching"
    assert events[1] == events[1] | {"event": "missed", "times": 3}
    assert events[1]["reason"]
    assert events[2] == events[2] | {"event": "socket-state", "local": ["10.77.0.5", 7], "to": "ESTAB"}
    assert events[-1]["event"] == "behind"
    assert len(events) - 3 + events[-1]["count"] == 5000
    assert child.wait(20) == 0
    child.communicate()


AT_ONCE = """
import os, sys
os.write(3, b"started\\n")
print('{"event":"watching"}', flush=True)
for line in sys.stdin.buffer:
    if b"j" in line:
        print('{"event":"watching"}', flush=True)
    if b"w" in line:
        print('{"event":"socket-state"}', flush=True)
"""


@pytest.fixture
def looks(monkeypatch, tmp_path):
    """In place of what looks at sockets: it begins at once, and tells of a change at each call. How often one ran."""
    file = tmp_path / "looks"
    code = f"import os; os.dup2(os.open({str(file)!r}, os.O_CREAT | os.O_APPEND | os.O_WRONLY), 3)\n"
    # Signs come without a newline: one byte after the other.
    read = "import sys\nfor line in iter(lambda: os.read(0, 1), b''):"
    text = code + AT_ONCE.replace("for line in sys.stdin.buffer:", read)
    monkeypatch.setattr(watching, "COMMAND", (sys.executable, "-c", text))
    return lambda: file.read_text().count("started") if file.exists() else 0


def test_one_program_looks_for_all_who_watch(probe, looks):
    """It costs a node the same whether one watches or ten, and whether it is recorded as well."""
    first, second = probe.ask(do="watch"), probe.ask(do="watch")
    for client in (first, second):
        client.until(lambda client=client: client.events())
    third = probe.ask(do="watch")
    third.until(lambda: third.events())
    probe._watching.called()
    for client in (first, second, third):
        client.until(lambda client=client: len(client.events()) == 2)
        assert names(client.events()) == ["watching", "socket-state"]
    assert looks() == 1
    for client in (first, second):
        client.close()
    probe._watching._wake_timer, probe._watching._woke = None, 0.0
    probe._watching.called()
    third.until(lambda: len(third.events()) == 3)
    child = probe._watching._child
    third.close()
    probe.loop.run(lambda: probe._watching._child is None)
    assert child.returncode is not None, "it ends with the last who watches"
    again = probe.ask(do="watch")
    again.until(lambda: again.events())
    again.close()
    assert looks() == 2


def test_who_watches_hears_that_the_watch_has_ended(probe, monkeypatch):
    monkeypatch.setattr(watching, "COMMAND", (sys.executable, "-c", 'print(\'{"event":"watching"}\')'))
    assert names(probe.ask(do="watch").all()) == ["watching", "error", "complete"]
