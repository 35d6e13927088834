"""What a grade's clients make of servers that need no lab: real sockets on loopback, and each check as hosts run it."""

import contextlib
import json
import socket
import socketserver
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

import labctl.grade

AGENT = Path(labctl.grade.__file__).parent / "inside" / "agent.py"
PAGE = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"
BAD = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


def checked(module, check, port):
    command = [sys.executable, str(AGENT), module, check, "127.0.0.1", str(port), "s1"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return json.loads(done.stdout)


@contextlib.contextmanager
def served(server):
    """A server of the standard library's in threads; its port."""
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def web(nonsense, *, first=False):
    """Answers a request by a page, and what is none by `nonsense`; `first`: whatever one recv has given is all."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            data = more = self.request.recv(65536)
            while more and not first and b"\r\n\r\n" not in data:
                more = self.request.recv(65536)
                data += more
            is_request = len(data.split(b"\r\n")[0].split()) == 3
            self.request.sendall(PAGE if is_request else nonsense)
            while first and self.request.recv(65536):
                pass

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    return served(Server(("127.0.0.1", 0), Handler))


@pytest.mark.parametrize(
    ("nonsense", "expected"),
    [
        (BAD, None),
        (b"", None),
        (PAGE, "status 400, or the connection closed"),
        (b"<h1>Bad Request</h1>\n", "HTTP/1.1 or HTTP/1.0"),
        (b"no", "a status line"),
    ],
)
def test_what_is_no_request_is_refused(nonsense, expected):
    with web(nonsense) as port:
        found = checked("web", "bad-request", port)
    assert found["passed"] is (expected is None)
    assert expected is None or expected in found["expected"]


def test_an_answer_of_http_0_9_has_no_status_line():
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.wfile.write(PAGE)

        def log_message(self, *_):
            pass

    with served(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as port:
        found = checked("web", "bad-request", port)
    assert (found["passed"], found["expected"]) == (False, "HTTP/1.1 or HTTP/1.0")
    assert "<!DOCTYPE HTML>" in found["actual"]
    assert "RFC 9112" in found["help"]


@pytest.mark.parametrize("check", ["one-byte", "split"])
def test_a_request_in_parts_has_to_be_answered_by_the_page(check):
    with web(BAD) as port:
        assert checked("web", check, port)["passed"]
    with web(BAD, first=True) as port:
        found = checked("web", check, port)
    assert (found["passed"], found["expected"], found["actual"]) == (False, "status 200 for a request of /", "400")
    assert "a request is over at its empty line" in found["help"]


@contextlib.contextmanager
def datagrams(answers):
    """`answers(data)` gives what a question is answered by; its port."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))

        def serve():
            while True:
                data, source = sock.recvfrom(65536)
                if data == b"stop":
                    return
                for answer in answers(data):
                    sock.sendto(answer, source)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield sock.getsockname()[1]
        finally:
            sock.sendto(b"stop", sock.getsockname())
            thread.join()


def test_a_second_answer_that_waits_for_the_next_question_is_one_too_many():
    held = []

    def answers(data):
        before = held[:]
        held[:] = [data]
        return [*before, data]

    with datagrams(answers) as port:
        assert checked("udp", "unasked", port)["expected"] == "one answer to one datagram"
    with datagrams(lambda data: [data]) as port:
        assert checked("udp", "unasked", port)["passed"]


def test_a_late_answer_is_none_to_the_next_question():
    """The first answer comes with that to the repetition: one of the two is there when the next question is asked."""
    asked = []

    def answers(data):
        asked.append(data)
        if len(asked) == 1:
            return []
        return [data, data] if len(asked) == 2 else [data]

    with datagrams(answers) as port:
        assert checked("udp", "newline", port)["passed"]
    assert asked[0] == asked[1]
    assert asked[2] not in asked[:2], "nothing was asked after it"


def test_bytes_are_shown_as_they_are():
    """One backslash begins an escape; two are one that came."""

    class Changes(socketserver.StreamRequestHandler):
        def handle(self):
            for line in self.rfile:
                self.wfile.write(line.replace(b"\xc3\xbc", b"\xff\\"))

    with served(socketserver.ThreadingTCPServer(("127.0.0.1", 0), Changes)) as port:
        found = checked("echo", "split", port)
    assert r" \xc3\xbcber \xe5" in found["expected"]
    assert r" \xff\\ber \xe5" in found["actual"]


def test_a_line_that_is_no_text_is_shown_as_it_is():
    members = []

    class Room(socketserver.StreamRequestHandler):
        def handle(self):
            name = self.rfile.readline().strip()
            members.append(self.wfile)
            for line in self.rfile:
                for other in members:
                    if other is not self.wfile:
                        with contextlib.suppress(OSError):
                            other.write(name + b": " + line.replace("字".encode(), b"\xff \\"))

    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Room)
    server.daemon_threads = True
    with served(server) as port:
        assert r" \xff \\ \xf0" in checked("chat", "split", port)["actual"]
