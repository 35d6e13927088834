"""The clocks of machines: read from the events that an engine tells on a real socket, each by a thread."""

import json
import queue
import socketserver
import threading
import time

import pytest

from labctl.engine.docker import DockerEngine
from labctl.engine.docker.endpoint import Endpoint
from labctl.engine.machines import Clock, clock_of
from labctl.engine.memory import MemoryEngine
from labctl.engine.several import clocks
from labctl.errors import Cancelled, EngineRefused, LabError

AHEAD = 3_000_000_000  # nanoseconds


class Engine:
    """Tells of each time that a container is attached to, by a clock that is AHEAD; `others` is called before."""

    def __init__(self, folder):
        self.events: queue.Queue[bytes | None] = queue.Queue()
        self.others = lambda: None
        self.status = "200 OK"
        engine = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                line = self.rfile.readline().decode()
                while self.rfile.readline().strip():
                    pass
                if line.startswith("GET /events?filters="):
                    self.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                    while event := engine.events.get():
                        self.wfile.write(b"%x\r\n%b\r\n" % (len(event), event))
                else:
                    assert line.startswith("POST /containers/c/attach?stream=0 "), line
                    engine.others()
                    if engine.status == "200 OK":
                        engine.attached()
                    self.wfile.write(f"HTTP/1.1 {engine.status}\r\n\r\n".encode())

        class Server(socketserver.ThreadingUnixStreamServer):
            daemon_threads = True

            def handle_error(self, *_):
                """Who asked is gone."""

        self.server = Server(str(folder / "engine.sock"), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()
        self.asked = DockerEngine(Endpoint(f"unix://{folder}/engine.sock", "a test"))

    def attached(self):
        self.events.put(json.dumps({"Action": "attach", "timeNano": time.time_ns() + AHEAD}).encode() + b"\n")


@pytest.fixture
def engine(tmp_path):
    made = Engine(tmp_path)
    yield made
    made.events.put(None)
    made.server.shutdown()
    made.server.server_close()


def test_a_clock_as_events_tell_it(engine):
    found = clock_of(engine.asked.times_of_attaching("c", 8, 20))
    assert found
    assert abs(found.offset - AHEAD) <= found.error
    assert found.error < 500_000_000


def test_what_may_be_of_somebody_elses_attaching_is_not_taken(engine):
    engine.others = lambda: engine.attached() if engine.events.empty() else None
    assert engine.asked.times_of_attaching("c", 8, 20) == []


@pytest.mark.parametrize("status", ["409 Conflict", "404 Not Found", "what"])
def test_a_container_that_does_not_run_tells_nothing(engine, status):
    engine.status = status
    assert engine.asked.times_of_attaching("c", 8, 20) == []


def test_where_there_is_no_engine_there_are_no_events(tmp_path):
    assert DockerEngine(Endpoint(f"unix://{tmp_path}/none", "a test")).times_of_attaching("c", 8, 1) == []


class Slow(MemoryEngine):
    """Tells its time once `may` is set, or not at all."""

    def __init__(self):
        super().__init__()
        self.may, self.begun, self.asked, self.problem = threading.Event(), threading.Event(), 0, None

    def info(self):
        self.asked += 1
        self.begun.set()
        assert self.may.wait(30)
        if self.problem:
            raise self.problem
        return {"SystemTime": "2026-11-28T10:00:00.5Z"}


def test_two_clocks_are_measured_at_the_same_time_and_once():
    known, a, b = clocks.Clocks(), Slow(), Slow()
    for machine, engine in (("a", a), ("b", b), ("a", a)):
        known.begin(machine, engine, "c")
    a.may.set()
    assert b.begun.wait(30)
    first = known.of("a", a, "c")
    assert isinstance(first, Clock)
    assert known.of("a", a, "c") is first
    assert (a.asked, b.asked) == (3, 1), "three questions each, the first of which b has yet to answer"
    b.may.set()
    assert known.of("b", b, "c").offset


def test_a_clock_that_could_not_be_measured_is_measured_again():
    known, engine = clocks.Clocks(), Slow()
    engine.problem = EngineRefused("engine-refused", action="tell its time", why="not now")
    engine.may.set()
    with pytest.raises(LabError, match="not now"):
        known.of("a", engine, "c")
    engine.problem = None
    assert known.of("a", engine, "c").offset


def test_who_was_not_cancelled_knows_the_clock():
    known, cancelled, other = clocks.Clocks(), Slow(), Slow()
    cancelled.problem = Cancelled("cancelled")
    known.begin("a", cancelled, "c")
    for engine in (cancelled, other):
        engine.may.set()
    assert known.of("a", other, "c").offset
    known = clocks.Clocks()
    with pytest.raises(Cancelled):
        known.of("a", cancelled, "c")
