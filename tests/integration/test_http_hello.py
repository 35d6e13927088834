"""http-hello in real containers: asked by curl, wget, http.client, asyncio and raw sockets, and its journal read."""

import asyncio
import contextlib
import http.client
import itertools
import json
import random
import re
import shutil
import socket
import struct
import subprocess
import time
from datetime import datetime, timedelta
from html.parser import HTMLParser

import docker
import pytest
from executing import execute
from lacking import lacking

pytestmark = pytest.mark.turn(2)

GREETING = "Hello World, Michael!"
FIREFOX = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
CHROME = (
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,"
    "application/signed-exchange;v=b3;q=0.7"
)
MIB = 1024 * 1024
AS_IN_COMPOSE = {"mem_limit": "128m", "ulimits": [docker.types.Ulimit(name="nofile", soft=8192, hard=8192)]}
HOST = b"Host: web\r\n"
GET = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"


def start(lab, **options):
    """A server of its own; not on the network of the one that is shared, where its name would mean either."""
    return lab.node("http-hello", "web", publish=("8080/tcp",), **{**AS_IN_COMPOSE, **options})


@pytest.fixture(scope="module")
def network(module_lab):
    return module_lab.network(ipv6=True)


@pytest.fixture(scope="module")
def shared(module_lab, network):
    return start(module_lab, network=network)


@pytest.fixture
def web(shared):
    """The server that the tests share. Whatever a test did to it: it goes on, and wrote nothing but events."""
    yield shared
    assert get(shared)[2] == f"{GREETING}\n".encode()
    assert not shared.stray
    assert len(shared.events("ready")) == 1


@pytest.fixture(scope="module")
def guest(module_lab, network):
    """A host on the server's own network: from here is real what a published port's proxy would smooth out."""
    options = {"network": network, "ready": False, **AS_IN_COMPOSE}
    return module_lab.node("http-hello", "guest", command=["sleep", "infinity"], **options)


PRELUDE = """
import json, random, socket, struct, sys, time
from labnode import journal
GET = b"GET / HTTP/1.1\\r\\nHost: web\\r\\n\\r\\n"
def call(data=b"", address="web"):
    sock = socket.create_connection((address, 8080), 20)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sock.sendall(data)
    return sock
def rest(sock):
    data = b""
    while more := sock.recv(65536):
        data += more
    return data.decode("latin-1")
def reset(sock):
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
def tell(**fields):
    print(json.dumps(fields), flush=True)
"""


def inside(guest, script: str, *arguments: str):
    """Runs a script on the guest; what it tells."""
    done = execute(guest.docker.id, "python3", "-c", PRELUDE + script, *arguments)
    assert done.status == 0, done
    return json.loads(done.out)


def beside(lab, network, script: str, **options):
    """A host on the network that runs a script until the test ends, with a journal of its own."""
    options = {"network": network, "ready": False, **AS_IN_COMPOSE, **options}
    return lab.node("http-hello", "crowd", command=["python3", "-c", PRELUDE + script], **options)


def get(web, target="/", method="GET", headers=None, body=None) -> tuple:
    """One exchange of http.client: status, headers, content."""
    caller = http.client.HTTPConnection(*web.port(8080), timeout=20)
    with contextlib.closing(caller):
        caller.request(method, target, body, headers or {})
        response = caller.getresponse()
        return response.status, response.headers, response.read()


def call(web) -> socket.socket:
    return socket.create_connection(web.port(8080), timeout=20)


def rest(sock: socket.socket) -> bytes:
    """All that comes until the server closes its direction."""
    with sock:
        return b"".join(iter(lambda: sock.recv(65_536), b""))


def ask(web, data: bytes) -> bytes:
    """Sends the bytes; all that comes back until the server closes its direction."""
    sock = call(web)
    sock.sendall(data)
    return rest(sock)


def status(answer: bytes | str) -> int:
    return int(answer.split(maxsplit=2)[1])


def statuses(answers: str) -> list[int]:
    return [int(code) for code in re.findall("HTTP/1.1 ([0-9]{3}) ", answers)]


class Wire:
    """A connection that holds several responses, for http.client to read one after the other."""

    def __init__(self, sock: socket.socket):
        self._file = sock.makefile("rb")

    def makefile(self, _mode):
        return self

    def __getattr__(self, name: str):
        return getattr(self._file, name)

    def close(self) -> None:
        pass  # http.client closes its file after each response; there are more to come

    def response(self, method: str = "GET") -> tuple[int, bytes]:
        response = http.client.HTTPResponse(self, method=method)  # type: ignore[arg-type]
        response.begin()
        return response.status, response.read()


def curl(web, *arguments: str, path: str = "/") -> str:
    return run("curl", "--silent", "--show-error", "--max-time", "20", *arguments, url=address(web) + path)


def run(program: str, *arguments: str, url: str) -> str:
    if not shutil.which(program):
        lacking(f"{program} is not installed on this machine")
    done = subprocess.run([program, *arguments, url], capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def address(web) -> str:
    host, port = web.port(8080)
    return f"http://{host}:{port}"


def seconds_of_curl(web, times: int = 5) -> float:
    """How long curl takes for the greeting at the most, process and all."""

    def once() -> float:
        begun = time.monotonic()
        assert curl(web) == f"{GREETING}\n"
        return time.monotonic() - begun

    return max(once() for _ in range(times))


# ---------------------------------------------------------------- the greeting, for programs and for people


def test_curl_and_wget_get_the_greeting_as_text(web):
    assert curl(web) == f"{GREETING}\n"
    assert run("wget", "--quiet", "--output-document=-", url=address(web)) == f"{GREETING}\n"
    code, headers, content = get(web)
    assert (code, headers["Content-Type"], content) == (200, "text/plain; charset=utf-8", f"{GREETING}\n".encode())
    assert headers["Content-Length"] == str(len(content))
    assert time.strptime(headers["Date"], "%a, %d %b %Y %H:%M:%S GMT")
    assert headers["Vary"] == "Accept"


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (FIREFOX, "html"),
        (CHROME, "html"),
        ("text/html", "html"),
        ("TEXT/HTML; charset=utf-8", "html"),
        ("text/html, text/plain", "html"),
        ("text/plain;q=0.4, text/html;q=0.5", "html"),
        ("image/png, text/html;level=1;q=0.7, */*;q=0.1", "html"),
        ("*/*", "plain"),
        ("text/*", "plain"),
        ("text/plain", "plain"),
        ("text/html;q=0", "plain"),
        ("text/html;q=0.000, */*", "plain"),
        ("text/html;q=0.5, */*", "plain"),
        ("text/html;q=0.5, text/*;q=0.6", "plain"),
        ("text/plain, text/html; q=0.9", "plain"),
        ("text/html;q=much", "plain"),
        ("text/html;q=nan", "plain"),
        ("application/json", "plain"),
        ("", "plain"),
        (";;,,;q=,", "plain"),
    ],
)
def test_the_page_is_for_those_who_prefer_it(web, accept, kind):
    code, headers, _ = get(web, headers={"Accept": accept})
    assert (code, headers["Content-Type"]) == (200, f"text/{kind}; charset=utf-8")


def test_two_accept_lines_are_one_list(web):
    lines = b"Accept: text/plain;q=0.2\r\nAccept: text/html;q=0.3\r\nConnection: close\r\n\r\n"
    assert b"\r\nContent-Type: text/html" in ask(web, b"GET / HTTP/1.1\r\n" + HOST + lines)


class Page(HTMLParser):
    """The page's text, its tags and their attributes; an element that isn't closed is an error."""

    def __init__(self, text: str):
        super().__init__()
        self.words: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag != "meta":
            self._open.append(tag)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        if data.strip() and self._open[-1] != "style":
            self.words.append(data.strip())


def test_the_page_shows_what_the_server_saw_of_the_connection(web, guest):
    seen = inside(
        guest,
        """
import http.client
caller = http.client.HTTPConnection("web", 8080, timeout=20)
for n in range(3):
    caller.request("GET", f"/?n={n}", headers={"Accept": "text/html", "X-Colour": "<b>&'red'</b>"})
    page = caller.getresponse().read().decode()
tell(page=page, local=caller.sock.getsockname()[:2], peer=caller.sock.getpeername()[:2])
""",
    )
    page = Page(seen["page"])
    assert page.words[0] == page.words[1] == GREETING  # title and heading
    for end in seen["local"], seen["peer"]:
        place = f"[{end[0]}]:{end[1]}" if ":" in end[0] else f"{end[0]}:{end[1]}"
        assert place in page.words
    assert "Request 3 on this TCP connection" in " ".join(page.words)
    assert "GET /?n=2 HTTP/1.1" in page.words
    rows = dict(zip(page.words, page.words[1:], strict=False))
    assert (rows["Host"], rows["X-Colour"], rows["Accept"]) == ("web:8080", "<b>&'red'</b>", "text/html")


def test_the_page_stands_alone(web):
    code, headers, content = get(web, headers={"Accept": CHROME, "User-Agent": "\xff\xfe\x80"})
    page = Page(content.decode())
    assert code == 200
    assert content.startswith(b"<!doctype html>\n<html lang=")
    assert not {"script", "link", "img", "iframe", "a", "object", "base"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name in ("src", "href", "style") or name.startswith("on")]
    assert b"url(" not in content
    assert b"@import" not in content
    assert b"://" not in content
    assert headers["Content-Security-Policy"].startswith("default-src 'none';")


def test_the_icon(web):
    code, headers, icon = get(web, "/favicon.ico")
    assert (code, headers["Content-Type"]) == (200, "image/vnd.microsoft.icon")
    reserved, kind, images, width, height = struct.unpack_from("<HHHBB", icon)
    assert (reserved, kind, images, width, height) == (0, 1, 1, 16, 16)
    size, offset = struct.unpack_from("<II", icon, 14)
    assert offset + size == len(icon)
    header, width, height, planes, depth = struct.unpack_from("<IiiHH", icon, offset)
    assert (header, width, height, planes, depth) == (40, 16, 32, 1, 1)  # two bitmaps: colours, and what is clear
    rows = struct.unpack_from(">32I", icon, offset + header + 8)
    assert [colour ^ clear for colour, clear in zip(rows[:16], rows[16:], strict=True)] == [0xFFFF0000] * 16


def test_the_greeting_that_the_environment_names(lab):
    web = start(lab, env={"GREETING": "Grüße <&> 👋"})
    assert curl(web) == "Grüße <&> 👋\n"
    assert Page(curl(web, "--header", f"Accept: {FIREFOX}")).words[1] == "Grüße <&> 👋"
    web.type("other", "")
    web.wait("input", count=2)
    assert curl(web) == "Grüße <&> 👋\n"


# ---------------------------------------------------------------- methods and targets


@pytest.mark.parametrize(
    "target", ["/nothing", "/index.html", "//", "/favicon.ico/", "/%2f", "/" + "x" * 9000, "ftp://web/x"]
)
def test_an_unknown_path_is_404(web, target):
    code, headers, content = get(web, target)
    assert (code, content) == (404, b"404 Not Found\n")
    assert headers["Connection"] is None


@pytest.mark.parametrize(
    "target", ["/?", "/?a=/b", "http://web", "HTTP://elsewhere.example:81/?x", "http://[::1]:8080/", "http://web?/no"]
)
def test_queries_and_absolute_targets_are_the_same_place(web, target):
    assert get(web, target)[::2] == (200, f"{GREETING}\n".encode())


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE", "PATCH", "CONNECT"])
def test_a_method_that_is_not_allowed_is_405_and_the_connection_goes_on(web, method):
    sock = call(web)
    target = "web:80" if method == "CONNECT" else "/"
    with sock:
        wire = Wire(sock)
        sock.sendall(f"{method} {target} HTTP/1.1\r\nHost: web\r\nContent-Length: 5\r\n\r\nhello".encode() + GET)
        assert wire.response() == (405, b"405 Method Not Allowed\n")
        assert wire.response() == (200, f"{GREETING}\n".encode())
    assert get(web, "*" if method == "OPTIONS" else target, method)[1]["Allow"] == "GET, HEAD"


@pytest.mark.parametrize("method", ["BREW", "get", "G-T"])
def test_a_method_that_nobody_knows_is_501_and_the_connection_goes_on(web, method):
    """RFC 9110, section 9.1."""
    sock = call(web)
    with sock:
        wire = Wire(sock)
        sock.sendall(f"{method} / HTTP/1.1\r\nHost: web\r\nContent-Length: 5\r\n\r\nhello".encode() + GET)
        assert wire.response() == (501, b"501 Not Implemented\n")
        assert wire.response() == (200, f"{GREETING}\n".encode())
    assert "Allow" not in get(web, "/", method)[1]


@pytest.mark.parametrize(
    "host", ["[v1.fe80::a]", "[::1]:80", "web:", "", "xn--bcher-kva.example", "a%20b", "10.0.0.1:8080"]
)
def test_a_host_of_any_legal_kind(web, host):
    """RFC 9112, section 3.2; RFC 3986, section 3.2.2."""
    assert status(ask(web, f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())) == 200


@pytest.mark.parametrize("target", ["/", "/favicon.ico", "/nothing"])
@pytest.mark.parametrize("accept", ["*/*", FIREFOX])
def test_head_is_get_without_its_content(web, target, accept):
    # The same words on both connections, or the two pages would differ in length by the method's own name.
    code, expected, content = get(web, target, headers={"Accept": accept})
    answer = ask(web, f"HEAD {target} HTTP/1.1\r\nHost: web\r\nAccept: {accept}\r\nConnection: close\r\n\r\n".encode())
    head, _, nothing = answer.partition(b"\r\n\r\n")
    assert (status(head), nothing) == (code, b"")
    given = dict(line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    assert given["Content-Type"] == expected["Content-Type"]
    if "html" not in given["Content-Type"]:
        assert given["Content-Length"] == str(len(content))
    assert "HTTP/1.1 200 OK" in curl(web, "--head")


def test_a_refused_head_has_no_content_either(web):
    answer = ask(web, b"HEAD / HTTP/1.1\r\nHost: web\r\nContent-Length: 99999999\r\n\r\n")
    assert status(answer) == 413
    assert answer.endswith(b"\r\n\r\n")


# ---------------------------------------------------------------- the life of a connection


def test_one_connection_for_many_requests(web):
    opened = "%{num_connects} %{http_code} %{http_version}\n"
    urls = (address(web) + "/no", address(web))
    lines = curl(web, *["--output", "/dev/null"] * 3, "--write-out", opened, *urls).splitlines()
    assert lines == ["1 404 1.1", "0 200 1.1", "0 200 1.1"]


def test_connection_close(web, guest):
    for line in b"Connection: close", b"connection: Keep-Alive,  CLOSE", b"Connection: x\r\nConnection: close":
        answer = ask(web, b"GET / HTTP/1.1\r\n" + HOST + line + b"\r\n\r\n" + GET)
        assert answer.count(b"HTTP/1.1 ") == 1
        assert b"\r\nConnection: close\r\n" in answer
    seen = inside(
        guest,
        """
sock = call(GET[:-2] + b"Connection: close\\r\\n\\r\\n")
ends = [sock.getpeername()[:2], sock.getsockname()[:2]]
rest(sock)
sock.close()
tell(ends=ends)
""",
    )
    closed = web.wait("close", peer=tuple(seen["ends"][1]))
    shutdown = web.events("shutdown", peer=tuple(seen["ends"][1]))[0]
    assert shutdown["sent"] == closed["sent"]  # orderly: our direction first, then the client's


def test_http_1_0(web):
    answer = ask(web, b"GET / HTTP/1.0\r\n\r\n")
    head, _, content = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"\r\nConnection: close" in head
    assert b"ransfer-" not in head
    assert content == f"{GREETING}\n".encode()
    assert ask(web, b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n" + GET).count(b"HTTP/1.1 ") == 1
    assert curl(web, "--http1.0", "--write-out", "%{http_code}") == f"{GREETING}\n200"
    # An HTTP/1.0 client doesn't know of 1xx (RFC 9110, section 10.1.1).
    assert status(ask(web, b"GET / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nab")) == 200


PIPELINE = [
    (b"GET / HTTP/1.1\r\n" + HOST + b"\r\n", "GET", 200),
    (b"HEAD / HTTP/1.1\r\n" + HOST + b"\r\n", "HEAD", 200),
    (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 11\r\n\r\nGET / HTTP/", "POST", 405),
    (b"GET /no HTTP/1.1\n" + b"Host:web\n" + b"\n", "GET", 404),
    (b"\r\n\r\nGET /favicon.ico HTTP/1.1\r\n" + HOST + b"\r\n", "GET", 200),
    (b"PUT / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: t\r\n\r\n", "PUT", 405),
    (b"GET / HTTP/1.1\r\n" + HOST + b"Accept: text/html\r\n\r\n", "GET", 200),
    (b"GET / HTTP/1.1\r\n" + HOST + b"Upgrade: h2c\r\nConnection: Upgrade\r\n\r\n", "GET", 200),
    (b"CONNECT web:80 HTTP/1.1\r\n" + HOST + b"\r\n", "CONNECT", 405),
]


def test_pipelined_requests_are_answered_in_their_order(web):
    sock = call(web)
    with sock:
        sock.sendall(b"".join(request for request, *_ in PIPELINE * 40))
        wire = Wire(sock)
        assert [wire.response(method)[0] for _, method, _ in PIPELINE * 40] == [code for *_, code in PIPELINE * 40]


def test_requests_in_segments_of_one_byte(web, guest):
    stream = b"".join(request for request, *_ in PIPELINE) + GET[:-2] + b"Connection: close\r\n\r\n"
    seen = inside(
        guest,
        """
data = bytes.fromhex(sys.argv[1])
sock = call()
for n in range(len(data)):
    sock.send(data[n : n + 1])
tell(answer=rest(sock), local=sock.getsockname()[:2])
""",
        stream.hex(),
    )
    assert statuses(seen["answer"]) == [code for *_, code in PIPELINE] + [200]
    peer = tuple(seen["local"])
    web.wait("close", peer=peer)
    received = web.events("recv", peer=peer)
    # How many segments one recv(2) finds together is the scheduler's affair; that none is lost or doubled is ours.
    assert [event["offset"] for event in received] == list(
        itertools.accumulate([event["bytes"] for event in received[:-1]], initial=0)
    )
    assert sum(event["bytes"] for event in received) == len(stream)


@pytest.mark.parametrize("seed", range(5))
def test_requests_cut_anywhere(web, guest, seed):
    stream = b"".join(request for request, *_ in PIPELINE) + GET[:-2] + b"Connection: close\r\n\r\n"
    answer = inside(
        guest,
        """
data, cuts = bytes.fromhex(sys.argv[1]), random.Random(sys.argv[2])
sock = call()
while data:
    n = cuts.choice([1, 2, 3, 20, 100, 300])
    sock.send(data[:n])
    data = data[n:]
tell(answer=rest(sock))
""",
        stream.hex(),
        str(seed),
    )["answer"]
    assert statuses(answer) == [code for *_, code in PIPELINE] + [200]


def test_a_client_that_half_closes_gets_all_its_answers(web):
    sock = call(web)
    sock.sendall(GET * 50)
    sock.shutdown(socket.SHUT_WR)
    assert rest(sock).count(b"HTTP/1.1 200 OK") == 50
    sock = call(web)
    sock.sendall(GET + b"GET / HT")
    sock.shutdown(socket.SHUT_WR)
    assert statuses(rest(sock).decode()) == [200, 400]


def test_expect_100_continue(web):
    head = b"GET / HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    sock = call(web)
    with sock:
        sock.sendall(head)
        interim = sock.recv(65_536)
        assert interim == b"HTTP/1.1 100 Continue\r\n\r\n"
        sock.sendall(b"hello" + head + b"again")
        wire = Wire(sock)
        # The second body came along with its head: there was nobody left to tell to go on.
        assert [wire.response(), wire.response()] == [(200, f"{GREETING}\n".encode())] * 2


def test_a_body_that_is_not_wanted_is_not_called_for(web):
    head = b"POST / HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n"
    answer = ask(web, head)
    assert status(answer) == 405
    assert b"100 Continue" not in answer
    assert b"\r\nConnection: close\r\n" in answer
    uploaded = ("--output", "/dev/null", "--write-out", "%{http_code} %{size_upload}")
    assert curl(web, *uploaded, "--header", "Expect: 100-continue", "--data", "hello") == "405 0"


# ---------------------------------------------------------------- what is no request


CHUNKED = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
BAD = {
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400),
    "two hosts": (b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
    "a host that is none": (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    "a host with a path": (b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    "an address that is none": (b"GET / HTTP/1.1\r\nHost: [fe80:::a]\r\n\r\n", 400),
    "a name with a broken escape": (b"GET / HTTP/1.1\r\nHost: a%2\r\n\r\n", 400),
    "a relative target": (b"GET foo/bar HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a host for a target": (b"GET h:80 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a star for a target": (b"GET * HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a URL without a host": (b"GET http:/// HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a URL with a user": (b"GET http://me@web/ HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a CONNECT without a host": (b"CONNECT / HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "no version": (b"GET /\r\n\r\n", 400),
    "no target": (b"GET  HTTP/1.1\r\n\r\n", 400),
    "a space in the target": (b"GET /a b HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "bytes in the target": (b"GET /\xc3\xa4 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a space before the colon": (b"GET / HTTP/1.1\r\nHost : web\r\n\r\n", 400),
    "a header without a colon": (b"GET / HTTP/1.1\r\n" + HOST + b"hello\r\n\r\n", 400),
    "a NUL in a header": (b"GET / HTTP/1.1\r\n" + HOST + b"X: a\0b\r\n\r\n", 400),
    "a folded first header": (b"GET / HTTP/1.1\r\n Host: web\r\n\r\n", 400),
    "a body that ends nowhere": (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n", 400),
    "a length in words": (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: five\r\n\r\n", 400),
    "a length beyond int()": (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: " + b"9" * 5000 + b"\r\n\r\n", 400),
    "two lengths": (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab", 400),
    "length and chunks": (
        b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400
    ),
    "a chunk without a size": (CHUNKED + b"xyz\r\n", 400),
    "a chunk of a negative size": (CHUNKED + b"-6\r\nabcdef\r\n0\r\n\r\n", 400),
    "a chunk that is too long": (CHUNKED + b"1\r\nabc\r\n", 400),
    "a bare CR in a chunk's extension": (CHUNKED + b"1;a=\rb\r\nx\r\n0\r\n\r\n", 400),
    "a NUL in a chunk's extension": (CHUNKED + b"1\r\nx\r\n0;\0\r\n\r\n", 400),
    "a bare CR in a trailer": (CHUNKED + b"0\r\nX: a\rb\r\n\r\n", 400),
    "another transfer coding": (b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: gzip\r\n\r\n", 501),
    "TLS": (bytes.fromhex("16030100f1010000ed0303") + bytes(range(200)), 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "HTTP/0.9 and no more": (b"GET /\n\n", 400),
    "noise": (bytes(random.Random(1).randbytes(5000)), 400),
    "noise with line ends": (b"\xff\n\xfe\r\n\r\n" * 100, 400),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_a_bad_request_is_refused_and_the_connection_closed(web, name):
    data, code = BAD[name]
    since = web.mark()
    answer = ask(web, GET + data + GET)
    assert status(answer) == 200
    second = answer[answer.index(b"HTTP/1.1", 1) :]
    assert (status(second), second.count(b"HTTP/1.1 ")) == (code, 1)
    assert b"\r\nConnection: close\r\n" in second
    assert web.wait("error", since, call="recv")["reason"]
    assert web.wait("response", since, status=code)


@pytest.mark.parametrize("size", [16 * 1024, 60_000, 300_000])
def test_a_head_that_is_too_large_is_431(web, size):
    many = b"".join(b"X-%d: y\r\n" % n for n in range(size // 8))
    for head in (b"GET / HTTP/1.1\r\n" + HOST + b"X: " + b"y" * size, b"GET / HTTP/1.1\r\n" + HOST + many):
        assert status(ask(web, head + b"\r\n\r\n")) == 431
    assert status(ask(web, b"GET /" + b"x" * size)) == 431


def test_a_head_just_within_the_limit(web):
    code, _, content = get(web, headers={"X-Long": '"' * 16_000, "Accept": "text/html"})
    assert code == 200
    assert content.count(b"&quot;") == 16_000


def test_ten_megabytes_without_a_newline(web, guest):
    before = web.memory()
    seen = inside(
        guest,
        """
sock = call()
for _ in range(160):
    sock.sendall(b"x" * 65536)
tell(answer=rest(sock), local=sock.getsockname()[:2])
""",
    )
    assert status(seen["answer"]) == 431  # whole, though it was sent long before the client had finished
    closed = web.wait("close", peer=tuple(seen["local"]))
    assert closed["received"] == 160 * 65_536
    assert web.memory() - before < 4 * MIB
    shown = sum(len(event.get("text", "")) for event in web.events("recv", peer=tuple(seen["local"])))
    assert shown < 65_536


def test_a_body_is_read_up_to_a_mebibyte(web):
    assert get(web, "/", "POST", body=b"x" * MIB)[0] == 405
    code, headers, _ = get(web, "/", "POST", body=b"x" * (MIB + 1))
    assert (code, headers["Connection"]) == (413, "close")
    assert status(ask(web, b"GET / HTTP/1.1\r\n" + HOST + b"Content-Length: 1048577\r\n\r\n")) == 413
    chunk = b"10000\r\n" + b"x" * 65_536 + b"\r\n"
    head = b"GET / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
    assert status(ask(web, head + chunk * 17 + b"0\r\n\r\n")) == 413
    sock = call(web)
    with sock:
        sock.sendall(head + chunk * 16 + b"0\r\n\r\n" + GET)
        wire = Wire(sock)
        assert [wire.response()[0], wire.response()[0]] == [200, 200]


def test_the_journal_shows_no_bodies(web, guest):
    seen = inside(
        guest,
        """
sock = call(b"POST / HTTP/1.1\\r\\nHost: web\\r\\nConnection: close\\r\\nContent-Length: 1000000\\r\\n\\r\\n")
for _ in range(1000):
    sock.sendall(b"z" * 1000)
tell(answer=rest(sock), local=sock.getsockname()[:2])
""",
    )
    assert status(seen["answer"]) == 405
    peer = tuple(seen["local"])
    web.wait("close", peer=peer)
    received = web.events("recv", peer=peer)
    assert sum(event["bytes"] for event in received) > 1_000_000
    assert sum(len(event.get("text", "")) for event in received) < 3000
    assert web.events("send", peer=peer)[-1]["text"].startswith("HTTP/1.1 405 ")


def test_resets_in_the_middle_of_everything(web, guest):
    told = inside(
        guest,
        """
post = b"POST / HTTP/1.1\\r\\nHost: web\\r\\nContent-Length: 100\\r\\n\\r\\nabc"
page = b"GET / HTTP/1.1\\r\\nHost: web\\r\\nAccept: text/html\\r\\n\\r\\n"
peers = []
for data in [b"", b"GET / HT", GET, GET[:-1], post, page * 500, GET * 3 + b"\\xff\\n\\n", b"x" * 20000] * 5:
    sock = call(data)
    peers.append(sock.getsockname()[:2])
    reset(sock)
tell(peers=peers)
""",
    )
    for peer in told["peers"]:
        web.wait("close", peer=tuple(peer))


def test_noise(web, guest):
    told = inside(
        guest,
        """
noise = random.Random(7)
seen = {}
for n in range(150):
    data = bytearray(random.choice([GET * 2, b"POST / HTTP/1.1\\r\\nHost: a\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n"
        b"3\\r\\nabc\\r\\n0\\r\\n\\r\\n", noise.randbytes(300)]))
    for _ in range(noise.randint(0, 4)):
        data[noise.randrange(len(data))] = noise.randrange(256)
    sock = call(bytes(data))
    sock.shutdown(socket.SHUT_WR)
    for line in rest(sock).splitlines():
        if line.startswith("HTTP/1.1 "):
            seen[line.split()[1]] = seen.get(line.split()[1], 0) + 1
    sock.close()
tell(seen=seen)
""",
    )
    assert set(told["seen"]) <= {"200", "400", "404", "405", "413", "501", "505"}
    assert told["seen"]["400"] > 20


# ---------------------------------------------------------------- time


@pytest.fixture(scope="module")
def hasty(module_lab, network):
    """A server with short limits of time."""
    env = {"REQUEST_TIMEOUT": "0.4", "IDLE_TIMEOUT": "0.8", "SEND_TIMEOUT": "0.5"}
    return module_lab.node("http-hello", "hasty", network=network, publish=("8080/tcp",), env=env, **AS_IN_COMPOSE)


def test_a_request_that_never_ends_is_408(hasty):
    for begun in b"G", GET[:-2], b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 9\r\n\r\nhello":
        since, at = hasty.mark(), time.monotonic()
        answer = ask(hasty, begun)
        assert 0.35 < time.monotonic() - at < 5
        assert status(answer) == 408
        assert b"\r\nConnection: close\r\n" in answer
        assert hasty.wait("error", since, error="ETIMEDOUT")["reason"].endswith("0.4 s")


def test_one_byte_now_and_then_gains_no_time(hasty):
    sock = call(hasty)
    sock.settimeout(0.05)
    begun, answer = time.monotonic(), b""
    for byte in itertools.chain(GET[:-2], itertools.cycle(b"X")):
        with contextlib.suppress(TimeoutError):
            answer = sock.recv(65_536)
            break
        sock.send(bytes([byte]))
    assert status(answer) == 408
    assert time.monotonic() - begun < 5
    sock.close()


def test_a_connection_without_a_request_is_closed(hasty):
    at = time.monotonic()
    assert ask(hasty, b"") == b""  # no 408: nothing was begun (RFC 9112, section 9.5)
    assert ask(hasty, GET).startswith(b"HTTP/1.1 200 OK\r\n")
    assert time.monotonic() - at > 1.4
    assert hasty.wait("shutdown", count=2, reason="no request for 0.8 s")


def test_each_request_gets_its_own_time(hasty):
    sock = call(hasty)
    with sock:
        wire, until = Wire(sock), time.monotonic() + 1.5
        while time.monotonic() < until:
            sock.sendall(GET[:20])
            sock.settimeout(0.1)
            with pytest.raises(TimeoutError):  # a pause within the limit
                sock.recv(1)
            sock.settimeout(20)
            sock.sendall(GET[20:])
            assert wire.response()[0] == 200


# ---------------------------------------------------------------- many, and the rude among them


def test_many_clients_at_once(web):
    since, (host, port) = web.mark(), web.port(8080)

    async def client(n: int) -> list:
        reader, writer = await asyncio.open_connection(host, port)
        answers = []
        for m in range(10):
            writer.write(f"GET /{n}/{m} HTTP/1.1\r\nHost: web\r\n\r\n".encode() + GET)
            for _ in range(2):
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(line for line in head.split(b"\r\n") if line.startswith(b"Content-Length:"))
                await reader.readexactly(int(length.split()[1]))
                answers.append(status(head))
        writer.close()
        await writer.wait_closed()
        return answers

    async def everybody() -> list:
        return await asyncio.wait_for(asyncio.gather(*map(client, range(200))), 60)

    assert asyncio.run(everybody()) == [[404, 200] * 10] * 200
    get(web, "/last")
    web.wait("request", since, target="/last")  # all the others stand before it
    targets = [event["target"] for event in web.events("request", since) if event["target"] not in ("/", "/last")]
    assert sorted(targets) == sorted(f"/{n}/{m}" for n in range(200) for m in range(10))


@pytest.mark.alone
def test_two_thousand_idle_connections(lab, web, network):
    alone = seconds_of_curl(web)
    crowd = beside(
        lab,
        network,
        """
socks = [call() for _ in range(1500)]
for _ in range(500):
    socks.append(call(b"GET / HTT"))
journal.event("there")
sys.stdin.read()
""",
    )
    crowd.wait("there", within=60)
    assert seconds_of_curl(web) < 1 + alone
    assert web.memory() < 32 * MIB


@pytest.mark.alone
def test_who_does_not_read_holds_up_only_himself(lab):
    network = lab.network()
    web = start(lab, network=network, env={"SEND_TIMEOUT": "3"})
    alone, before = seconds_of_curl(web), web.memory()
    crowd = beside(
        lab,
        network,
        """
import select
page = b"GET / HTTP/1.1\\r\\nHost: web\\r\\nAccept: text/html\\r\\n\\r\\n" * 20000
socks = []
for _ in range(20):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("web", 8080))
    sock.setblocking(False)
    socks.append(sock)
while ready := select.select([], socks, [], 0.3)[1]:
    for sock in ready:
        sock.send(page)
journal.event("full")
sys.stdin.read()
""",
    )
    crowd.wait("full", within=60)
    assert seconds_of_curl(web, 2) < 1 + alone
    assert web.memory() - before < 40 * MIB
    dropped = web.wait("close", count=20, within=60, reason="a response was not taken for 3 s")
    assert dropped["unsent"] > 0
    assert not web.stray


@pytest.mark.alone
def test_who_asks_without_a_pause_lets_others_have_their_turn(lab, web, network):
    alone = seconds_of_curl(web)
    crowd = beside(
        lab,
        network,
        """
import threading
def ask():
    sock = call()
    threading.Thread(target=rest, args=(sock,), daemon=True).start()
    while True:
        sock.sendall(GET * 2000)
for _ in range(3):
    threading.Thread(target=ask, daemon=True).start()
sock = call()
threading.Thread(target=rest, args=(sock,), daemon=True).start()
sock.sendall(b"POST / HTTP/1.1\\r\\nHost: web\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\n")
journal.event("at-it")
while True:
    sock.sendall(b"1\\r\\nx\\r\\n" * 10000)
""",
    )
    crowd.wait("at-it")
    assert seconds_of_curl(web) < 1 + alone
    crowd.docker.kill()


@pytest.mark.turn(3)
def test_what_waits_in_all_connections_has_a_limit(lab):
    network = lab.network()
    web = start(lab, network=network, env={"SEND_TIMEOUT": "60"})
    crowd = beside(
        lab,
        network,
        """
quotes = b"GET / HTTP/1.1\\r\\nHost: web\\r\\nAccept: text/html\\r\\nX: " + b'"' * 16000 + b"\\r\\n\\r\\n"
socks = []
for _ in range(600):
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.connect(("web", 8080))
    sock.setblocking(False)
    socks.append(sock)
    sock.send(quotes * 40)
sys.stdin.read()
""",
    )
    closed = web.wait("close", count=20, within=60, reason="over 50331648 bytes wait in all connections")
    assert closed["unsent"] > 0
    assert curl(web) == f"{GREETING}\n"
    assert web.memory() < 96 * MIB
    crowd.docker.kill()
    assert not web.stray


def test_too_many_connections_make_room_for_new_ones(lab):
    web = start(lab, ulimits=[docker.types.Ulimit(name="nofile", soft=48, hard=48)])
    first, others = call(web), [call(web) for _ in range(14)]
    with contextlib.ExitStack() as opened:
        for sock in first, *others:
            opened.enter_context(sock)
        web.wait("accept", count=15)
        first.sendall(GET)
        assert Wire(first).response()[0] == 200
        for _ in range(14):
            opened.enter_context(call(web))
        closed = web.wait("close", count=13, reason="over 16 connections")
        assert closed
        assert all(sock.recv(1) == b"" for sock in others[:13])
        first.sendall(GET)  # it was heard of after the others
        assert status(first.recv(65_536)) == 200
    assert curl(web) == f"{GREETING}\n"
    assert not web.events("error")


# ---------------------------------------------------------------- the journal


def test_the_calls_that_make_a_server(web):
    events = [(event["event"], event.get("local")) for event in web.journal[:5]]
    assert events == [
        ("bind", ["0.0.0.0", 8080]),
        ("listen", ["0.0.0.0", 8080]),
        ("bind", ["::", 8080]),
        ("listen", ["::", 8080]),
        ("ready", None),
    ]
    assert web.events("ready")[0]["listening"] == [["tcp", "0.0.0.0", 8080], ["tcp", "::", 8080]]
    assert [event["backlog"] for event in web.events("listen")] == [1024, 1024]


@pytest.mark.parametrize("family", [4, 6])
def test_the_events_of_a_connection(web, guest, network, family):
    seen = inside(
        guest,
        """
sock = call(GET[:-2] + b"User-Agent: tester/1\\r\\n\\r\\n", sys.argv[1])
answer = b""
while not answer.endswith(b"!\\n"):
    answer += sock.recv(65536)
local, peer = sock.getsockname()[:2], sock.getpeername()[:2]
sock.shutdown(socket.SHUT_WR)
tell(answer=answer.decode() + rest(sock), local=local, peer=peer)
""",
        web.address(network, family),
    )
    web.wait("close", peer=tuple(seen["local"]))
    events = [event for event in web.journal if event.get("peer") == seen["local"]]
    assert [event["event"] for event in events] == [
        "accept", "recv", "request", "response", "send", "recv", "shutdown", "close",
    ]  # fmt: skip
    accept, recv, request, response, send, end, shutdown, close = events
    assert (":" in accept["peer"][0]) == (family == 6)  # never ::ffff:10.77.0.4
    for event in events:
        assert (event["proto"], event["local"], event["peer"]) == ("tcp", seen["peer"], seen["local"])
        assert event["node"] == "web"
    asked = "GET / HTTP/1.1\r\nHost: web\r\nUser-Agent: tester/1\r\n\r\n"
    assert (recv["offset"], recv["bytes"], recv["text"]) == (0, len(asked), asked)
    assert (request["method"], request["target"], request["agent"]) == ("GET", "/", "tester/1")
    assert (response["method"], response["target"], response["status"]) == ("GET", "/", 200)
    assert (send["offset"], send["bytes"], send["text"]) == (0, len(seen["answer"]), seen["answer"])
    assert (end["offset"], end["bytes"]) == (len(asked), 0)
    assert (shutdown["how"], shutdown["sent"]) == ("SHUT_WR", len(seen["answer"]))
    assert (close["received"], close["sent"]) == (len(asked), len(seen["answer"]))
    assert [event["ts"] for event in events] == sorted(event["ts"] for event in events)


def test_of_a_page_the_journal_shows_the_head(web):
    since = web.mark()
    get(web, "/?shown", headers={"Accept": "text/html"})
    response = web.wait("response", since, target="/?shown")
    send = web.wait("send", since, peer=tuple(response["peer"]))
    assert "text/html" in send["text"]
    assert send["text"].endswith("\r\n\r\n")
    assert send["cut"] == send["bytes"] - len(send["text"])


def test_requests_that_are_not_text_are_shown_as_data(web):
    since = web.mark()
    ask(web, b"\xff\xfe\n\n")
    assert web.wait("recv", since, data="//4KCg==")["bytes"] == 4


# ---------------------------------------------------------------- the keyboard


def test_a_typed_line_is_the_greeting_from_then_on(web):
    since = web.mark()
    web.type("Grüß Gott <script>alert(1)</script> & 'all'")
    web.wait("input", since, text="Grüß Gott <script>alert(1)</script> & 'all'")
    assert curl(web) == "Grüß Gott <script>alert(1)</script> & 'all'\n"
    content = curl(web, "--header", f"Accept: {FIREFOX}")
    assert "<script" not in content
    assert Page(content).words[:2] == ["Grüß Gott <script>alert(1)</script> & 'all'"] * 2
    web.envelope("Hi", id="g1")
    assert web.wait("input", since, id="g1")["text"] == "Hi"
    assert curl(web) == "Hi\n"
    web.envelope("", id="g2")
    web.wait("input", since, id="g2")
    assert curl(web) == f"{GREETING}\n"


def test_a_greeting_has_a_limit(web):
    since = web.mark()
    web.envelope("€" * 1366, id="long")
    assert web.wait("error", since, id="long")["error"] == "EMSGSIZE"
    web.envelope("€" * 1365, id="longest")
    web.wait("input", since, id="longest")
    assert curl(web) == "€" * 1365 + "\n"
    web.type("")
    web.wait("input", since, text="")


def test_an_open_connection_gets_the_new_greeting(web):
    since, sock = web.mark(), call(web)
    with sock:
        wire = Wire(sock)
        sock.sendall(GET)
        assert wire.response()[1] == f"{GREETING}\n".encode()
        web.type("new")
        web.wait("input", since, text="new")
        sock.sendall(GET)
        assert wire.response()[1] == b"new\n"
        web.type("")
        web.wait("input", since, text="")


# ---------------------------------------------------------------- the container


def assert_stops_in_order(web) -> None:
    code, taken = web.stop()
    assert code == 0
    assert taken < 5  # the engine's own work included; it kills after 10
    left = web.events("exit", signal="SIGTERM")[0]["ts"]
    begun = web.events("close", local=("0.0.0.0", 8080))[0]["ts"]
    assert datetime.fromisoformat(left) - datetime.fromisoformat(begun) < timedelta(seconds=1)
    assert not web.stray


def test_sigterm_closes_all_in_order(lab):
    web = start(lab)
    idle, halfway = call(web), call(web)
    halfway.sendall(GET[:10])
    web.wait("recv")
    assert_stops_in_order(web)
    events = [event["event"] for event in web.journal]
    assert events[-1] == "exit"
    assert events[-7:-1] == ["close", "close", "shutdown", "close", "shutdown", "close"]
    assert [event["local"] for event in web.events("close")][:2] == [["0.0.0.0", 8080], ["::", 8080]]
    assert rest(idle) + rest(halfway) == b""
    assert not web.stray


@pytest.mark.turn(3)
def test_sigterm_under_load(lab):
    network = lab.network()
    web = start(lab, network=network)
    beside(
        lab,
        network,
        """
import threading
def ask(again):
    while True:
        try:
            sock = call()
            for _ in range(again):
                sock.sendall(GET)
                sock.recv(65536)
            sock.close()
        except OSError:
            return
for again in [1, 1, 1, 10**9, 10**9, 10**9]:
    threading.Thread(target=ask, args=(again,)).start()
""",
    )
    web.wait("response", count=2000, within=60)
    assert_stops_in_order(web)
    assert web.journal[-1]["event"] == "exit"
    accepted = [tuple(event["peer"]) for event in web.events("accept")]
    closed = [tuple(event["peer"]) for event in web.events("close") if "peer" in event]
    assert sorted(accepted) == sorted(closed)
    assert not web.stray


def test_a_kernel_without_ipv6(lab):
    # A seccomp filter that knows no AF_INET6 answers as such a kernel does: EAFNOSUPPORT.
    refused = {"names": ["socket"], "action": "SCMP_ACT_ERRNO", "errnoRet": 97}
    refused["args"] = [{"index": 0, "value": socket.AF_INET6, "op": "SCMP_CMP_EQ"}]
    profile = json.dumps({"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [refused]})
    web = start(lab, security_opt=["no-new-privileges:true", f"seccomp={profile}"])
    assert web.events("ready")[0]["listening"] == [["tcp", "0.0.0.0", 8080]]
    assert curl(web) == f"{GREETING}\n"
    assert not web.events("error")


def test_a_port_that_is_taken_is_an_error(lab):
    web = start(lab)
    done = execute(web.docker.id, "python3", "/opt/node/http_hello.py")
    assert done.status == 1
    assert json.loads(done.out)["error"] == "EADDRINUSE"


def test_a_restart_finds_its_port_free(guest):
    # In one and the same network namespace, where the first one's connection is in TIME_WAIT.
    assert inside(
        guest,
        """
import os, subprocess
ready = []
for _ in range(2):
    command, env = ["python3", "/opt/node/http_hello.py"], {**os.environ, "PORT": "8099"}
    with subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as server:
        ready.append(any(b'"event":"ready"' in line for line in iter(server.stdout.readline, b"")))
        if ready[-1]:
            sock = socket.create_connection(("localhost", 8099), 20)
            sock.sendall(GET[:-2] + b"Connection: close\\r\\n\\r\\n")
            rest(sock)
            sock.close()
        server.terminate()
        server.wait()
tell(ready=ready)
""",
    ) == {"ready": [True, True]}


def test_without_a_keyboard(lab):
    web = start(lab, stdin_open=False)
    assert curl(web) == f"{GREETING}\n"


@pytest.mark.turn(3)
def test_its_memory(lab):
    web = start(lab)
    for _ in range(20):
        curl(web)
    assert web.memory() < 20 * MIB
