"""What an HTTP server says, on its way to a terminal or to a file."""

import socket
import threading

import pytest

from labctl.engine.memory import Execution
from labctl.engine.model import Line, Port
from labctl.errors import LabError
from labctl.lab.roles import http
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


ANSWER = b'{"status": 200, "reason": "OK", "body": "", "local": ["a", 1], "peer": ["b", 2], "bytes": 0}'


@pytest.fixture
def several(engine, lab_of):
    """A scaled service, a node with another's network, and one of each family."""
    for number in "12":
        made = engine.add("lab", "pool", addresses={"net": (f"10.77.0.1{number}",)})
        made.record.labels["com.docker.compose.container-number"] = number
    ports = (Port("tcp", 8080, "127.0.0.1", 18080),)
    app = engine.add("lab", "app", addresses={"net": ("10.77.0.2",)}, ports=ports)
    engine.add("lab", "side", network_of=app.record.id)
    engine.add("lab", "six", addresses={"net": ("fd00::6",)}, network_of="")
    return lab_of()


@pytest.fixture
def asked(engine):
    """What the node `asker` is told to run, one command after the other."""
    commands = []

    def run(command):
        commands.append(command)
        return Execution([Line(ANSWER)])

    engine.add("lab", "asker", addresses={"net": ("10.77.0.9", "fd00::9")}).commands = run
    return commands


@pytest.mark.parametrize(
    ("node", "host", "shown"),
    [
        ("app", "app", "app"),
        ("six", "six", "six"),
        ("pool-2", "10.77.0.12", "10.77.0.12"),  # `pool` is any of them, and `pool-2` nobody
        ("side", "10.77.0.2", "10.77.0.2"),
    ],
)
def test_a_server_whose_name_no_name_server_knows(engine, asked, several, node, host, shown):
    found = http.get(engine, several, node, f"http://{node}:80/x", source="asker")
    assert asked[0][3:6] == [host, "80", "/x"]
    assert found.url == f"http://{shown}:80/x"


def test_what_is_published_of_a_network_is_so_of_all_on_it(engine, several, monkeypatch):
    monkeypatch.setattr(http.http_exchange, "exchange", lambda *of: {"status": 200, "of": of})
    found = http.get(engine, several, "side", "/")
    assert found.seen["of"][:2] == ("127.0.0.1", 18080)
