"""A UDP echo server (RFC 862)."""

from __future__ import annotations

from labctl.grade.model import Breaking, Check, Subject

SUBJECT = Subject(
    "udp",
    "UDP echo server",
    "udp",
    (
        Check("listens", "it has a UDP port where others can reach it, not on 127.0.0.1 alone", 1, (), "listens"),
        Check("answers", "each datagram comes back as it was", 2),
        Check("unasked", "one datagram gets one answer", needs=("answers",)),
        Check("newline", "a datagram is no line: newlines stay, and none is added", needs=("answers",)),
        Check("binary", "all 256 bytes come back", needs=("answers",)),
        Check("empty", "a datagram without a byte comes back, and ends nothing", needs=("answers",)),
        Check("longest", "datagrams of up to 65,507 bytes come back whole", 2, ("answers",)),
        Check("port", "answers come from the port that was asked", needs=("answers",)),
        Check("sources", "each of 20 clients gets its own answers", needs=("answers",)),
        Check("twice", "two datagrams that are alike get two answers", needs=("answers",)),
        Check(
            "loss",
            "a datagram that is lost keeps no other waiting",
            1,
            ("answers",),
            faults=(Breaking("drop", "udp datagram 1"),),
        ),
        Check(
            "duplicate",
            "a datagram that arrives twice is answered twice",
            1,
            ("answers",),
            faults=(Breaking("duplicate", "udp datagram 1"),),
        ),
        Check(
            "reordered",
            "datagrams that change places are all answered",
            1,
            ("answers",),
            faults=(Breaking("delay", "udp datagram 1"),),
        ),
        Check("restart", "it can be started again at once, on the same port", 1, ("answers",), "restart"),
    ),
    "udp",
)
