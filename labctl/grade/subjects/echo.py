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
        Check("next", "when one client has gone, the next one is served", needs=("answers",)),
        Check("one-byte", "a line that comes one byte at a time comes back whole", needs=("next",)),
        Check("coalesced", "50 lines that come at once all come back", needs=("next",)),
        Check("split", "a text that is cut anywhere, also inside a character, comes back", needs=("next",)),
        Check("binary", "all 256 bytes come back, NUL and what is no UTF-8 among them", needs=("next",)),
        Check("big", "a mebibyte comes back while it is still being sent", 2, ("next",)),
        Check("empty", "a client that closes its half without a byte gets the end of the stream", needs=("next",)),
        Check("half-close", "who closes its half still gets all back, and then the end", 2, ("empty",)),
        Check("leaves", "a client that connects and leaves does no harm", needs=("next",)),
        Check("silent", "a client that says nothing keeps no other waiting", 2, ("leaves",)),
        Check("apart", "two clients get each its own bytes", needs=("silent",)),
        Check("many", "20 clients at once, answered in the reverse order of connecting", needs=("silent",)),
        Check("reset", "a client's reset does no harm", needs=("next",)),
        Check("restart", "it can be started again at once, on the same port", 1, ("next",), "restart"),
    ),
    "echo",
)
