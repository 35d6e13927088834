"""A packet on its way through the rules of its link."""

from __future__ import annotations

from labfault.packet import Packet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from labfault.rule import Rule

Fields = dict[str, "Any"]  # of a rule, or of an event: what JSON holds


class Passage:
    """What the faults decide: when the packet leaves, with which bytes, how often, or that it never does.

    `arrived` and `leaves` are seconds of time.monotonic(). `data` is None while the packet is as it came. `behind` is
    set by a fault that wants the packet to leave after the next one of its flow. `released` tells that it left,
    `taken` that the kernel has it no more, `follows` that it leaves with the one that it let past.
    """

    __slots__ = (
        "arrived",
        "behind",
        "behind_by",
        "copies",
        "data",
        "dropped",
        "followers",
        "follows",
        "ident",
        "leaves",
        "packet",
        "released",
        "taken",
    )

    def __init__(self, ident: int, packet: Packet, now: float) -> None:
        self.ident = ident
        self.packet = packet
        self.arrived = self.leaves = now
        self.data: bytes | None = None
        self.copies = 0
        self.dropped = False
        self.behind: float | None = None  # the longest that it waits for that next one, in seconds
        self.behind_by: Rule | None = None  # the rule that wants it
        self.followers: list[Passage] = []
        self.released = self.taken = self.follows = False
