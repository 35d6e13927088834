"""A TCP segment in its conversation: its relative numbers, what it is for, and what there is to say of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["syn", "syn-ack", "handshake-ack", "data", "ack", "fin", "reset"]
Phase = Literal["handshake", "data", "close", "reset"]


@dataclass(frozen=True, slots=True)
class Note:
    """Something to say of a segment: a word of the protocol, and what there is to add."""

    word: str
    detail: str = ""

    def __str__(self) -> str:
        return f"{self.word} {self.detail}".rstrip()


@dataclass(frozen=True, slots=True)
class Segment:
    """A TCP segment in its conversation.

    `seq` and `ack` count from the initial sequence numbers, and on past 2**32; `ack` is None without the flag.
    `window` is in bytes, scaled where both SYNs were seen (RFC 7323, section 2.3); None: its scale isn't known.
    `states` are those of the client and the server after it, as far as this observer saw (RFC 9293, section 3.3.2).
    """

    seq: int
    ack: int | None
    length: int
    window: int | None
    kind: Kind
    phase: Phase
    notes: tuple[Note, ...] = ()
    states: tuple[str, str] = ("", "")

    def said(self, word: str) -> bool:
        """The notes hold this word."""
        return any(note.word == word for note in self.notes)


def milliseconds(nanoseconds: int) -> str:
    """0.12 ms, 3.4 ms, 210 ms, 1.20 s, 3600 s: seven characters, as long as it is within a day."""
    value = nanoseconds / 1e6
    if value >= 1000:
        return f"{value / 1000:.0f} s" if value >= 100_000 else f"{value / 1000:.2f} s"
    return f"{value:.0f} ms" if value >= 100 else f"{value:.1f} ms" if value >= 1 else f"{value:.2f} ms"
