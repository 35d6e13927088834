"""An HTTP server that shows a page (RFC 9110, RFC 9112)."""

from __future__ import annotations

from labctl.grade.model import Check, Subject

SUBJECT = Subject(
    "http",
    "HTTP hello server",
    "tcp",
    (
        Check("listens", "it listens where other hosts can reach it, and not on 127.0.0.1 alone", 1, (), "listens"),
        Check("status-line", "GET / is answered by a status line with 200, ended by CRLF", 2),
        Check("headers", "headers are `Name: value`, each ended by CRLF, then an empty line", 2, ("status-line",)),
        Check("length", "Content-Length is the number of the body's bytes", 2, ("headers",)),
        Check("content-type", "the page says what it is: Content-Type", needs=("headers",)),
        Check("head", "HEAD is answered by headers alone", needs=("headers",)),
        Check("one-byte", "a request that comes one byte at a time is answered", needs=("headers",)),
        Check("split", "a request that comes in parts is answered", needs=("headers",)),
        Check("keep-alive", "a connection that isn't said to be closed takes the next request", needs=("length",)),
        Check("pipelining", "requests that come at once are all answered, in order", needs=("keep-alive",)),
        Check("bad-request", "what is no request is refused, and does no harm", needs=("headers",)),
        Check("leaves", "a client that connects and leaves does no harm", needs=("headers",)),
        Check("silent", "a client that says nothing keeps no other waiting", 2, ("leaves",)),
        Check("many", "20 clients at once, answered in the reverse order of connecting", needs=("silent",)),
        Check("half-close", "who closes its half after the request gets the answer", needs=("headers",)),
        Check("reset", "a client's reset does no harm", needs=("headers",)),
        Check("restart", "it can be started again at once, on the same port", 1, ("headers",), "restart"),
    ),
    "web",
)
