"""A rule: some packets of a link, and what is done to them."""

from __future__ import annotations

import socket
from random import Random

from labfault.faults import FAULTS, FIELDS
from labfault.match import Match
from labfault.passage import Passage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from labnode.types import Fields

    Tell = Callable[["Rule", str, Fields], object]  # by which rule, its word, and what else there is to say

# What a rule is and which packets it is about; all else is what is done to them.
ABOUT = {"id", "link", "peers", "kind", "what", "seed", "match", "times", "for"}


class Rule:
    """Made of the JSON that labctl sends (docs/faults.md); `fields` keeps it for `fault ls`. ValueError for one that
    asks for what no fault here does."""

    def __init__(self, fields: Fields) -> None:
        if unknown := sorted(fields.keys() - ABOUT - FIELDS):
            raise ValueError(f"this probe knows no fault {', '.join(unknown)}: its image is of another labctl")
        self.id = fields["id"]
        self.fields = fields
        self.link = fields["link"]
        self.key = (self.id, self.link)
        # None: every address. Else those of the link's other end, as bytes, and whether it is a way to others.
        peers = fields.get("peers")
        self.peers = None if peers is None else frozenset(_packed(address) for address in peers)
        self._match = Match(fields["match"]) if fields.get("match") else None
        self._times = fields.get("times")
        self.faults = [
            # Each has a generator of its own: what one draws does not change what another finds.
            kind(fields, Random(f"{fields['seed']} {fields['link']} {getattr(kind, 'sequence', name)}"))
            for name, kind in FAULTS.items()
            if any(fields.get(field) for field in kind.fields)
        ]
        self.matched = 0  # packets that it was about
        self.done: dict[str, int] = {}  # how often it did what

    def apply(self, passage: Passage, report: Tell) -> None:
        """Lets the packet pass through, and tells `report(rule, action, fields)` what was done."""
        if self.is_spent or (self._match and not self._match.takes(passage.packet)):
            return
        self.matched += 1
        for fault in self.faults:
            found = fault.apply(passage)
            if found is not None:
                self.count(report, found.pop("action", fault.action), found)
            if passage.behind is not None and passage.behind_by is None:
                passage.behind_by = self  # what comes of it is known later
            if passage.dropped:
                return

    def count(self, report: Tell, action: str, fields: Fields) -> None:
        """Something was done to a packet."""
        self.done[action] = self.done.get(action, 0) + 1
        report(self, action, fields)

    @property
    def is_spent(self) -> bool:
        """It has found all the packets that it is for."""
        return self._times is not None and self.matched >= self._times

    def state(self) -> Fields:
        """The rule with what it has counted."""
        return {**self.fields, "matched": self.matched, "done": self.done}


def _packed(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
