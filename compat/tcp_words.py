"""What TCP does, by labctl's words and by tshark's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from labctl.packets.tcp.segment import Segment

# What is the same by another name: labctl's words, and tshark's fields.
WORDS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "sent again": (
        ("retransmission", "fast retransmission", "spurious retransmission"),
        ("retransmission", "fast_retransmission", "spurious_retransmission"),
    ),
    "out of order": (("out of order",), ("out_of_order",)),
    "duplicate ACK": (("duplicate ACK",), ("duplicate_ack_num",)),
    "window update": (("window update",), ("window_update",)),
    "zero window": (("zero window",), ("zero_window",)),
    "keep-alive": (("keep-alive",), ("keep_alive",)),
    "window probe": (("window probe",), ("zero_window_probe",)),
    "gap": (("gap",), ("lost_segment",)),
}


def both(segment: Segment, row: dict[str, str]) -> dict[str, tuple[bool, bool]]:
    """For each word whether labctl says it of a segment, and tshark."""
    return {
        word: (any(map(segment.said, mine)), any(row[f"tcp.analysis.{name}"] for name in other))
        for word, (mine, other) in WORDS.items()
    }


def table(words: Counter[tuple[str, bool, bool]]) -> list[str]:
    out = ["| segments called | by both | by labctl alone | by tshark alone |", "| --- | --- | --- | --- |"]
    for word in WORDS:
        numbers = [words[word, *pair] for pair in ((True, True), (True, False), (False, True))]
        out.append(f"| {word} | {' | '.join(map(str, numbers))} |")
    return out
