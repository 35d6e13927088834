"""HTTP/1.1 (RFC 9112), read byte by byte and by nobody's library: a library would forgive what is to be seen."""

from __future__ import annotations

import re
from contextlib import ExitStack
from dataclasses import dataclass

from peer import DRAIN, PATIENCE, Peer, Place, Wrong, held, hint, shown

STATUS = re.compile(rb"HTTP/1\.[01] [1-5][0-9][0-9] [^\r\n]*\r\n")
NAME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # a token (RFC 9110, section 5.6.2)
LONGEST = 1 << 16  # bytes of a line
MANY = 20
WHOLE = "a request is over at its empty line, and not where one recv ends"
REFUSED = "status 400, or the connection closed"


@dataclass
class Response:
    version: bytes
    status: int
    headers: dict[bytes, bytes]
    body: bytes
    ends: bool  # the server closes behind it, and has said so (or must: HTTP/1.0)


def _request(place: Place, *, path: str = "/", method: str = "GET", more: str = "") -> bytes:
    return f"{method} {path} HTTP/1.1\r\nHost: {place.host}\r\n{more}\r\n".encode()


def _caret(line: bytes, at: int, wanted: str, help: str = "") -> Wrong:
    mark = " " * (len(shown(line[:at])) - 1) + "^"
    return Wrong(wanted, f"{shown(line)}\n{mark} {wanted} here", help)


def _line(peer: Peer, what: str) -> bytes:
    line = peer.line()
    if line is None:
        got = peer.rest
        how = peer.ended or f"no more within {PATIENCE:g} s"
        raise Wrong(what, f"{shown(got) if got else 'nothing'}; {how}")
    return line


def _status_line(peer: Peer) -> tuple[bytes, int]:
    line = _line(peer, "a status line such as HTTP/1.1 200 OK")
    if not line.startswith(b"HTTP/"):
        raise _caret(line, 0, "HTTP/1.1 or HTTP/1.0")
    if not line.endswith(b"\r\n"):
        raise _caret(line, len(line) - 1, "CRLF after the status line", "lines of HTTP end with \\r\\n")
    if not STATUS.fullmatch(line):
        for wanted, part in (
            ("HTTP/1.1 or HTTP/1.0", rb"HTTP/1\.[01]"),
            ("a space", rb"HTTP/1\.[01] "),
            ("a status of three digits", rb"HTTP/1\.[01] [1-5][0-9][0-9]"),
            ("a space, also where no reason follows", rb"HTTP/1\.[01] [1-5][0-9][0-9] "),
        ):
            if not re.match(part, line):
                raise _caret(
                    line,
                    0 if wanted.startswith("HTTP") else min(len(line) - 2, 8 if wanted == "a space" else 9),
                    wanted,
                )
    return line[:8], int(line[9:12])


def _headers(peer: Peer) -> dict[bytes, bytes]:
    found: dict[bytes, bytes] = {}
    while True:
        line = _line(peer, "a header, or the empty line behind the last one")
        if not line.endswith(b"\r\n"):
            raise _caret(line, len(line) - 1, "CRLF after a header", "lines of HTTP end with \\r\\n")
        if line == b"\r\n":
            return found
        name, colon, value = line[:-2].partition(b":")
        if not colon or not NAME.fullmatch(name):
            bad = NAME.match(line)
            raise _caret(line, bad.end() if bad else 0, "a header's name, and a colon right behind it")
        found[name.lower()] = value.strip()


def _response(peer: Peer, *, head: bool = False) -> Response:
    """The answer to what is asked here alone: the page, which is there however the request comes. Raises Wrong."""
    version, status = _status_line(peer)
    if status != 200:
        raise Wrong("status 200 for a request of /", str(status))
    headers = _headers(peer)
    says = headers.get(b"connection", b"").lower()
    ends = b"close" in says or (version == b"HTTP/1.0" and b"keep-alive" not in says)
    body = b""
    if not head:
        body, ends = _body(peer, headers, ends)
    return Response(version, status, headers, body, ends)


def _body(peer: Peer, headers: dict[bytes, bytes], ends: bool) -> tuple[bytes, bool]:
    if headers.get(b"transfer-encoding", b"").lower() == b"chunked":
        return _chunked(peer), ends
    if b"content-length" not in headers:
        return peer.to_end(), True
    text = headers[b"content-length"]
    if not text.isdigit():
        raise Wrong("a Content-Length in digits", shown(text))
    length = int(text)
    body = peer.receive(length)
    if len(body) < length:
        how = peer.ended or f"no more came within {PATIENCE:g} s"
        raise Wrong(
            f"a body of {length} bytes, as Content-Length says",
            f"{len(body)} bytes: {shown(body)}; {how}",
            "Content-Length counts bytes, not characters, and all of the body has to be sent",
        )
    return body, ends


def _chunked(peer: Peer) -> bytes:
    body = b""
    while True:
        size = _line(peer, "the size of a chunk").strip().split(b";")[0]
        try:
            length = int(size, 16)
        except ValueError:
            raise Wrong("the size of a chunk in hexadecimal", shown(size)) from None
        body += peer.receive(length)
        _line(peer, "CRLF after a chunk")
        if not length:
            return body


def _still(place: Place, why: str) -> None:
    with place.connect() as peer:
        peer.send(_request(place, more="Connection: close\r\n"))
        try:
            _response(peer)
        except Wrong as wrong:
            raise Wrong(wrong.expected, wrong.actual, why) from None


def status_line(place: Place) -> None:
    with place.connect() as peer:
        peer.send(_request(place, more="Connection: close\r\n"))
        _, status = _status_line(peer)
        if status != 200:
            raise Wrong("status 200 for GET /", str(status))


def headers(place: Place) -> None:
    with place.connect() as peer:
        peer.send(_request(place, more="Connection: close\r\n"))
        _status_line(peer)
        _headers(peer)


def length(place: Place) -> None:
    """What comes behind the body is none of it."""
    with place.connect() as peer:
        peer.send(_request(place, more="Connection: close\r\n"))
        found = _response(peer)
        if rest := peer.to_end(DRAIN):
            raise Wrong(
                f"nothing behind a body of {len(found.body)} bytes, as Content-Length says",
                f"{len(rest)} bytes more: {shown(rest)}",
                "Content-Length counts the bytes of the body, not characters",
            )
        if not found.body:
            raise Wrong("a page for GET /", "a body without a byte")


def content_type(place: Place) -> None:
    with place.connect() as peer:
        peer.send(_request(place, more="Connection: close\r\n"))
        found = _response(peer)
        if b"content-type" not in found.headers:
            raise Wrong("a header Content-Type", "none", "without it a browser has to guess what the bytes are")


def head(place: Place) -> None:
    with place.connect() as peer:
        peer.send(_request(place, method="HEAD", more="Connection: close\r\n"))
        _response(peer, head=True)
        if rest := peer.to_end():
            raise Wrong(
                "headers alone",
                f"a body: {shown(rest)}",
                "HEAD asks for the headers of GET, and no body (RFC 9110, 9.3.2)",
            )


def keep_alive(place: Place) -> None:
    with place.connect() as peer:
        for number in range(3):
            peer.send(_request(place))
            try:
                found = _response(peer)
            except Wrong as wrong:
                if not number:
                    raise
                why = "a server that closes says so: Connection: close (RFC 9112, section 9.6)"
                raise Wrong(f"an answer to request {number + 1} on the same connection", wrong.actual, why) from None
            if found.ends:
                return


def pipelining(place: Place) -> None:
    with place.connect() as peer:
        peer.send(_request(place) * 3)
        for number in range(3):
            try:
                found = _response(peer)
            except Wrong as wrong:
                if not number:
                    raise
                why = "what one recv gives may hold more than one request: the rest is the next one"
                raise Wrong(f"an answer to request {number + 1} of 3 that came at once", wrong.actual, why) from None
            if found.ends:
                return


def one_byte(place: Place) -> None:
    data = _request(place, more="Connection: close\r\n")
    with hint(WHOLE), place.connect() as peer:
        peer.parts(*(data[at : at + 1] for at in range(len(data))))
        _response(peer)


def split(place: Place) -> None:
    data = _request(place, more=f"X-Word: {place.word()}\r\nConnection: close\r\n")
    cuts = sorted({2, *place.chance.sample(range(1, len(data)), 4), len(data) - 3, len(data) - 1})
    with hint(WHOLE), place.connect() as peer:
        peer.parts(*(data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=False)))
        _response(peer)


def bad_request(place: Place) -> None:
    """RFC 9112, section 2.2: 400, and the connection closed; who closes without a word has refused it as well. What is
    said is a response of HTTP with a status line (section 4), and none of HTTP/0.9 without one (appendix C.1)."""
    strict = (f"{place.word()}\r\n\r\n", "\r\n\r\n")
    for text in (*strict, "GET / HTTP/1.1\r\nno colon here\r\nConnection: close\r\n\r\n"):
        with place.connect() as peer:
            peer.send(text.encode())
            peer.end_of_sending()
            status = _refusal(peer, text)
            if text in strict and 200 <= status < 300:
                raise Wrong(f"{REFUSED}, for {shown(text.encode())}", f"status {status}")
    _still(place, "what is no request must not end the server")


def _refusal(peer: Peer, text: str) -> int:
    """The status of the answer to what is no request; 0: the connection is closed."""
    first = peer.line()
    if first is None and peer.rest == b"" and peer.ended:
        return 0
    if first is None and peer.rest == b"":
        raise Wrong(f"{REFUSED}, for {shown(text.encode())}", f"neither within {PATIENCE:g} s")
    peer.rest = (first or b"") + peer.rest
    with hint("an answer begins with a status line, also where the request is none (RFC 9112, sections 2.2 and 4)"):
        return _status_line(peer)[1]


def leaves(place: Place) -> None:
    for _ in range(5):
        place.connect().close()
    _still(place, "a client that leaves without a byte (browsers do that) must not end the server")


def silent(place: Place) -> None:
    with place.connect():
        _still(place, "while one client says nothing (browsers open connections ahead), others have to be served")


def many(place: Place) -> None:
    with ExitStack() as stack:
        peers = [stack.enter_context(place.connect()) for _ in range(MANY)]
        for peer in peers:
            peer.send(_request(place, more="Connection: close\r\n"))
        for peer in reversed(peers):
            _response(peer)


def half_close(place: Place) -> None:
    with place.connect() as peer:
        peer.send(_request(place))
        peer.end_of_sending()
        try:
            _response(peer)
        except Wrong as wrong:
            why = "a client that has sent its request may close its half: the answer still has to come"
            raise Wrong(wrong.expected, wrong.actual, why) from None


def reset(place: Place) -> None:
    for _ in range(3):
        peer = place.connect()
        peer.send(_request(place)[:-2])
        peer.reset()
    _still(place, "a client's reset (ECONNRESET, EPIPE) is an error of one connection, and not of the server")


def again(place: Place) -> None:
    """After it was started anew: it must be able to take its port again."""
    why = "after a restart its port is free for it: SO_REUSEADDR before bind"
    place.await_listening(why)
    _still(place, why)


def hold(place: Place) -> None:
    peer = place.connect()
    peer.send(_request(place)[:-2])
    held()
    peer.to_end(30.0)
    peer.sock.close()
