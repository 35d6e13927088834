"""http-hello beside h11, llhttp (httptools) and nginx, on the raw requests of another server's test suite.

A server that takes a request which all others refuse, or sees another body or another next request than they do, is one
that requests can be smuggled past. Behind each request of the corpus stands one of ours: whoever finds it there, as the
next request, has read the same body.
"""

import contextlib
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import corpus
import docker
import h11
import httptools
import pytest

SENTINEL = b"GET /sentinel HTTP/1.1\r\nHost: sentinel\r\nConnection: close\r\n\r\n"
NGINX = """
server {
    listen 8080 default_server;
    large_client_header_buffers 4 32k;
    merge_slashes off;
    location / { return 200 "$request_method $request_uri\\n"; }
}
"""
FOREIGN = Path(__file__).parents[1] / "e2e" / "foreign"


class Seen(NamedTuple):
    """One request that a server took, whole."""

    method: str
    target: str
    body: int  # bytes


@pytest.fixture(scope="module")
def requests():
    found = corpus.requests()
    assert len(found) > 140
    return found


@pytest.fixture(scope="module")
def web(module_lab):
    options = {"mem_limit": "128m", "ulimits": [docker.types.Ulimit(name="nofile", soft=8192, hard=8192)]}
    return module_lab.node("http-hello", "web", publish=("8080/tcp",), env={"REQUEST_TIMEOUT": "1"}, **options)


@pytest.fixture(scope="module")
def nginx(engine, debian, labels):
    name = "labctl/test-nginx"
    command = ["docker", "build", "--quiet", "--target", "nginx", "--tag", name, "--build-arg", f"DEBIAN={debian}"]
    built = subprocess.run([*command, str(FOREIGN)], capture_output=True, text=True, timeout=600, check=False)
    assert built.returncode == 0, f"{name} can't be built: {built.stderr}"
    start = f"printf '%s' '{NGINX}' > /etc/nginx/conf.d/default.conf && exec nginx -g 'daemon off;'"
    ports = {"8080/tcp": ("127.0.0.1", None)}
    server = engine.containers.run(name, ["sh", "-c", start], detach=True, init=True, ports=ports, labels=labels)
    try:
        server.reload()
        yield "127.0.0.1", int(server.ports["8080/tcp"][0]["HostPort"])
    finally:
        server.remove(force=True)


def ask(where: tuple[str, int], data: bytes) -> bytes:
    """Sends the bytes, and closes its direction; all that comes back."""
    with socket.create_connection(where, timeout=20) as sock:
        sock.sendall(data)
        sock.shutdown(socket.SHUT_WR)
        answer = b""
        with contextlib.suppress(ConnectionResetError):
            while more := sock.recv(65536):
                answer += more
    return answer


def of_web(web, data: bytes) -> list[Seen]:
    since = web.mark()
    ask(web.port(8080), data)
    web.wait("close", since, proto="tcp")
    refused = {id(event) for event in _refusals(web.journal[since:])}
    answered = [event for event in web.events("response", since) if id(event) not in refused]
    return [Seen(event["method"], event["target"], event.get("body", 0)) for event in answered]


def _refusals(journal: list[dict]) -> list[dict]:
    """The responses that an error stands before: what they answer was no request."""
    found, failed = [], False
    for event in journal:
        failed = failed or event["event"] == "error"
        if failed and event["event"] == "response":
            found.append(event)
    return found


def of_nginx(where, data: bytes) -> list[Seen]:
    """Of nginx it isn't known how long a body was; what it has taken for the next request tells."""
    found = re.findall(rb"HTTP/1.1 (\d+) .*?\r\n\r\n(?:(\S+) (\S+)\n)?", ask(where, data), re.S)
    return [Seen(method.decode(), target.decode("latin-1"), -1) for code, method, target in found if code == b"200"]


def of_h11(data: bytes) -> list[Seen]:
    found: list[Seen] = []
    while data:
        parser, request, size = h11.Connection(h11.SERVER, 16 * 1024), None, 0
        parser.receive_data(data.lstrip(b"\r\n"))
        while True:
            try:
                event = parser.next_event()
            except h11.RemoteProtocolError:
                return found
            if isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                size += len(event.data)
            elif isinstance(event, h11.EndOfMessage):
                break
            else:
                return found
        assert request
        found.append(Seen(request.method.decode(), request.target.decode("latin-1"), size))
        data = parser.trailing_data[0]
    return found


class Llhttp:
    """The callbacks of httptools."""

    def __init__(self):
        self.found: list[Seen] = []
        self.target, self.size = b"", 0

    def on_message_begin(self):
        self.target, self.size = b"", 0

    def on_url(self, url):
        self.target += url

    def on_body(self, body):
        self.size += len(body)

    def on_message_complete(self):
        method = self.parser.get_method().decode()  # type: ignore[attr-defined]
        self.found.append(Seen(method, self.target.decode("latin-1"), self.size))


def of_llhttp(data: bytes) -> list[Seen]:
    seen = Llhttp()
    parser = seen.parser = httptools.HttpRequestParser(seen)  # type: ignore[attr-defined]
    with contextlib.suppress(httptools.HttpParserError, httptools.HttpParserUpgrade):
        parser.feed_data(data)
    return seen.found


def variants(requests: dict[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """Each request as it is, and with the Host header that most of them lack; else that would be all that is wrong."""
    for name, data in requests.items():
        yield name, data + SENTINEL
        line, end, rest = data.partition(b"\r\n")
        if end and b"\nhost" not in data.lower():
            yield f"{name} with a host", line + end + b"Host: web" + end + rest + SENTINEL


def differs(one: Seen, other: Seen) -> bool:
    return one[:2] != other[:2] or (-1 not in (one.body, other.body) and one.body != other.body)


def test_nothing_is_taken_that_all_others_refuse_and_nothing_else_is_seen(web, nginx, requests):
    wrong = []
    taken = 0
    for name, data in variants(requests):
        ours = of_web(web, data)
        theirs = {"h11": of_h11(data), "llhttp": of_llhttp(data), "nginx": of_nginx(nginx, data)}
        taken += len(ours)
        for number, seen in enumerate(ours):
            others = [found[number] for found in theirs.values() if len(found) > number]
            if not others or all(differs(seen, other) for other in others):
                wrong.append(f"{name}: request {number + 1} is {seen}; others have {theirs}")
    assert not wrong, "\n".join(wrong)
    assert taken > 120
    assert not web.stray
