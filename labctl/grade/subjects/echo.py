"""A TCP echo server (RFC 862)."""

from __future__ import annotations

from labctl.grade.model import Check, Subject

SUBJECT = Subject(
    "echo",
    "TCP echo server",
    "tcp",
    (
        Check("listens", "it listens where other hosts can reach it, and not on 127.0.0.1 alone", 1, (), "listens"),
        Check("answers", "each line comes back as it was, on a connection that stays open", 2),
        Check("one-byte", "a line that comes one byte at a time comes back whole", needs=("answers",)),
        Check("coalesced", "50 lines that come at once all come back", needs=("answers",)),
        Check("split", "a text that is cut anywhere, also inside a character, comes back", needs=("answers",)),
        Check("binary", "all 256 bytes come back, NUL and what is no UTF-8 among them", needs=("answers",)),
        Check("big", "a mebibyte comes back while it is still being sent", 2, ("answers",)),
        Check("empty", "a client that closes its half without a byte gets the end of the stream", needs=("answers",)),
        Check("half-close", "who closes its half still gets all back, and then the end", 2, ("empty",)),
        Check("leaves", "a client that connects and leaves does no harm", needs=("answers",)),
        Check("silent", "a client that says nothing keeps no other waiting", 2, ("leaves",)),
        Check("apart", "two clients get each its own bytes", needs=("silent",)),
        Check("many", "20 clients at once, answered in the reverse order of connecting", needs=("silent",)),
        Check("reset", "a client's reset does no harm", needs=("answers",)),
        Check("restart", "it can be started again at once, on the same port", 1, ("answers",), "restart"),
    ),
    "echo",
)
