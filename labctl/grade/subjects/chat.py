"""A chat room, line by line (docs/grade.md has the protocol)."""

from __future__ import annotations

from labctl.grade.model import Check, Subject

SUBJECT = Subject(
    "chat",
    "chat room",
    "tcp",
    (
        Check("listens", "it listens where other hosts can reach it, and not on 127.0.0.1 alone", 1, (), "listens"),
        Check("talks", "what one says goes to the other as `NAME: LINE`", 2),
        Check("not-back", "nobody gets back what it said itself", needs=("talks",)),
        Check("everyone", "what one says goes to all others", needs=("talks",)),
        Check("one-byte", "a line that comes one byte at a time is one message", needs=("talks",)),
        Check("coalesced", "five lines that come at once are five messages", needs=("talks",)),
        Check("split", "a line that is cut anywhere, also inside a character, is one message", needs=("talks",)),
        Check("long", "a line of 10,000 bytes is one message", needs=("talks",)),
        Check("byebye", "after `byebye` the connection ends, once all that was said before has arrived", 2, ("talks",)),
        Check("gone", "the others are told who has left, and go on", needs=("talks",)),
        Check("returns", "who has left may come back under the same name", needs=("byebye",)),
        Check("leaves-early", "nobody is told of one that left before it joined", needs=("talks",)),
        Check("silent", "one that gives no name keeps no other waiting", 2, ("talks",)),
        Check("many", "12 members all hear each other", needs=("everyone",)),
        Check("half-close", "what was said before the end of the stream is delivered", needs=("talks",)),
        Check("reset", "a member's reset does no harm", needs=("talks",)),
        Check("restart", "it can be started again at once, on the same port", 1, ("talks",), "restart"),
    ),
    "chat",
)
