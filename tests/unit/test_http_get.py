"""What an HTTP server says, on its way to a terminal or to a file."""

import socket
import threading

import pytest

from labctl.errors import LabError
from labctl.lab import http
from labctl.lab.http_exchange import exchange
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
