"""What an HTTP server says, on its way to a terminal or to a file."""

import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from labctl.engine.docker.endpoint import Endpoint
from labctl.engine.memory import Execution
from labctl.engine.model import Line, Port
from labctl.errors import LabError
from labctl.lab.life import waiting
from labctl.lab.roles import http, http_exchange
from labctl.lab.roles.http_exchange import exchange
from labctl.render.text import for_terminal


def served(answer: bytes) -> http.Exchange:
    """One answer of a server that says just this."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            sock, _ = server.accept()
            with sock:
                sock.recv(65536)
                sock.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        seen = exchange("127.0.0.1", server.getsockname()[1], "/", 10)
        thread.join(10)
    return http.Exchange("http://x/", "here", seen)


HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


@pytest.mark.parametrize("body", [b"plain\n", b"\xff\xfe\x00\x80binary", "wörld €".encode(), b"", b"\x1b[2J\x9b"])
def test_a_body_is_kept_as_it_came(body):
    assert served(HEAD + body).content == body


def test_what_is_no_text_is_known():
    assert served(HEAD + b"text\x1b").is_text
    assert not served(HEAD + b"\xff").is_text
    assert not served(HEAD + b"a\0b").is_text


def test_nothing_that_a_terminal_acts_on_reaches_it():
    shown = for_terminal("one\ttwo\r\n\x1b]0;title\x07\x9b2J\u202eend\n")
    assert shown == "one\ttwo\n\\u001b]0;title\\u0007\\u009b2J\\u202eend\n"


@pytest.mark.parametrize("url", ["http:///", "http:///x", "http://"])
def test_a_url_without_a_host_is_none(url):
    with pytest.raises(LabError, match="names no host"):
        http._parse(url)


class Asked:
    """Notes what a node is told to run."""

    def __init__(self, engine, lab, node="asker"):
        self.command = []
        engine._get(lab.node(node).container.id).commands = self.run

    def run(self, command):
        self.command = command
        answer = b'{"status": 200, "reason": "OK", "body": "", "local": ["a", 1], "peer": ["b", 2], "bytes": 0}'
        return Execution([Line(answer)])


@pytest.fixture
def several(engine, lab_of):
    """A scaled service, a node with another's network, and one of each family."""
    engine.publishes = True
    for number in "12":
        made = engine.add("lab", "pool", addresses={"net": (f"10.77.0.1{number}",)})
        made.record.labels["com.docker.compose.container-number"] = number
    ports = (Port("tcp", 8080, "127.0.0.1", 18080),)
    app = engine.add("lab", "app", addresses={"net": ("10.77.0.2",)}, ports=ports)
    engine.add("lab", "side", network_of=app.record.id)
    engine.add("lab", "six", addresses={"net": ("fd00::6",)}, network_of="")
    engine.add("lab", "asker", addresses={"net": ("10.77.0.9", "fd00::9")})
    return lab_of()


@pytest.mark.parametrize(
    ("node", "host", "shown"),
    [
        ("app", "app", "app"),
        ("six", "six", "six"),
        ("pool-2", "10.77.0.12", "10.77.0.12"),  # `pool` is any of them, and `pool-2` nobody
        ("side", "10.77.0.2", "10.77.0.2"),
    ],
)
def test_a_server_whose_name_no_name_server_knows(engine, several, node, host, shown):
    asked = Asked(engine, several)
    found = http.get(engine, several, node, f"http://{node}:80/x", source="asker")
    assert asked.command[3:6] == [host, "80", "/x"]
    assert found.url == f"http://{shown}:80/x"


def test_what_is_published_of_a_network_is_so_of_all_on_it(engine, several, monkeypatch):
    monkeypatch.setattr(http_exchange, "exchange", lambda *of: {"status": 200, "of": of})
    found = http.get(engine, several, "side", "/")
    assert found.seen["of"][:2] == ("127.0.0.1", 18080)


def test_a_node_without_python_is_told(engine, several):
    engine._get(several.node("asker").container.id).commands = lambda command: Execution(
        [Line(b'OCI runtime exec failed: exec failed: "python3": executable file not found in $PATH: unknown')], 127
    )
    with pytest.raises(LabError, match="executable file not found") as found:
        http.get(engine, several, "app", "http://app:80/", source="asker")
    assert found.value.code == "http-failed"


@contextmanager
def dripping(wait: float = 0.05):
    """A server whose answer begins at once and never ends: one byte after the other."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            sock, _ = server.accept()
            with sock:
                sock.recv(65536)
                sock.sendall(HEAD)
                try:
                    while not over.wait(wait):
                        sock.sendall(b"x")
                except OSError:
                    over.set()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield server.getsockname()[1], over
        finally:
            over.set()
            thread.join(10)


def test_the_limit_is_for_the_whole_answer():
    with dripping() as (port, over):
        begun = time.monotonic()
        seen = exchange("127.0.0.1", port, "/", 0.5)
        assert seen["error"] == "TimeoutError"
        assert seen["reason"] == "it took longer than 0.5 s until the whole answer was there"
        assert time.monotonic() - begun < 5
        assert over.wait(10), "nobody goes on reading"


def test_what_asks_in_a_node_ends_at_its_limit():
    with dripping() as (port, _):
        program = Path(http_exchange.__file__).read_text()
        command = [sys.executable, "-c", program, "127.0.0.1", str(port), "/", "0.5"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
    assert '"error": "TimeoutError"' in done.stdout


@pytest.mark.parametrize(
    ("url", "machine"),
    [
        ("unix:///var/run/docker.sock", None),
        ("tcp://localhost:2375", None),
        ("tcp://127.0.0.1:2375", None),
        ("ssh://me@far", "far"),
        ("tcp://[fd00::9]:2375", "fd00::9"),
    ],
)
def test_the_engines_machine(url, machine):
    assert Endpoint(url, "DOCKER_HOST").machine == machine


def test_a_port_of_the_engines_machine_alone_is_not_asked_for_here(engine, several):
    """This machine's 127.0.0.1 may be anything."""
    engine.machine = "far"
    with pytest.raises(LabError, match="127.0.0.1 of far"):
        http.get(engine, several, "app", "/")
    with pytest.raises(LabError, match="127.0.0.1 of far"):
        waiting.for_answer(engine, several, "app:8080", None, timeout=1)
    asked = Asked(engine, several)
    http.get(engine, several, "app", "http://app:8080/", source="asker")
    assert asked.command, "a node may ask"


@pytest.mark.parametrize("host", ["0.0.0.0", "", None])
def test_a_port_of_all_addresses_is_asked_for_at_the_engines_machine(engine, lab_of, monkeypatch, host):
    engine.add("lab", "app", addresses={"net": ("10.77.0.2",)}, ports=(Port("tcp", 8080, host, 18080),))
    engine.machine, engine.publishes = "far", True
    monkeypatch.setattr(http_exchange, "exchange", lambda *of: {"status": 200, "of": of})
    assert http.get(engine, lab_of(), "app", "/").seen["of"][:2] == ("far", 18080)
