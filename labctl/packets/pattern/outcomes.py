"""What may become of a packet: the table of the words that a line ends with.

What must be said is said: a line without `lost` is of a packet that was not lost. Of a delay that is not so, since
where one begins is a matter of measure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from labctl.packets.ladder.ladder import Arrow

_AGAIN = ("retransmission", "fast retransmission", "spurious retransmission")


@dataclass(frozen=True, slots=True)
class Kind:
    """`holds` for an arrow of a ladder; `must_be_said`: a line that doesn't have the word is of no such packet."""

    word: str
    holds: Callable[[Arrow], bool]
    must_be_said: bool = True


def _is_sent_again(arrow: Arrow) -> bool:
    return arrow.segment is not None and any(arrow.segment.said(word) for word in _AGAIN)


KINDS = (
    Kind("lost", lambda arrow: arrow.fate == "lost"),
    Kind("uncaptured", lambda arrow: arrow.fate == "unknown"),
    Kind("elsewhere", lambda arrow: arrow.fate == "elsewhere"),
    Kind("retransmission", _is_sent_again),
    Kind("duplicate", lambda arrow: arrow.copy),
    Kind("reordered", lambda arrow: arrow.said("out of order")),
    Kind("corrupted", lambda arrow: arrow.crossing.corrupted),
    Kind("delayed", lambda arrow: arrow.crossing.delayed, must_be_said=False),
    Kind("rewritten", lambda arrow: arrow.crossing.rewritten is not None, must_be_said=False),
)
WORDS = tuple(kind.word for kind in KINDS)
MUST_BE_SAID = frozenset(kind.word for kind in KINDS if kind.must_be_said)


def outcomes(arrow: Arrow) -> tuple[str, ...]:
    """The words that hold for an arrow, in the table's order."""
    return tuple(kind.word for kind in KINDS if kind.holds(arrow))
