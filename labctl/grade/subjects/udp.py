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
        Check("sources", "each of 20 clients gets its own answers", needs=("answers",)),
        Check("unasked", "one datagram gets one answer", needs=("sources",)),
        Check("newline", "a datagram is no line: newlines stay, and none is added", needs=("sources",)),
        Check("binary", "all 256 bytes come back", needs=("sources",)),
        Check("empty", "a datagram without a byte comes back, and ends nothing", needs=("sources",)),
        Check("longest", "datagrams of up to 65,507 bytes come back whole", 2, ("sources",)),
        Check("port", "answers come from the port that was asked", needs=("sources",)),
        Check("twice", "two datagrams that are alike get two answers", needs=("sources",)),
        Check(
            "loss",
            "a datagram that is lost keeps no other waiting",
            1,
            ("sources",),
            faults=(Breaking("drop", "udp datagram 1"),),
        ),
        Check(
            "duplicate",
            "a datagram that arrives twice is answered twice",
            1,
            ("sources",),
            faults=(Breaking("duplicate", "udp datagram 1"),),
        ),
        Check(
            "reordered",
            "datagrams that change places are all answered",
            1,
            ("sources",),
            faults=(Breaking("delay", "udp datagram 1"),),
        ),
        Check("restart", "it can be started again at once, on the same port", 1, ("sources",), "restart"),
    ),
    "udp",
)
