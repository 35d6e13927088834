"""What may become of a packet: the table of the words that a line ends with.

What must be said is said: a line without `lost` is of a packet that was not lost. Of a delay that is not so, since
where one begins is a matter of measure.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from labctl.faults.kinds.kind import FaultKind, Finding
from labctl.packets.ladder.ladder import Arrow

_AGAIN = ("retransmission", "fast retransmission", "spurious retransmission")


@dataclass(frozen=True, slots=True)
class Kind:
    """`holds` for an arrow of a ladder; `must_be_said`: a line that doesn't have the word is of no such packet.

    `done_by` such kinds of faults, the likeliest first, and by none of the others that a packet may have met; None: by
    any. What a probe tells of that no table has may have done anything.
    """

    word: str
    holds: Callable[[Arrow], bool]
    must_be_said: bool = True
    done_by: tuple[Callable[[FaultKind], bool], ...] | None = None


def _is_sent_again(arrow: Arrow) -> bool:
    return arrow.segment is not None and any(arrow.segment.said(word) for word in _AGAIN)


def _loses(fault: FaultKind) -> bool:
    return fault.arrives in ("never", "replaced")


def _is_unknown(fault: FaultKind) -> bool:
    return not fault.known


def _is_late(fault: FaultKind) -> bool:
    return fault.late


def _shows(finding: Finding) -> Callable[[FaultKind], bool]:
    return lambda fault: fault.seen_as == finding


KINDS = (
    Kind("lost", lambda arrow: arrow.fate == "lost", done_by=(_loses,)),
    Kind("uncaptured", lambda arrow: arrow.fate == "unknown"),
    Kind("elsewhere", lambda arrow: arrow.fate == "elsewhere"),
    Kind("retransmission", _is_sent_again, done_by=()),  # a kernel does it
    Kind("duplicate", lambda arrow: arrow.copy, done_by=(_shows("duplicated"),)),
    Kind("reordered", lambda arrow: arrow.said("out of order"), done_by=(_shows("reordered"), _is_late)),
    Kind("corrupted", lambda arrow: arrow.crossing.corrupted, done_by=(_shows("corrupted"),)),
    Kind("delayed", lambda arrow: arrow.crossing.delayed, must_be_said=False, done_by=(_is_late,)),
    Kind("rewritten", lambda arrow: arrow.crossing.rewritten is not None, must_be_said=False, done_by=()),
)
WORDS = tuple(kind.word for kind in KINDS)
MUST_BE_SAID = frozenset(kind.word for kind in KINDS if kind.must_be_said)


def outcomes(arrow: Arrow) -> tuple[str, ...]:
    """The words that hold for an arrow, in the table's order."""
    return tuple(kind.word for kind in KINDS if kind.holds(arrow))


def causes(arrow: Arrow) -> dict[str, tuple[str, ...]]:
    """The rules by which it came to each of these."""
    return {kind.word: _rules(kind, arrow) for kind in KINDS if kind.holds(arrow)}


def _rules(kind: Kind, arrow: Arrow) -> tuple[str, ...]:
    faults = arrow.crossing.faults
    if kind.done_by is None:
        return tuple(dict.fromkeys(one.rule for one in faults))
    for did in (*kind.done_by, _is_unknown):
        if found := tuple(dict.fromkeys(one.rule for one in faults if did(one.kind))):
            return found
    return ()
